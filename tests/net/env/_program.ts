// Copyright 2026 the Sluice authors. MIT license.

/** Programs for the tests of `run`, by name. */
import process from "node:process";
import {
  copy,
  copyString,
  type Env,
  first,
  NetError,
  readAll,
  readExact,
  run,
  Switch,
  tcp,
  udp,
} from "../../../mod.ts";

const decoder = new TextDecoder();
const handlers = () => process.listenerCount("SIGINT") + process.listenerCount("SIGTERM");

async function take(env: Env, count: number): Promise<string> {
  const buffer = new Uint8Array(count);
  await readExact(env.stdin, buffer);
  return decoder.decode(buffer);
}

/** Waits a few turns of the event loop, as a foreign promise. */
async function turns(): Promise<string> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  return "pending";
}

async function remaining(env: Env): Promise<string> {
  return decoder.decode(await readAll(env.stdin));
}

const programs: Record<string, () => Promise<unknown>> = {
  cat: () => run((env) => copy(env.stdin, env.stdout)),
  complain: () => run((env) => copyString("too bad\n", env.stderr)),
  large: () => run((env) => copyString("x".repeat(8 << 20), env.stdout)),
  nothing: () => run(() => 1),
  async take() {
    console.log("took", await run((env) => take(env, 5)));
  },
  async takeThenRest() {
    console.log("took", await run((env) => take(env, 5)));
    console.log("then", await run(remaining));
    console.log("then", JSON.stringify(await run(remaining)));
  },
  async giveUp() {
    await Switch.run(async (sw) => {
      sw.fork(() => run((env) => env.stdin.read(new Uint8Array(1))));
      await run((env) => env.clock.sleep(20));
      sw.fail(new Error("Cannot wait any longer"));
    }).catch(() => console.log("gave up"));
    console.log("then", await run((env) => take(env, 5)));
  },
  atOnce: () => Promise.all(Array.from({ length: 30 }, (_, i) => run((env) => copyString(`${i}\n`, env.stdout)))),
  again: async () => {
    for (let i = 0; i < 30; i++) await run((env) => copyString(`${i}\n`, env.stdout));
  },
  async stop() {
    await run(async (env) => {
      const stopped = env.stop();
      console.log("ready", handlers(), stopped instanceof Promise);
      console.log(await stopped, handlers(), await env.stop());
    });
    console.log("after", handlers());
  },
  async stopNever() {
    await run((env) => void env.stop());
    console.log("after", handlers());
  },
  async stopThen() {
    let ended: Promise<string> | undefined;
    await run(async (env) => {
      ended = env.stop();
      ended.then(() => console.log("stopping"));
      await env.clock.sleep(1);
    });
    console.log(await Promise.race([ended, turns()]), handlers());
  },
  async stopInFiber() {
    await run(async (env) => {
      const stopped: Promise<unknown>[] = [];
      env.sw.fork(() => void stopped.push(env.stop()));
      await turns();
      console.log("ready");
      console.log(await stopped[0]);
    });
  },
  async stopCancelled() {
    await run(async (env) => {
      await first(() => env.stop().catch((error) => console.log(String(error))), () => turns());
      let stopped: Promise<string> | undefined;
      env.sw.fork(() => void (stopped = env.stop()));
      await turns();
      env.sw.fail(new Error("Cannot go on"));
      await stopped;
    }).catch((error) => console.log(String(error), handlers()));
  },
  async stopLate() {
    const late = await run((env) => env);
    const stopped = late.stop();
    await turns();
    console.log(await stopped.catch((error) => String(error)), handlers());
  },
  async stopAlone() {
    await run(async (env) => {
      const stopped = env.stop();
      console.log("ready", process.pid);
      process.kill(process.pid, "SIGTERM");
      console.log(await stopped, handlers());
      if (process.argv[3] === "once") return;
      process.kill(process.pid, process.argv[3]);
      await env.clock.sleep(20_000);
    });
    console.log("after", handlers());
  },
  async stopTwice() {
    await run(async (env) => {
      const stopped = env.stop();
      console.log("ready");
      console.log(await stopped);
      await env.clock.sleep(20_000);
    });
  },
  async deaf() {
    for (let i = 0; i < 2; i++) {
      await run(async (env) => {
        let error: unknown;
        while (error === undefined) {
          error = await copyString("x".repeat(65536), env.stdout).then(() => undefined, (error) => error);
        }
        const { name, message, cause } = error as Error;
        await copyString(`${name} ${(cause as { code?: string }).code}: ${message}\n`, env.stderr);
      });
    }
  },
  async lost() {
    await run((env) => copyString("x".repeat(65536), env.stdout)).catch((error) => {
      console.error(error.message.replace(/:.*/s, ""), error.cause.code);
    });
  },
  async push() {
    const before = process.memoryUsage().rss;
    const chunk = new Uint8Array(65536);
    await run(async (env) => {
      for (let sent = 0; sent < 256 << 20;) sent += await env.stdout.write(chunk);
    });
    const grown = process.resourceUsage().maxRSS * 1024 - before;
    console.error(grown < 160 << 20 ? "small" : `grown by ${grown} bytes`);
  },
  async names() {
    const code = (error: unknown) => error instanceof NetError ? error.lookupCode ?? error.code : String(error);
    const nameServers = [udp("127.0.0.1", Number(process.argv[3]))];
    await run(async ({ net }) => {
      console.log(`lookup: ${await net.getAddrInfo("a.test").then(() => "ok", code)}`);
      console.log(`name: ${await net.getNameInfo(tcp("10.0.0.1", 80)).then(() => "ok", code)}`);
      console.log(`services: ${await net.getServices("_http._tcp.test").then(() => "ok", code)}`);
    }, { nameServers });
  },
  async denied() {
    await run((env) =>
      Switch.run(async (sw) => {
        const code = (error: unknown) => error instanceof NetError ? error.code : String(error);
        const tries = process.argv.slice(3).map((text) => [text, ...text.split(" ")]);
        for (const [text, action, ip, port] of tries) {
          const address = ip.startsWith("/") ? { transport: "unix", path: ip } as const : tcp(ip, Number(port));
          const bind = (host: string, local: string) => env.net.datagramSocket(sw, udp(host, Number(local)));
          const attempts: Record<string, () => Promise<unknown>> = {
            listen: () => env.net.listen(sw, address),
            connect: () => env.net.connect(sw, address),
            bind: () => bind(ip, port),
            send: async () => (await bind("127.0.0.1", "0")).send(new Uint8Array(1), udp(ip, Number(port))),
          };
          console.log(`${text}: ${await attempts[action]().then(() => "ok", code)}`);
        }
        console.log(`lookup: ${await env.net.getAddrInfo("localhost").then(() => "ok", code)}`);
      })
    );
  },
};

process.on("unhandledRejection", (error) => {
  console.error("unhandled", error);
  process.exit(99);
});
await programs[process.argv[2]]();
