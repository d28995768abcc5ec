// Copyright 2026 the Sluice authors. MIT license.

/** What stands around a handler, together, over every kind of connection. */
import { assert, assertEquals } from "@std/assert";
import {
  awaitCancel,
  type ConnectionHandler,
  copy,
  copyString,
  type Net,
  NetError,
  readExact,
  run,
  runServer,
  Semaphore,
  type StreamSocket,
  Switch,
  tcp,
  unix,
  writeAll,
} from "../../../mod.ts";
import {
  perPeer,
  proxyProtocol,
  type ServerMonitor,
  serverMonitor,
  timeLimits,
  writeProxyHeader,
} from "../../../net/server/mod.ts";
import { memoryNet, simulate, socketPair } from "../../../net/testing/mod.ts";
import { tlsClient, tlsHandler } from "../../../net/tls/mod.ts";
import { mockClock } from "../../../net/testing/mod.ts";
import type { Clock, Connection, TwoWay } from "../../../mod.ts";
import { outcomeOf, textOf, withFolder } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort } from "../_helpers.ts";
import { clientOptions, serverOptions } from "../tls/_helpers.ts";
import { pass, serving, settled } from "./_limits.ts";

const limits = { firstByte: 1000, idle: 5000, write: 1000, halfClosed: 1000, lifetime: 60_000 };
const trusted = ["0.0.0.0/0"];
const echo = (connection: Connection) => copy(connection, connection);

/** A handler, and what its clients do. */
interface Stack {
  readonly tls: boolean;
  /** Whether a client begins with a PROXY header. */
  readonly proxy?: boolean;
  make(clock: Clock): ConnectionHandler;
}

/** Handlers in every order, by name; each admits one client, and cuts off one that is silent. */
const stacks: Record<string, Stack> = {
  "limits": { tls: false, make: (clock) => perPeer(2, timeLimits(clock, limits, echo)) },
  "limits, reversed": { tls: false, make: (clock) => timeLimits(clock, limits, perPeer<Connection>(2, echo)) },
  "limits twice": {
    tls: false,
    make: (clock) => timeLimits(clock, limits, perPeer(2, timeLimits(clock, { lifetime: 90_000 }, echo))),
  },
  "limits around TLS": {
    tls: true,
    make: (clock) => perPeer(2, timeLimits(clock, limits, tlsHandler(serverOptions, echo))),
  },
  "limits in TLS": {
    tls: true,
    make: (clock) => tlsHandler(serverOptions, perPeer<Connection>(2, timeLimits(clock, limits, echo))),
  },
  "limits behind a proxy": {
    tls: false,
    proxy: true,
    make: (clock) => proxyProtocol(clock, { trusted }, perPeer<Connection>(2, timeLimits(clock, limits, echo))),
  },
  "limits around a proxy": {
    tls: false,
    proxy: true,
    make: (clock) => perPeer(2, timeLimits(clock, limits, proxyProtocol(clock, { trusted }, echo))),
  },
  "limits in TLS behind a proxy": {
    tls: true,
    proxy: true,
    make: (clock) =>
      proxyProtocol(
        clock,
        { trusted },
        perPeer<Connection>(2, tlsHandler(serverOptions, timeLimits(clock, limits, echo))),
      ),
  },
};

/** Echoes a text through a connection. */
async function talk(flow: TwoWay, text: string): Promise<string> {
  await copyString(text, flow);
  const answer = new Uint8Array(text.length);
  await readExact(flow, answer);
  return textOf(answer);
}

/** What one client does, and then another that is silent. */
async function visit(
  sw: Switch,
  connect: () => Promise<StreamSocket>,
  { tls, proxy }: Stack,
  wait: (ms: number) => Promise<void>,
): Promise<void> {
  const open = async () => {
    const socket = await connect();
    const [source, destination] = [tcp("192.0.2.1", 4000), tcp("192.0.2.2", 80)];
    if (proxy) await writeProxyHeader(socket, { version: 2, command: "proxy", source, destination, tlvs: [] });
    return tls ? await tlsClient(sw, socket, clientOptions) : socket;
  };
  const flow = await open();
  assertEquals(await talk(flow, "hello"), "hello");
  await wait(100);
  assertEquals(await talk(flow, "again"), "again");
  await flow.close();
  const silent = await open();
  await wait(5000);
  const outcome = await outcomeOf(() => silent.read(new Uint8Array(1)));
  assert(outcome === null || outcome instanceof Error, String(outcome)); // a Unix socket shows no reset
  silent.abort();
}

