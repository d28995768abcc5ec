// Copyright 2026 the Sluice authors. MIT license.

/** Programs that the tests of faults run where the fault is: under strace, with few descriptors, on another host. */
import { closeSync, openSync, readdirSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { copy, type Env, NetError, readAll, run, runServer, Switch, tcp, unix } from "../../mod.ts";
import { openCounts } from "../../net/testing/mod.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);
const codeOf = (error: unknown) => error instanceof NetError ? error.code : String(error);
const code = (promise: Promise<unknown>) => promise.then(() => "ok", codeOf);
const descriptors = () => readdirSync("/proc/self/fd").length;
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

const programs: Record<string, (env: Env, sw: Switch, ...args: string[]) => Promise<unknown>> = {
  /** Connects twice, one after the other, and says what became of each. Then "back" when the second has left no descriptor, and no count. */
  async connect({ net }, _, ip, port) {
    const attempt = () => Switch.run((sw) => code(net.connect(sw, tcp(ip, Number(port)))));
    say(await attempt()); // opens what a runtime opens late, too
    const before = descriptors();
    say(await attempt());
    for (let i = 0; i < 100 && (descriptors() > before || openCounts().sockets > 0); i++) await turn();
    say(descriptors() <= before && openCounts().sockets === 0 ? "back" : `left ${descriptors() - before}`);
  },
  /** Keeps as many connections as were asked for, and says what became of each. */
  async keep({ net }, sw, ip, port, count) {
    for (let i = 0; i < Number(count); i++) say(await code(net.connect(sw, tcp(ip, Number(port)))));
  },
  async listen({ net }, sw, ip, port) {
    say(await code(net.listen(sw, tcp(ip, Number(port)))));
  },
  /** Connects while there is no descriptor left, then when there are some again. */
  async exhausted({ net }, sw, port) {
    const target = tcp("127.0.0.1", Number(port));
    say(await code(net.connect(sw, target))); // loads what a runtime loads late
    const taken: number[] = [];
    try {
      for (;;) taken.push(openSync("/dev/null", "r"));
    } catch {
      // none is left
    }
    const outcome = await code(net.connect(sw, target));
    for (const descriptor of taken) closeSync(descriptor);
    say(outcome);
    say(await code(net.connect(sw, target)));
  },
  /** Echoes until its input ends, on a port or at a path. Says its port or path, each error of accepting, and how many sockets are open at the end. */
  async serve({ net }, sw, place, port = "0") {
    const listener = await net.listen(sw, place.startsWith("/") ? unix(place) : tcp(place, Number(port)));
    say(listener.address.transport === "tcp" ? `${listener.address.port}` : place);
    const stop = new AbortController();
    const lines = createInterface({ input: process.stdin });
    lines.on("close", () => stop.abort());
    await runServer(listener, (flow) => copy(flow, flow), {
      onError: (error) => say(`error ${codeOf(error)}`),
      onAcceptError: (error) => say(`accept ${codeOf(error)}`),
      stop: stop.signal,
    });
    say(`left ${openCounts().sockets}`);
  },
  /** Connects; writes when it is told to, and reads on: says "connected", and at last what ended reading. */
  async talk({ net }, sw, ip, port) {
    const flow = await net.connect(sw, tcp(ip, Number(port)));
    say("connected");
    createInterface({ input: process.stdin }).once("line", (line) => {
      flow.write(new TextEncoder().encode(line)).then(() => say("wrote"), () => {});
    });
    say(await code(readAll(flow)));
    say(await code(flow.write(new Uint8Array(1))));
    process.stdin.destroy();
  },
};

// Deno opens descriptors for signals some time after the start, or when it is asked to, and panics where there is none left.
process.on("SIGUSR2", () => {}).removeAllListeners("SIGUSR2");
process.on("unhandledRejection", (error) => {
  console.error("unhandled", error);
  process.exit(99);
});
const [name, ...args] = process.argv.slice(2);
await run((env) => Switch.run((sw) => programs[name](env, sw, ...args)));
