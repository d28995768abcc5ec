// Copyright 2026 the Sluice authors. MIT license.

/**
 * Servers under more than they can take. `deno task soak` runs the same with the full numbers, for
 * the seconds in `SLUICE_SOAK`.
 */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import {
  Cancelled,
  ClosedError,
  copyString,
  EndOfFlow,
  first,
  forEachFiber,
  isCancelled,
  MultipleErrors,
  type Net,
  NetError,
  ParseError,
  readExact,
  runServer,
  Semaphore,
  type StreamSocket,
  Switch,
  tcp,
  writeAll,
} from "../../mod.ts";
import {
  perPeer,
  type ProxyHeader,
  proxyProtocol,
  serverMonitor,
  timeLimits,
  writeProxyHeader,
} from "../../net/server/mod.ts";
import { collectGarbage, textOf, turn, until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, generator, withNet } from "../net/_helpers.ts";
import { descriptors, descriptorsBack } from "./_helpers.ts";
import { Peer } from "./_peers.ts";

/** How long `deno task soak` lasts, in seconds; 0 in the suite. */
const soak = Number(process.env.SLUICE_SOAK ?? 0);
const timeout = (soak + 300) * 1000;

/** What a server reports of connections that were killed. */
class Killed extends Error {}

/** Reports whether an error is one that killing explains. */
function isExpected(error: unknown): boolean {
  if (error instanceof MultipleErrors) return error.errors.every(isExpected);
  return [NetError, ClosedError, EndOfFlow, Cancelled, Killed, ParseError].some((type) => error instanceof type);
}

/** What can be killed: each function ends something of one connection. */
type Victims = Set<() => void>;

function killOne(victims: Victims, below: (limit: number) => number): void {
  const all = [...victims];
  all[below(all.length)]?.();
}

const message = "a message to and fro";

/** Returns the header of one of four clients of a proxy. */
function headerOf(below: (limit: number) => number): ProxyHeader {
  const [source, destination] = [tcp(`192.0.2.${1 + below(4)}`, 1 + below(65_535)), tcp("192.0.2.9", 443)];
  const tlvs = below(2) === 0
    ? []
    : [{ type: 3, value: new Uint8Array(4) }, { type: 4, value: new Uint8Array(below(2000)) }];
  return { version: tlvs.length > 0 || below(2) === 0 ? 2 : 1, command: "proxy", source, destination, tlvs };
}

/** A client of a proxy: it talks, and then leaves in one of the ways in which clients leave. */
async function visit(net: Net, port: number, below: (limit: number) => number, victims: Victims): Promise<void> {
  await Switch.run(async (sw) => {
    const flow = await net.connect(sw, tcp("127.0.0.1", port), { linger: 50 });
    const kill = () => flow.abort(new Killed());
    victims.add(kill);
    try {
      if (below(20) === 0) return void await flow.read(new Uint8Array(1)); // a proxy that says nothing
      if (below(20) === 0) await copyString("PROXY TCP5 nonsense\r\n", flow);
      else await writeProxyHeader(flow, headerOf(below));
      const answer = new Uint8Array(message.length);
      for (let i = below(20); i >= 0; i--) {
        await copyString(message, flow);
        await readExact(flow, answer);
        assertEquals(textOf(answer), message);
        await net.clock.sleep(below(50));
      }
      const way = below(5);
      if (way === 0) flow.abort();
      if (way === 1) await flow.shutdown("send");
      if (way === 2) await first(() => writeAll(flow, new Uint8Array(1_000_000)), () => net.clock.sleep(300));
      if (way <= 3) await flow.read(answer); // silent, until the server has had enough
    } finally {
      victims.delete(kill);
    }
  });
}

/** Floods a server under all limits with clients, and kills something every 50 ms. */
async function stampede(seconds: number): Promise<void> {
  const lanes = soak === 0 ? 200 : 500;
  const below = generator(15);
  const unexpected: unknown[] = [];
  const note = (error: unknown) => isExpected(error) || unexpected.push(error);
  const monitor = serverMonitor();
  const limit = new Semaphore(lanes);
  let proxied = 0;
  let served = 0;
  let kills = 0;
  await withNet(async (sw, net) => {
    const victims: Victims = new Set();
    const listener = await net.listen(sw, anyPort, { linger: 50 });
    const limits = { firstByte: 1000, idle: 500, write: 500, halfClosed: 500, lifetime: 3000 };
    const echo = timeLimits(net.clock, limits, async (connection, _, { sw }) => {
      served++;
      const fail = () => sw.fail(new Killed());
      const abort = () => connection.abort(new Killed());
      victims.add(fail).add(abort);
      sw.onRelease(() => (victims.delete(fail), victims.delete(abort)));
      const buffer = new Uint8Array(1024);
      for (let size; (size = await connection.read(buffer)) !== null;) {
        await writeAll(connection, buffer.subarray(0, size));
      }
    });
    const limited = perPeer(lanes / 10, echo);
    const handler = proxyProtocol<StreamSocket>(
      net.clock,
      { trusted: ["127.0.0.0/8"], timeout: 1000 },
      (...connection) => {
        proxied++;
        return limited(...connection);
      },
    );
    const stop = new AbortController();
    const server = sw.forkPromise(() =>
      runServer(listener, handler, {
        onError: note,
        maxConnections: limit,
        monitor,
        stop: stop.signal,
        grace: 1000,
      })
    );
    await first(
      () =>
        forEachFiber(Array.from({ length: lanes }), async () => {
          while (!isCancelled()) {
            await visit(net, listener.address.port, below, victims).catch(note);
            await net.clock.sleep(below(100)); // else those that are dropped come back at once
          }
        }),
      async () => {
        for (let left = seconds * 20; left > 0 || monitor.dropped === 0; left--) {
          await net.clock.sleep(50);
          killOne(victims, below);
          kills++;
          limit.resize(lanes / 2 + below(lanes / 2));
          assert(monitor.connections().length === monitor.active);
        }
      },
    );
    stop.abort();
    await server;
  });
  assertEquals(unexpected, []);
  assert(served > 0 && monitor.dropped > 0, `${served} served, ${monitor.dropped} dropped, ${kills} kills`);
  assertEquals([monitor.state, monitor.active, proxied], ["stopped", 0, served + monitor.dropped]);
  assert(monitor.accepted > proxied, "some have no header");
  assertEquals(limit.available, limit.permits);
}

