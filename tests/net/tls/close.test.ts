// Copyright 2026 the Sluice authors. MIT license.

/** The end of a TLS connection: by close(), by abort(), or with its switch. */
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  all,
  Cancelled,
  ClosedError,
  copyString,
  pipe,
  readAll,
  type StreamSocket,
  Switch,
  type TwoWay,
  writeAll,
  yieldNow,
} from "../../../mod.ts";
import { closeWithin } from "../../../net/_closing.ts";
import { mockClock, socketPair } from "../../../net/testing/mod.ts";
import { tlsClient, type TlsConnection, TlsError, tlsServer } from "../../../net/tls/mod.ts";
import { textOf, turn } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { bare, withSockets } from "../_helpers.ts";
import { clientOptions, secured, securedPipe, serverOptions } from "./_helpers.ts";

/** Reports whether a promise has settled after some turns. */
async function settles(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  for (let i = 0; i < 20; i++) await turn();
  return settled;
}

/** Sends for as long as the peer accepts it, and until `over`. */
async function talk(flow: TwoWay, over: () => boolean): Promise<void> {
  while (!over()) {
    await copyString("still here", flow);
    await yieldNow();
  }
}

test("close() of a TLS connection waits for the peer's end, and drops what it sends meanwhile", () =>
  Switch.run(async (sw) => {
    const clock = mockClock(); // it does not advance
    const [client, server] = await securedPipe(sw, { clock });
    await copyString("hello", client);
    const closing = client.close();
    await writeAll(server, new Uint8Array(200_000));
    assertEquals(await settles(closing), false);
    assertEquals(textOf(await readAll(server)), "hello");
    await server.close();
    await closing;
  }));

test("close() of a TLS connection waits for at most linger in all", () =>
  Switch.run(async (sw) => {
    const clock = mockClock();
    const [client] = await securedPipe(sw, { clock, linger: 300 });
    await copyString("hello", client);
    const closing = client.close();
    assertEquals(await settles(closing), false);
    const start = clock.now();
    clock.advance();
    await closing;
    assertEquals(clock.now() - start, 300);
  }));

test("close() of a TLS connection does not wait where the other side has ended", () =>
  Switch.run(async (sw) => {
    const clock = mockClock();
    const [client, server] = await securedPipe(sw, { clock }, { clock });
    await copyString("hello", client);
    await client.shutdown("send");
    await readAll(server);
    await server.close();
    await client.close();
  }));

test("close() of a TLS connection does not wait for the peer's end where no write took anything", () =>
  Switch.run(async (sw) => {
    const [client] = await securedPipe(sw, { clock: mockClock() });
    await client.close();
  }));

test("close() of a TLS connection does not wait if its switch was cancelled", async () => {
  let tls: TlsConnection | undefined;
  const reason = new Error("Cannot go on");
  await assertRejects(
    () =>
      Switch.run(async (sw) => {
        [tls] = await securedPipe(sw, { clock: mockClock() });
        await copyString("hello", tls);
        sw.fail(reason);
        await tls.close();
      }),
    Error,
    "Cannot go on",
  );
});

test("close() of a TLS connection that waits stops waiting when its switch is cancelled", async () => {
  const reason = new Error("Cannot go on");
  await assertRejects(
    () =>
      Switch.run(async (sw) => {
        const [client] = await securedPipe(sw, { clock: mockClock() });
        await copyString("hello", client);
        const closing = client.close();
        assertEquals(await settles(closing), false);
        sw.fail(reason);
        await closing;
      }),
    Error,
    "Cannot go on",
  );
});

test("close() of a TLS connection passes the rest of its time limit to the flow", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const clock = mockClock();
    const given: number[] = [];
    const flow = {
      ...bare(a),
      close: () => a.close(),
      [Symbol.asyncDispose]: () => a.close(),
      [closeWithin]: (ms: number) => {
        given.push(ms);
        return a.close();
      },
    };
    const [client] = await secured(sw, [flow, b], { clock, linger: 300 });
    await copyString("hello", client);
    const closing = client.close();
    await settles(closing);
    clock.advance();
    await closing;
    assertEquals(given, [0]);
  }));

test("close() of TLS over TLS lingers once", () =>
  Switch.run(async (sw) => {
    const clock = mockClock();
    const options = { clock, linger: 300 };
    const [client] = await secured(sw, await secured(sw, pipe(), options, options), options, options);
    await copyString("hello", client);
    const closing = client.close();
    await settles(closing);
    clock.advance();
    await closing;
    assertEquals(clock.now(), 300);
  }));

test("close() of TLS over sockets lingers once", () =>
  withSockets(async ({ client, server }, sw) => {
    const clock = mockClock();
    const [tls] = await secured(sw, [client, server], { clock, linger: 300 });
    await copyString("hello", tls);
    const start = performance.now();
    const closing = tls.close();
    await settles(closing);
    clock.advance();
    await closing;
    assert(performance.now() - start < 900, "the socket has lingered too");
  }));

