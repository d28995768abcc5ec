// Copyright 2026 the Sluice authors. MIT license.

/** poolHandler() within what stands around a handler, and over every kind of connection. */
import { assertEquals } from "@std/assert";
import {
  type Connection,
  type ConnectionHandler,
  copyString,
  formatAddress,
  type NetError,
  readAll,
  runServer,
  Switch,
  type Switch as SwitchType,
  tcp,
  type TwoWay,
  unix,
} from "../../../mod.ts";
import {
  finish,
  type PoolConnection,
  type PoolHandler,
  poolHandler,
  type PoolHandlerOptions,
  proceed,
  switchTo,
} from "../../../net/pool/mod.ts";
import { perPeer, proxyProtocol, timeLimits } from "../../../net/server/mod.ts";
import { memoryNet, mockClock, simulate, socketPair } from "../../../net/testing/mod.ts";
import { tlsClient, tlsHandler } from "../../../net/tls/mod.ts";
import { outcomeOf, textOf, withFolder } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, withNet } from "../_helpers.ts";
import { pass } from "../server/_limits.ts";
import { clientOptions, serverOptions } from "../tls/_helpers.ts";
import { none, readText, recorder, talk } from "./_pools.ts";

/** Says whom it serves, and echoes. */
const greeter: PoolHandler<undefined> = {
  async connected(c) {
    await c.write(`${formatAddress(c.peer).split(":")[1]} ${c.protocol}\n`);
    return proceed();
  },
  async received(c, bytes) {
    await c.write(bytes);
    return proceed();
  },
};

const pool = (options: Partial<PoolHandlerOptions<undefined>> = {}) =>
  poolHandler(greeter, { state: none, ...options });

/** Serves over sockets while `fn` runs, and returns the reported errors. */
async function serving(
  handler: ConnectionHandler,
  fn: (connect: () => Promise<Connection>, sw: SwitchType) => Promise<void>,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    sw.forkDaemon(() => runServer(listener, handler, { onError: (error) => errors.push(error) }));
    await Switch.run((sw) => fn(() => net.connect(sw, listener.address), sw));
  });
  return errors;
}

async function visit(flow: TwoWay, greeting: string): Promise<void> {
  assertEquals(await readText(flow, greeting.length), greeting);
  assertEquals(await talk(flow, "hello"), "hello");
  await flow.shutdown("send");
  assertEquals((await readAll(flow)).length, 0);
}

test("poolHandler() over a Unix socket", () =>
  withFolder((folder) =>
    withNet(async (sw, net) => {
      const listener = await net.listen(sw, unix(`${folder}/s`));
      sw.forkDaemon(() => runServer(listener, pool(), { onError: (error) => sw.fail(error) }));
      await Switch.run(async (sw) => {
        const client = await net.connect(sw, listener.address);
        assertEquals(await readText(client, 11), " undefined\n");
        assertEquals(await talk(client, "hello"), "hello");
      });
    })
  ));

test("poolHandler() in tlsHandler() knows the protocol, and upgrade() returns the TLS connection", async () => {
  const protocols = ["echo/1"];
  const errors = await serving(
    tlsHandler({ ...serverOptions, protocols }, pool()),
    async (connect, sw) => {
      const flow = await tlsClient(sw, await connect(), { ...clientOptions, protocols });
      await visit(flow, "127.0.0.1 echo/1\n");
      await flow.close();
    },
  );
  assertEquals(errors, []);
});

test("poolHandler() in perPeer(), timeLimits() and proxyProtocol(), in every order", async () => {
  const clock = mockClock();
  const limits = { idle: 5000, lifetime: 60_000 };
  const trusted = { trusted: ["127.0.0.1"] };
  const stacks: ConnectionHandler[] = [
    proxyProtocol(clock, trusted, perPeer<Connection>(1, timeLimits(clock, limits, pool()))),
    timeLimits(clock, limits, proxyProtocol<Connection>(clock, trusted, perPeer(1, pool()))),
    perPeer(1, proxyProtocol<Connection>(clock, trusted, timeLimits(clock, limits, pool()))),
  ];
  for (const handler of stacks) {
    const errors = await serving(handler, async (connect) => {
      const flow = await connect();
      await copyString("PROXY TCP4 192.0.2.1 192.0.2.9 50000 443\r\n", flow);
      await visit(flow, "192.0.2.1 undefined\n");
    });
    assertEquals(errors, []);
  }
});

