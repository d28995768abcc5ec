// Copyright 2026 the Sluice authors. MIT license.

/**
 * Closing loses nothing that a write took, whatever the other side does: it reads slowly, and goes on talking after our
 * end. The other side is a process of Node. `SLUICE_CLOSING_RUNS` is how often each case is run.
 */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import {
  copy,
  copyString,
  type Net,
  type NetError,
  nullFlow,
  readExact,
  runServer,
  type Sink,
  type StreamAddress,
  type StreamSocket,
  type Switch,
  tcp,
  unix,
  writeAll,
  yieldNow,
} from "../../mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { pattern } from "../../net/testing/_random.ts";
import { useTime } from "../../switch/internal.ts";
import { withNet } from "../net/_helpers.ts";
import { test } from "../_test.ts";
import { Peer } from "./_peers.ts";

const runs = Number(process.env.SLUICE_CLOSING_RUNS ?? 3);
const sizes = [1_000, 100_000, 3_000_000];

/** What the other side does. */
const habits = [
  { slow: false, talks: false },
  { slow: false, talks: true },
  { slow: true, talks: false },
  { slow: true, talks: true },
];

/** Reads a socket to its end, and says how many bytes came and how it ended. */
const conversation = `
  function converse(socket, slow, talks, done) {
    let got = 0, ended = false, timers = [];
    const finish = (how) => { timers.forEach(clearInterval); done(got + " bytes, then " + how); };
    socket.on("end", () => { ended = true; socket.end(); });
    socket.on("error", (error) => finish(error.code));
    socket.on("close", (bad) => { if (!bad) finish(ended ? "the end" : "a close"); });
    if (slow) {
      socket.on("readable", () => {}); // so that nothing flows by itself
      timers.push(setInterval(() => { const part = socket.read(Math.min(65536, socket.readableLength)); if (part) got += part.length; else socket.read(0); }, 2));
    } else socket.on("data", (part) => got += part.length);
    if (talks) timers.push(setInterval(() => { if (socket.writable) socket.write("more"); }, 1));
  }
  const place = (text) => text.startsWith("/") || text.startsWith("@") ? { path: text.replace("@", "\\0") } : { host: "127.0.0.1", port: Number(text) };
`;

const client = `${conversation}
  const [where, slow, talks, runs] = args;
  const once = (left) => {
    if (left === 0) return;
    const socket = net.connect({ ...place(where), allowHalfOpen: true }, () => socket.write("G"));
    converse(socket, slow === "true", talks === "true", (line) => { say(line); once(left - 1); });
  };
  once(Number(runs));
`;

const server = `${conversation}
  const [where, slow, talks] = args;
  net.createServer({ allowHalfOpen: true }, (socket) => converse(socket, slow === "true", talks === "true", say))
    .listen(place(where), function () { say(where === "0" ? this.address().port : where); });
`;

const places: readonly { name: string; address: () => StreamAddress }[] = [
  { name: "TCP", address: () => tcp("127.0.0.1", 0) },
  { name: "a Unix socket", address: () => unix(`\0sluice-closing-${process.pid}-${Math.random()}`) },
];

const textOf = (address: StreamAddress) =>
  address.transport === "tcp" ? String(address.port) : address.path.replace("\0", "@");

async function serveOnce(sw: Switch, net: Net, at: StreamAddress, size: number, habit: typeof habits[number]) {
  const payload = pattern(size, size);
  const listener = await net.listen(sw, at);
  const errors: unknown[] = [];
  sw.forkDaemon(() =>
    runServer(listener, async (connection) => {
      await readExact(connection, new Uint8Array(1));
      await writeAll(connection, payload);
    }, { onError: (error) => errors.push(error) })
  );
  await using peer = Peer.node(client, textOf(listener.address), String(habit.slow), String(habit.talks), runs);
  for (let i = 0; i < runs; i++) assertEquals(await peer.line(), `${size} bytes, then the end`);
  assertEquals(errors, []);
}