/** Runs a server with everything, and `visit`s it. */
async function serveAndVisit(sw: Switch, net: Net, clock: Clock, stack: keyof typeof stacks, at: {
  listenOn: Parameters<Net["listen"]>[1];
  wait(ms: number): Promise<void>;
}): Promise<{ readonly errors: unknown[]; readonly monitor: ServerMonitor; readonly limit: Semaphore }> {
  const errors: unknown[] = [];
  const monitor = serverMonitor();
  const limit = new Semaphore(10);
  const stop = new AbortController();
  const listener = await net.listen(sw, at.listenOn);
  const options = { onError: (e: unknown) => errors.push(e), monitor, maxConnections: limit, stop: stop.signal };
  const server = sw.forkPromise(() => runServer(listener, stacks[stack].make(clock), options));
  await visit(sw, () => net.connect(sw, listener.address), stacks[stack], at.wait);
  stop.abort();
  await at.wait(0);
  await server;
  return { errors, monitor, limit };
}

function assertServed(
  { errors, monitor, limit }: { errors: unknown[]; monitor: ServerMonitor; limit: Semaphore },
): void {
  const codes = errors.map((error) => error instanceof NetError ? error.code : error);
  assertEquals(codes, ["connection_timeout"]);
  assertEquals([monitor.accepted, monitor.active, monitor.failed, monitor.state], [2, 0, 1, "stopped"]);
  assertEquals(limit.available, 10);
}

for (const stack of Object.keys(stacks)) {
  test(`${stack}: a server of sockets serves one client, and cuts off one that is silent`, async () => {
    const clock = mockClock();
    await run(({ net }) =>
      Switch.run(async (sw) => {
        const wait = async (ms: number) => {
          for (let i = 0; i < 5; i++) await settled();
          await pass(clock, ms);
          for (let i = 0; i < 5; i++) await settled();
        };
        assertServed(await serveAndVisit(sw, net, clock, stack, { listenOn: anyPort, wait }));
      })
    );
  });

  test(`${stack}: a server in memory serves one client, and cuts off one that is silent`, async () => {
    const clock = mockClock();
    await Switch.run(async (sw) => {
      const listenOn = tcp("127.0.0.1", 80);
      const wait = async (ms: number) => {
        for (let i = 0; i < 5; i++) await settled();
        await pass(clock, ms);
        for (let i = 0; i < 5; i++) await settled();
      };
      assertServed(await serveAndVisit(sw, memoryNet({ clock }), clock, stack, { listenOn, wait }));
    });
  });
}

test("limits over a Unix socket serve one client, and cut off one that is silent", async () => {
  const clock = mockClock();
  await withFolder((folder) =>
    run(({ net }) =>
      Switch.run(async (sw) => {
        const wait = async (ms: number) => {
          for (let i = 0; i < 5; i++) await settled();
          await pass(clock, ms);
          for (let i = 0; i < 5; i++) await settled();
        };
        assertServed(await serveAndVisit(sw, net, clock, "limits", { listenOn: unix(`${folder}/s`), wait }));
      })
    )
  );
});

for (const stack of Object.keys(stacks).filter((name) => !stacks[name].tls)) {
  test(`${stack}: a simulated server serves one client, and cuts off one that is silent`, async () => {
    for (const seed of [1, 2, 3]) {
      await simulate({ seed }, async (sim) => {
        const server = sim.host("server");
        const client = sim.host("client");
        const errors: unknown[] = [];
        const monitor = serverMonitor();
        const limit = new Semaphore(10);
        const stop = new AbortController();
        const serving = server.fork(() =>
          Switch.run(async (sw) => {
            const listener = await server.net.listen(sw, tcp("0.0.0.0", 80));
            await runServer(listener, stacks[stack].make(server.clock), {
              onError: (error) => errors.push(error),
              monitor,
              maxConnections: limit,
              stop: stop.signal,
            });
          })
        );
        await client.fork(() =>
          Switch.run(async (sw) => {
            await client.clock.sleep(10);
            const connect = () => client.net.connect(sw, { transport: "tcp", ip: server.ip, port: 80 });
            await visit(sw, connect, stacks[stack], (ms) => client.clock.sleep(ms + 100));
          })
        );
        stop.abort();
        await serving;
        assertServed({ errors, monitor, limit });
      });
    }
  });
}