test("poolHandler() in everything, with TLS: what is sent with the header and the handshake is not lost", async () => {
  const clock = mockClock();
  const inner = tlsHandler(serverOptions, timeLimits(clock, { idle: 5000 }, pool()));
  const handler = proxyProtocol<Connection>(clock, { trusted: ["127.0.0.1"] }, perPeer<Connection>(5, inner));
  const errors = await serving(handler, async (connect, sw) => {
    const socket = await connect();
    await copyString("PROXY TCP4 192.0.2.7 192.0.2.9 50000 443\r\n", socket);
    const flow = await tlsClient(sw, socket, clientOptions);
    await visit(flow, "192.0.2.7 undefined\n");
    await flow.close();
  });
  assertEquals(errors, []);
});

test("poolHandler() switches from a plain protocol to TLS by upgrade()", async () => {
  const secure = tlsHandler(serverOptions, pool());
  const handler: ConnectionHandler = (connection, peer, scope) =>
    poolHandler<undefined>({
      async received(c, bytes) {
        assertEquals(textOf(bytes), "STARTTLS\n");
        await c.write("go\n");
        await secure(c.upgrade(), peer, scope);
        return finish();
      },
    }, { state: none })(connection, peer, scope);
  const errors = await serving(handler, async (connect, sw) => {
    const socket = await connect();
    await copyString("STARTTLS\n", socket);
    assertEquals(await readText(socket, 3), "go\n");
    const flow = await tlsClient(sw, socket, clientOptions);
    await visit(flow, "127.0.0.1 undefined\n");
    await flow.close();
  });
  assertEquals(errors, []);
});

test("poolHandler() over a pair of sockets that is called alone, and takes stopping from its scope", async () => {
  const events: string[] = [];
  const [client, server] = socketPair();
  await Switch.run(async (sw) => {
    const stop = new AbortController();
    const handler = poolHandler(recorder(events, { stopping: () => (events.push("stopping"), finish()) }), {
      state: none,
      clock: mockClock(),
    });
    const served = sw.forkPromise(async () => await handler(server, server.peer, { sw, stopping: stop.signal }));
    await copyString("hello", client);
    while (events.length < 2) await Promise.resolve();
    stop.abort();
    await served;
    await server.close();
  });
  client.abort();
  assertEquals(events, ["connected", "received hello", "stopping", "closed"]);
});

test("poolHandler() told to stop before it starts calls connected, and then stopping", async () => {
  const events: string[] = [];
  const [client, server] = socketPair();
  await Switch.run(async (sw) => {
    const handler = poolHandler(recorder(events, { stopping: () => (events.push("stopping"), finish()) }), {
      state: none,
      clock: mockClock(),
    });
    await handler(server, server.peer, { sw, stopping: AbortSignal.abort() });
    await server.close();
  });
  client.abort();
  assertEquals(events, ["connected", "stopping", "closed"]);
});

test("poolHandler() in a slow, lossy simulation: bytes, messages and timeouts, for several seeds", async () => {
  for (const seed of [1, 2, 3]) {
    await simulate({ seed, link: { latency: 40, jitter: 30, loss: 0.05 } }, async (sim) => {
      const server = sim.host("server");
      const client = sim.host("client");
      const events: string[] = [];
      const stop = new AbortController();
      const echo: PoolHandler<number> = {
        async received(c, bytes, count) {
          await c.write(bytes);
          return proceed({ state: count + bytes.length });
        },
        timedOut(_, count) {
          events.push(`timedOut ${count}`);
          return finish();
        },
        closed: (_, count) => events.push(`closed ${count}`),
      };
      const first: PoolHandler<number> = {
        connected: async (c) => switchTo(echo, (await c.readExact(3)).length),
        received: () => proceed(),
      };
      const serving = server.fork(() =>
        Switch.run(async (sw) => {
          const listener = await server.net.listen(sw, tcp("0.0.0.0", 80));
          await runServer(listener, poolHandler(first, { state: () => 0, receiveTimeout: 10_000 }), {
            onError: (error) => events.push(String(error)),
            stop: stop.signal,
          });
        })
      );
      await client.fork(() =>
        Switch.run(async (sw) => {
          await client.clock.sleep(10);
          const flow = await client.net.connect(sw, { transport: "tcp", ip: server.ip, port: 80 });
          await copyString("abc", flow);
          for (let i = 0; i < 5; i++) assertEquals(await talk(flow, "hello"), "hello");
          assertEquals((await readAll(flow)).length, 0);
        })
      );
      stop.abort();
      await serving;
      assertEquals(events, ["timedOut 28", "closed 28"]);
    });
  }
});