test("close() of a TLS connection ends a bare flow, first its sending direction and then all", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const ended: string[] = [];
    const flow: TwoWay = {
      ...bare(a),
      shutdown: (how) => {
        ended.push(how);
        return a.shutdown(how);
      },
    };
    const [client, server] = await secured(sw, [flow, b]);
    await copyString("hello", client);
    await all([() => client.close(), () => readAll(server).then(() => server.close())]);
    assertEquals(ended, ["send", "all"]);
  }));

test("close() of a TLS connection does not wait longer than linger for a flow whose shutdown never ends", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const clock = mockClock();
    const flow: TwoWay = { ...bare(a), shutdown: () => new Promise(() => {}) };
    const [client] = await secured(sw, [flow, b], { clock, linger: 300 });
    await copyString("hello", client);
    const closing = client.close();
    await settles(closing);
    clock.advance();
    while (!await settles(closing)) clock.advance();
    assertEquals(clock.now(), 300);
  }));

const size = 300_000;

/**
 * One side sends and closes at once. The other sends, reads to the end, and returns the number of
 * bytes.
 */
async function exchange(sender: Promise<TlsConnection>, receiver: Promise<TlsConnection>): Promise<number> {
  let over = false;
  const [, got] = await all([
    async () => {
      const tls = await sender;
      await writeAll(tls, new Uint8Array(size));
      await tls.close();
    },
    async () => {
      const tls = await receiver;
      const [all] = await Promise.all([readAll(tls).finally(() => over = true), talk(tls, () => over)]);
      await tls.close();
      return all.length;
    },
  ]);
  return got;
}

const stacks: Record<string, (pair: readonly [TwoWay, TwoWay]) => readonly [TwoWay, TwoWay]> = {
  "the flow itself": (pair) => pair,
  "a bare flow": ([a, b]) => [bare(a), bare(b)],
};

for (const [what, over] of Object.entries(stacks)) {
  for (const sending of ["client", "server"]) {
    const run = (sw: Switch, pair: readonly [TwoWay, TwoWay]) => {
      const [a, b] = over(pair);
      const client = tlsClient(sw, a, clientOptions);
      const server = tlsServer(sw, b, serverOptions);
      return sending === "client" ? exchange(client, server) : exchange(server, client);
    };

    test(`close() of the ${sending} loses nothing although the peer keeps sending: sockets, ${what}`, () =>
      withSockets(async ({ client, server }, sw) => {
        assertEquals(await run(sw, [client, server]), size);
      }));

    test(`close() of the ${sending} loses nothing although the peer keeps sending: a pipe, ${what}`, () =>
      Switch.run(async (sw) => {
        assertEquals(await run(sw, pipe({ capacity: 5000 })), size);
      }));
  }
}

test("close() right after the handshake does not fail that of the server", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const [, server] = await all([
      async () => (await tlsClient(sw, a, clientOptions)).close(),
      () => tlsServer(sw, b, serverOptions),
    ]);
    assertEquals(await server.read(new Uint8Array(1)), null);
  }));

test("two ends of one TLS connection in one switch do not wait for each other", async () => {
  const clock = mockClock();
  await Switch.run(async (sw) => {
    const [client, server] = await securedPipe(sw, { clock }, { clock });
    await copyString("hello", client);
    await copyString("hello", server);
  });
  assertEquals(clock.now(), 0);
});

test("a TLS connection whose switch has ended says so", async () => {
  const client = await Switch.run(async (sw) => (await securedPipe(sw))[0]);
  for (const operation of [() => client.read(new Uint8Array(1)), () => client.write(new Uint8Array(1))]) {
    const error = await assertRejects(operation, ClosedError);
    assert(error.message.endsWith("its switch has ended"), error.message);
  }
});

test("a read of a TLS connection that waits when its switch ends says so", async () => {
  let reading: Promise<ClosedError> | undefined;
  await Switch.run(async (outer) => {
    const [a, b] = pipe();
    await Switch.run(async (sw) => {
      const [client] = await all([
        () => tlsClient(sw, a, clientOptions),
        () => tlsServer(outer, b, serverOptions),
      ]);
      reading = outer.forkPromise(() => assertRejects(() => client.read(new Uint8Array(1)), ClosedError));
    });
    assert((await reading)?.message.endsWith("its switch has ended"), String(reading));
  });
});

/** Wraps an in-memory socket, and records the reasons of aborts. */
function watched(socket: StreamSocket): { flow: StreamSocket; reasons: unknown[] } {
  const reasons: unknown[] = [];
  const flow = {
    ...bare(socket),
    local: socket.local,
    peer: socket.peer,
    close: () => socket.close(),
    abort: (reason?: unknown) => {
      reasons.push(reason);
      socket.abort();
    },
  } as StreamSocket;
  return { flow, reasons };
}