test("idle behind a proxy does not expire while unread input waits in the socket", async () => {
  const errors = await serving((clock) => {
    const limited = timeLimits(clock, { idle: 1000 }, async (connection) => {
      await readExact(connection, new Uint8Array(1));
      await awaitCancel();
    });
    return proxyProtocol(clock, { trusted }, limited);
  }, async ({ connect, pass, errors }) => {
    const client = await connect();
    await copyString("PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\nx", client);
    await pass(500);
    await copyString("unread", client);
    for (let i = 0; i < 10; i++) await pass(1000);
    assertEquals(errors, []);
  });
  assertEquals(errors, []);
});

test("limits over a pair of sockets cut off a handler that is called alone", async () => {
  for (const stack of ["limits", "limits, reversed"]) {
    const clock = mockClock();
    const [client, server] = socketPair();
    await Switch.run(async (sw) => {
      const scope = { sw, stopping: new AbortController().signal };
      const handler = stacks[stack].make(clock);
      const outcome = outcomeOf(async () => await handler(server, server.peer, scope));
      assertEquals(await talk(client, "hello"), "hello");
      await pass(clock, 5000);
      const error = await outcome;
      assert(error instanceof NetError && error.code === "connection_timeout", String(error));
    });
    client.abort();
  }
});

test("limits in a simulation cut off a client that a partition has swallowed", async () => {
  await simulate({ seed: 7 }, async (sim) => {
    const server = sim.host("server");
    const client = sim.host("client");
    const errors: unknown[] = [];
    const serving = server.fork(() =>
      Switch.run(async (sw) => {
        const listener = await server.net.listen(sw, tcp("0.0.0.0", 80));
        const handler = timeLimits(server.clock, { idle: 30_000 }, echo);
        sw.forkDaemon(() => runServer(listener, handler, { onError: (error) => errors.push(error) }));
        await server.clock.sleep(60_000);
      })
    );
    await client.fork(() =>
      Switch.run(async (sw) => {
        await client.clock.sleep(10);
        const flow = await client.net.connect(sw, { transport: "tcp", ip: server.ip, port: 80 });
        assertEquals(await talk(flow, "hello"), "hello");
        sim.partition(client, server);
        await client.clock.sleep(50_000);
        flow.abort();
      })
    );
    await serving;
    assertEquals(errors.map((error) => (error as NetError).code), ["connection_timeout"]);
  });
});

test("limits in a simulation cut off a client that takes nothing more, and whose acknowledgements are lost", async () => {
  await simulate({ seed: 8 }, async (sim) => {
    const server = sim.host("server");
    const client = sim.host("client");
    const errors: unknown[] = [];
    const serving = server.fork(() =>
      Switch.run(async (sw) => {
        const listener = await server.net.listen(sw, tcp("0.0.0.0", 80));
        const flood = timeLimits(server.clock, { write: 5000 }, async (connection) => {
          for (;;) await writeAll(connection, new Uint8Array(10_000));
        });
        sw.forkDaemon(() => runServer(listener, flood, { onError: (error) => errors.push(error) }));
        await server.clock.sleep(30_000);
      })
    );
    await client.fork(() =>
      Switch.run(async (sw) => {
        await client.clock.sleep(10);
        const flow = await client.net.connect(sw, { transport: "tcp", ip: server.ip, port: 80 });
        await readExact(flow, new Uint8Array(50_000));
        sim.partition(client, server);
        await client.clock.sleep(20_000);
        flow.abort();
      })
    );
    await serving;
    assertEquals(errors.map((error) => (error as NetError).code), ["connection_timeout"]);
  });
});
