// Copyright 2026 the Sluice authors. MIT license.

/** Every duration that the library accepts: a runtime's timer fires at once if it is too long. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Duplex, PassThrough } from "node:stream";
import { all, awaitCancel, first, hostAddress, interruptible, pipe, retry, run, runServer } from "../mod.ts";
import { type Clock, Switch, tcp, TimeoutError, withTcpConnect, withTimeout, yieldNow } from "../mod.ts";
import { fromDuplex, toDuplex } from "../flow/node/mod.ts";
import { memoryNet, mockClock } from "../net/testing/mod.ts";
import { tlsClient, tlsServer } from "../net/tls/mod.ts";
import { test } from "./_test.ts";
import { clientOptions, serverOptions } from "./net/tls/_helpers.ts";

const longTimes = [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 5, 1e15, Number.MAX_SAFE_INTEGER, Infinity];
const noTimes = [NaN, -1, -Infinity];

/** Reports whether `fn` still runs when a timer of 3 ms, set after its start, has fired. */
function outlastsTimers(fn: (clock: Clock) => unknown): Promise<boolean> {
  return run(({ clock }) =>
    first(async () => {
      await fn(clock);
      return false;
    }, async () => {
      await clock.sleep(3);
      return true;
    })
  );
}

for (const ms of longTimes) {
  test(`sleep() and sleepUntil() wait for ${ms} ms`, async () => {
    assert(await outlastsTimers((clock) => clock.sleep(ms)));
    assert(await outlastsTimers((clock) => clock.sleepUntil(clock.now() + ms)));
  });

  test(`withTimeout() lets its function run for ${ms} ms`, async () => {
    assert(await outlastsTimers((clock) => withTimeout(clock, ms, awaitCancel)));
  });

  test(`retry() waits for ${ms} ms`, async () => {
    const fail = () => {
      throw new Error("Cannot work");
    };
    assert(await outlastsTimers((clock) => retry(clock, { delay: ms, maxDelay: ms, attempts: 2 }, fail)));
    assert(await outlastsTimers((clock) => retry(clock, { delay: ms, attempts: 2, jitter: 0.5 }, fail)));
  });

  test(`connect(), withTcpConnect(), listen() and runServer() accept ${ms} ms`, async () => {
    await run(async ({ net }) => {
      await Switch.run(async (sw) => {
        const listener = await net.listen(sw, tcp("127.0.0.1", 0), { linger: ms });
        const stop = new AbortController();
        const serve = () =>
          runServer(listener, (flow) => flow.read(new Uint8Array(1)), { onError() {}, stop: stop.signal, grace: ms });
        const use = async () => {
          const flow = await net.connect(sw, listener.address, { timeout: ms, linger: ms });
          const { port } = listener.address;
          await withTcpConnect(net, { host: "127.0.0.1", service: String(port), timeout: ms }, () => {});
          stop.abort();
          await net.clock.sleep(3); // the handler still runs
          await flow.close();
        };
        await all([serve, use]);
      });
    });
  });

  test(`tlsClient() and tlsServer() accept ${ms} ms`, () =>
    Switch.run(async (sw) => {
      const [a, b] = pipe();
      const times = { handshakeTimeout: ms, linger: ms };
      const [client, server] = await all([
        () => tlsClient(sw, a, { ...clientOptions, ...times }),
        () => tlsServer(sw, b, { ...serverOptions, ...times }),
      ]);
      await all([() => client.close(), () => server.close()]);
    }));

  test(`close() of fromDuplex() waits for the other side for ${ms} ms`, async () => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const flow = fromDuplex(stream, { linger: ms });
    await flow.write(Uint8Array.of(1));
    const closing = flow.close();
    assert(await outlastsTimers(() => interruptible(closing)));
    stream.push(null);
    await closing;
  });

  test(`setTimeout() of toDuplex() ${Number.isFinite(ms) ? `does not ring before ${ms} ms` : "refuses Infinity"}`, () =>
    Switch.run(async () => {
      const [flow] = pipe();
      const duplex = toDuplex(flow);
      let rang = false;
      if (Number.isFinite(ms)) {
        duplex.setTimeout(ms, () => rang = true);
        assert(await outlastsTimers(awaitCancel));
      } else {
        assertThrows(() => duplex.setTimeout(ms), RangeError);
      }
      assertEquals(rang, false);
      duplex.setTimeout(0);
      duplex.destroy();
    }));

  test(`mockClock() wakes nothing before ${ms} ms`, () =>
    Switch.run(async (sw) => {
      const clock = mockClock();
      let woken = false;
      sw.forkDaemon(async () => {
        await clock.sleep(ms);
        woken = true;
      });
      clock.setTime(2 ** 31 - 2);
      await yieldNow();
      assertEquals(woken, false);
    }));
}

for (const ms of noTimes) {
  test(`sleep(), sleepUntil() and withTimeout() count ${ms} ms as 0`, () =>
    run(async ({ clock }) => {
      await clock.sleep(ms);
      await clock.sleepUntil(ms);
      await mockClock().sleep(ms);
      await assertRejects(() => withTimeout(clock, ms, awaitCancel), TimeoutError);
    }));

  test(`retry(), Net, runServer(), TLS and the bridges refuse ${ms} ms`, () =>
    Switch.run(async (sw) => {
      const net = memoryNet({ clock: mockClock() });
      const listener = await net.listen(sw, tcp("127.0.0.1", 1));
      const refused = (fn: () => unknown) => assertRejects(async () => void await fn(), RangeError);
      await refused(() => retry(net.clock, { delay: ms }, () => {}));
      await refused(() => retry(net.clock, { delay: 1, maxDelay: ms }, () => {}));
      await refused(() => net.connect(sw, listener.address, { timeout: ms }));
      await refused(() => net.connect(sw, hostAddress("a", 1), { timeout: ms }));
      await refused(() => net.connect(sw, listener.address, { linger: ms }));
      await refused(() => net.listen(sw, tcp("127.0.0.1", 2), { linger: ms }));
      await refused(() => withTcpConnect(net, { host: "127.0.0.1", service: "1", timeout: ms }, () => {}));
      await refused(() => runServer(listener, () => {}, { onError() {}, grace: ms }));
      await refused(() => tlsClient(sw, pipe()[0], { ...clientOptions, handshakeTimeout: ms }));
      await refused(() => tlsServer(sw, pipe()[0], { ...serverOptions, linger: ms }));
      await refused(() => fromDuplex(new PassThrough(), { linger: ms }));
      const duplex = toDuplex(pipe()[0]);
      await refused(() => duplex.setTimeout(ms));
      duplex.destroy();
    }));
}