test("abort() of a TLS connection rejects what waits with its reason, and aborts the flow with it", () =>
  Switch.run(async (sw) => {
    const [a, b] = socketPair();
    const { flow, reasons } = watched(a);
    const [client] = await secured(sw, [flow, b]);
    const reason = new Error("Cannot trust it any more");
    const reading = assertRejects(() => client.read(new Uint8Array(1)), ClosedError);
    client.abort(reason);
    assertStrictEquals((await reading).cause, reason);
    const later = await assertRejects(() => client.write(new Uint8Array(1)), ClosedError);
    assertStrictEquals(later.cause, reason);
    assertStrictEquals(reasons[0], reason);
  }));

test("abort() of a TLS connection without a reason has no cause", () =>
  Switch.run(async (sw) => {
    const [client] = await securedPipe(sw);
    client.abort();
    const error = await assertRejects(() => client.read(new Uint8Array(1)), ClosedError);
    assertEquals("cause" in error, false);
  }));

test("abort() of a TLS connection ends a close() that waits", () =>
  Switch.run(async (sw) => {
    const [client] = await securedPipe(sw, { clock: mockClock() });
    await copyString("hello", client);
    const closing = client.close();
    assertEquals(await settles(closing), false);
    client.abort();
    await closing;
    await client.close();
  }));

for (const what of ["tlsClient", "tlsServer"] as const) {
  const start = (sw: Switch, flow: TwoWay) =>
    what === "tlsClient" ? tlsClient(sw, flow, clientOptions) : tlsServer(sw, flow, serverOptions);

  test(`${what}() that is not awaited is not an unhandled rejection when its switch ends`, async () => {
    const [flow] = pipe();
    await Switch.run((sw) => void start(sw, flow));
    await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
  });

  test(`${what}() that is not awaited is not an unhandled rejection when only its owner ends`, () =>
    Switch.run(async (outer) => {
      const [flow] = pipe();
      await Switch.run(async (sw) => {
        outer.fork(() => void start(sw, flow));
        await turn();
      });
      await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
    }));

  test(`${what}() that is not awaited is not an unhandled rejection when it is cancelled`, async () => {
    const [flow] = pipe();
    await assertRejects(
      () =>
        Switch.run(async (sw) => {
          start(sw, flow);
          await turn();
          sw.fail(new Error("Cannot go on"));
        }),
      Error,
      "Cannot go on",
    );
  });
}

test("reads, writes and closes of a TLS connection that are not awaited are not unhandled rejections", () =>
  Switch.run(async (sw) => {
    for (const end of [(tls: TlsConnection) => tls.abort(new Error("why")), (tls: TlsConnection) => void tls.close()]) {
      const [client] = await securedPipe(sw, {}, {});
      client.read(new Uint8Array(1));
      client.write(new Uint8Array(100_000));
      end(client);
      client.read(new Uint8Array(1));
      client.write(new Uint8Array(1));
      client.shutdown("all");
      client.close();
    }
  }));

test("operations of a TLS connection in a cancelled switch are not unhandled rejections", async () => {
  const error = await assertRejects(() =>
    Switch.run(async (sw) => {
      const [client] = await securedPipe(sw);
      client.read(new Uint8Array(1));
      sw.fail(new Cancelled("enough"));
      client.read(new Uint8Array(1));
      client.close();
    })
  );
  assert(error instanceof Cancelled);
});

// Found by tests/sim/tls.test.ts, seed 3. Bun answers a close_notify at once, and refuses later writes.
test("close() of a TLS connection whose write has failed does not look like its end to the peer", () =>
  Switch.run(async (sw) => {
    const [client, server] = await securedPipe(sw);
    await copyString("a request", client);
    await client.shutdown("send");
    assertEquals(textOf(await readAll(server)), "a request");
    for (let i = 0; i < 5; i++) await turn();
    const answered = await copyString("an answer", server).then(() => true, () => false);
    await all([
      () => server.close(),
      async () => {
        if (answered) assertEquals(textOf(await readAll(client)), "an answer");
        else assertEquals((await assertRejects(() => readAll(client), TlsError)).code, "truncated");
      },
    ]);
  }));

test("close() of a TLS connection that has read the peer's end, and has nothing to say, ends it", () =>
  Switch.run(async (sw) => {
    const [client, server] = await securedPipe(sw);
    await client.shutdown("send");
    assertEquals(textOf(await readAll(server)), "");
    for (let i = 0; i < 5; i++) await turn();
    await all([() => server.close(), async () => assertEquals(textOf(await readAll(client)), "")]);
  }));