test("poolHandler() fails when a partition swallows a peer that takes nothing", async () => {
  await simulate({ seed: 9 }, async (sim) => {
    const server = sim.host("server");
    const client = sim.host("client");
    const events: string[] = [];
    const serving = server.fork(() =>
      Switch.run(async (sw) => {
        const listener = await server.net.listen(sw, tcp("0.0.0.0", 80));
        const flood = poolHandler<undefined>({
          async connected(c) {
            for (;;) await c.write(new Uint8Array(10_000));
          },
          received: () => proceed(),
          failed: (_, error) => events.push(`failed ${(error as NetError).code}`),
          closed: () => events.push("closed"),
        }, { state: none, sendTimeout: 5000 });
        sw.forkDaemon(() => runServer(listener, flood, { onError: (error) => events.push((error as NetError).code) }));
        await server.clock.sleep(60_000);
      })
    );
    await client.fork(() =>
      Switch.run(async (sw) => {
        await client.clock.sleep(10);
        const flow = await client.net.connect(sw, { transport: "tcp", ip: server.ip, port: 80 });
        await readText(flow, 50_000);
        sim.partition(client, server);
        await client.clock.sleep(40_000);
        flow.abort();
      })
    );
    await serving;
    assertEquals(events, ["failed connection_timeout", "closed", "connection_timeout"]);
  });
});

test("poolHandler() over a foreign connection, whose reads ignore their scope", async () => {
  const [, { peer, local }] = socketPair();
  let arrive = (_: number | null): void => {};
  const foreign: Connection = {
    peer,
    local,
    read: (buffer) =>
      new Promise((resolve) => {
        arrive = (count) => resolve((buffer[0] = 65, count));
      }),
    write: (bytes) => Promise.resolve(bytes.length),
    shutdown: () => Promise.resolve(),
    close: () => Promise.resolve(arrive(null)),
    abort: () => arrive(null),
    [Symbol.asyncDispose]: () => foreign.close(),
  };
  const clock = mockClock();
  const events: string[] = [];
  const connections: PoolConnection[] = [];
  await Switch.run(async (sw) => {
    const own: Partial<PoolHandler<undefined>> = {
      timedOut(c) {
        events.push("timedOut");
        upgraded = c.upgrade();
        return finish();
      },
    };
    let upgraded: Connection | undefined;
    const handler = poolHandler(recorder(events, own, connections), { state: none, clock });
    const served = outcomeOf(async () => await handler(foreign, peer, { sw, stopping: new AbortController().signal }));
    await pass(clock, 0);
    connections[0].post("one");
    await pass(clock, 0);
    arrive(1);
    await pass(clock, 0);
    connections[0].post("two");
    await pass(clock, 59_999);
    assertEquals(events, ["connected", "posted one", "received A", "posted two"]);
    await pass(clock, 1);
    assertEquals(await served, undefined);
    assertEquals(events.slice(4), ["timedOut", "closed"]);
    const buffer = new Uint8Array(2);
    const reading = upgraded?.read(buffer);
    await pass(clock, 0);
    arrive(1); // of the read that the pool had begun
    assertEquals([await reading, buffer[0]], [1, 65]);
    await foreign.close();
  });
});

test("poolHandler() in memory, where several servers share one handler", async () => {
  const net = memoryNet({ clock: mockClock() });
  const handler = pool();
  await Switch.run(async (sw) => {
    for (const port of [80, 81]) {
      const listener = await net.listen(sw, tcp("127.0.0.1", port));
      sw.forkDaemon(() => runServer(listener, handler, { onError: (error) => sw.fail(error) }));
      await visit(await net.connect(sw, listener.address), "127.0.0.1 undefined\n");
    }
  });
});