for (const { name, address } of places) {
  for (const habit of habits) {
    const who = `${habit.slow ? "a slow" : "a fast"} reader${habit.talks ? " that goes on talking" : ""}`;
    test(`close() of an accepted connection over ${name} loses nothing to ${who}`, () =>
      withNet(async (sw, net) => {
        for (const size of sizes) await serveOnce(sw, net, address(), size, habit);
      }));

    test(`close() of a client over ${name} loses nothing to ${who}`, () =>
      withNet(async (sw, net) => {
        const asked = address();
        await using peer = Peer.node(
          server,
          asked.transport === "tcp" ? "0" : textOf(asked),
          String(habit.slow),
          String(habit.talks),
        );
        const line = await peer.line() as string;
        const target = asked.transport === "tcp" ? tcp("127.0.0.1", Number(line)) : asked;
        for (const size of sizes) {
          for (let i = 0; i < runs; i++) {
            const connection = await net.connect(sw, target);
            await writeAll(connection, pattern(size, size));
            await connection.close();
            assertEquals(await peer.line(), `${size} bytes, then the end`);
          }
        }
      }));
  }
}

test("close() gives a connection back within its linger although the other side never ends", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 0), { linger: 50 });
    await using _peer = Peer.node(
      `net.connect({ port: args[0], host: "127.0.0.1", allowHalfOpen: true }).on("error", () => {}).resume();`,
      listener.address.port,
    );
    const connection = await listener.accept(sw);
    await copyString("hello", connection);
    await connection.close();
    assertEquals(openCounts().sockets, 0);
  }));

/** Both sides of a connection whose server side lingers for 50 ms. */
async function lingeringPair(sw: Switch, net: Net): Promise<{ client: StreamSocket; server: StreamSocket }> {
  const listener = await net.listen(sw, tcp("127.0.0.1", 0), { linger: 50 });
  const accepting = listener.accept(sw);
  const client = await net.connect(sw, listener.address);
  return { client, server: await accepting };
}

/** Writes until no more is taken. Returns how many bytes were; a write goes on waiting. */
async function fillUp(sink: Sink): Promise<number> {
  let taken = 0;
  (async () => {
    for (;;) taken += await sink.write(new Uint8Array(60_000));
  })().catch(() => {});
  for (let before = -1; before !== taken;) {
    before = taken;
    for (let i = 0; i < 50; i++) await yieldNow();
  }
  return taken;
}

test("close() shows no end before everything that was taken, although its linger has passed", () =>
  withNet(async (sw, net) => {
    const { client, server } = await lingeringPair(sw, net);
    const taken = await fillUp(server);
    await server.close();
    assertEquals(openCounts().sockets, 1);
    const ending = await copy(client, nullFlow).catch((error: NetError) => error.code);
    // Bun takes only what goes out at once.
    if (ending !== taken) assertEquals(ending, net.features.has("reset") ? "connection_reset" : taken);
  }));

test("a connection that goes on sending after close() is given up after 10 seconds", () =>
  withNet(async (sw, net) => {
    let giveUp: (() => void) | undefined;
    const system = useTime(undefined);
    const startTimer: typeof system.startTimer = (ms, ring) => {
      if (ms === 10_000) giveUp = ring;
      return system.startTimer(ms, ring);
    };
    useTime({ ...system, startTimer });
    try {
      const { client, server } = await lingeringPair(sw, net);
      const taken = await fillUp(server);
      await server.close();
      if (net.features.has("reset")) return assertEquals(giveUp, undefined);
      giveUp!();
      assert(await copy(client, nullFlow) < taken);
    } finally {
      useTime(undefined);
    }
  }));

test("two ends of one connection in one switch do not wait for each other when it ends", async () => {
  const started = performance.now();
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 0), { linger: 60_000 });
    const accepting = listener.accept(sw);
    const connection = await net.connect(sw, listener.address, { linger: 60_000 });
    await copyString("hello", connection);
    await copyString("hello", await accepting);
  });
  assertEquals(performance.now() - started < 30_000, true);
});