test("runServer() survives a stampede under all limits, with something killed every 50 ms", async () => {
  await stampede(0.5); // opens what a runtime opens late
  const before = descriptors();
  await stampede(soak || 3);
  await descriptorsBack(before);
}, { timeout });

const impatient = `
  const [port, count, most] = args.map(Number);
  let left = count, started = 0, served = 0;
  const failures = {};
  const visit = () => {
    if (started === count) return;
    started++;
    let got = "", how = "closed";
    net.connect(port, "127.0.0.1", function () { this.write("q"); })
      .on("data", (part) => got += part).on("error", (error) => how = error.code)
      .on("close", () => {
        if (got === "answer") served++; else failures[how] = (failures[how] ?? 0) + 1;
        visit();
        if (--left === 0) say(served + " served " + JSON.stringify(failures));
      });
  };
  for (let i = 0; i < most; i++) visit();
`;

test("runServer() with maxConnections 100 serves 5000 clients, 2000 of them at once", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const monitor = serverMonitor();
    const limit = new Semaphore(100);
    let most = 0;
    const answer = async (connection: StreamSocket) => {
      most = Math.max(most, monitor.active);
      await readExact(connection, new Uint8Array(1));
      await copyString("answer", connection);
    };
    const errors: unknown[] = [];
    sw.forkDaemon(() =>
      runServer(listener, answer, { onError: (error) => errors.push(error), maxConnections: limit, monitor })
    );
    await using peer = Peer.node(impatient, listener.address.port, 5000, 2000);
    assertEquals(await peer.line(), "5000 served {}");
    await until(() => monitor.active === 0);
    assertEquals([errors, monitor.accepted, monitor.failed, monitor.dropped], [[], 5000, 0, 0]);
    assert(most <= 100, `${most} at once`);
  }), { timeout });

const drip = `
  const [port, count] = args.map(Number);
  const flows = [];
  const open = () => {
    if (flows.length === count) return say("open");
    const flow = net.connect(port, "127.0.0.1", () => { flow.write("x"); flows.push(flow); open(); });
    flow.on("error", (error) => say(error.code)).resume();
  };
  open();
  let next = 0; // each flow once a second, evenly
  setInterval(() => {
    for (let i = flows.length / 50; i > 0; i--) flows[next++ % flows.length].write("x");
  }, 20);
`;

test(
  "runServer() with slow clients keeps its memory, and serves a new client within a second",
  () =>
    withNet(async (sw, net) => {
      const count = soak === 0 ? 1000 : 10_000;
      const listener = await net.listen(sw, anyPort);
      const monitor = serverMonitor();
      const errors: unknown[] = [];
      let received = 0;
      const handler = timeLimits(
        net.clock,
        { firstByte: 100_000, idle: 100_000, write: 100_000 },
        async (connection) => {
          const line = new Uint8Array(1);
          while (line[0] !== 10) { // a line that does not end
            await readExact(connection, line);
            received++;
          }
          await copyString("answer", connection);
        },
      );
      sw.forkDaemon(() =>
        runServer(listener, perPeer(count + 100, handler), {
          onError: (error) => errors.push(error),
          maxConnections: count + 100,
          monitor,
        })
      );
      await using peer = Peer.node(drip, listener.address.port, count);
      assertEquals(await peer.line(), "open");
      await until(() => monitor.active === count || errors.length > 0);

      const heap = async () => {
        let least = Infinity; // of several, as what is in flight varies
        for (let times = 0; times < 3; times++) {
          for (let i = 0; i < 5; i++) await turn();
          collectGarbage();
          least = Math.min(least, process.memoryUsage().heapUsed);
        }
        return least;
      };
      const rounds = async (many: number) => {
        const enough = received + many * count;
        while (received < enough && errors.length === 0) await net.clock.sleep(10);
      };
      await rounds(2);
      const before = await heap();
      const seconds = soak || 5;
      for (let round = 0; round < seconds; round++) {
        await rounds(1);
        const start = performance.now();
        await Switch.run(async (sw) => {
          const flow = await net.connect(sw, listener.address);
          await copyString("hello\n", flow);
          await readExact(flow, new Uint8Array(6));
        });
        const took = performance.now() - start;
        assert(took < 1000, `A new client waited for ${took} ms`);
      }
      const growth = await heap() - before;
      const most = soak === 0 ? 200 : 500; // bytes a client, of which each sends a byte a second
      assert(growth < count * most, `The heap has grown by ${growth} bytes`);
      assertEquals([monitor.active - count <= 1, errors], [true, []]);
      peer.kill("SIGKILL");
      await until(() => monitor.active === 0);
    }),
  { timeout },
);
