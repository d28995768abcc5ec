// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Cancelled, ClosedError, copy, copyString, forEachFiber, hostAddress, type Net, Switch } from "../../../mod.ts";
import { type ListenOptions, NetError, tcp, unix, yieldNow } from "../../../mod.ts";
import { createConnector, custom, type Endpoint, serveEndpoint, tls, unknown } from "../../../net/endpoint/mod.ts";
import { restrict } from "../../../net/confine/mod.ts";
import { memoryNet, mockClock } from "../../../net/testing/mod.ts";
import type { TlsConnection, TlsError } from "../../../net/tls/mod.ts";
import { outcomeOf, readText, withFolder } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, assertNetError, finishedSwitch, rethrow, signal, withNet } from "../_helpers.ts";
import { authority, serverOptions } from "../tls/_helpers.ts";
import { echoing, exchange, startServer } from "./_helpers.ts";

const web = tcp("127.0.0.1", 7000);

test("serveEndpoint() serves real TCP and Unix sockets, and TLS and TLS in TLS over them", () =>
  withFolder((folder) =>
    withNet(async (_, net) => {
      const connector = createConnector({ net, tls: { authorities: authority } });
      for (const place of [anyPort, unix(join(folder, "socket"))]) {
        for (const around of [[], ["localhost"], ["localhost", "127.0.0.1"]]) {
          await Switch.run(async (sw) => {
            const wrap = (inner: Endpoint) => around.reduce((over, name) => tls(name, over), inner);
            const address = await startServer(sw, net, wrap(place));
            const connection = await connector.connect(sw, wrap(address));
            assertEquals(await exchange(connection, "hello"), "hello");
          });
        }
      }
      assertEquals(existsSync(join(folder, "socket")), false);
    })
  ));

test("1024 connections are served by a server of at most 5 at once", () =>
  withNet(async (sw, net) => {
    let active = 0;
    let most = 0;
    const full = signal();
    const listening = signal<Endpoint>();
    const stop = new AbortController();
    sw.fork(() =>
      serveEndpoint(sw, { net, listening: listening.resolve }, anyPort, async (connection) => {
        most = Math.max(most, ++active);
        if (active === 5) full.resolve();
        await full.promise;
        await copy(connection, connection);
        active--;
      }, { onError: rethrow, maxConnections: 5, stop: stop.signal })
    );
    const connector = createConnector({ net });
    const endpoint = await listening.promise;
    await forEachFiber(Array.from({ length: 1024 }, (_, i) => `${i}`), (text) =>
      Switch.run(async (sw) => assertEquals(await exchange(await connector.connect(sw, endpoint), text), text)), {
      maxFibers: 50,
    });
    assertEquals(most, 5);
    stop.abort();
  }));

test("serveEndpoint() negotiates the protocols of the endpoint instead of those of the options", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    const own = { tls: { ...serverOptions, protocols: ["own"] } };
    const tellProtocol = (connection: unknown) =>
      copyString(`${(connection as TlsConnection).protocol}`, connection as TlsConnection);
    await startServer(sw, net, tls("x", web, ["given"]), tellProtocol, own);
    await startServer(sw, net, tls("x", unix("/x")), tellProtocol, own);
    const connector = createConnector({ net, tls: { authorities: authority } });
    const ask = async (over: Endpoint) =>
      await readText(await connector.connect(sw, tls("localhost", over, ["own", "given"])));
    assertEquals(await ask(web), "given");
    assertEquals(await ask(unix("/x")), "own");
  });
});

test("serveEndpoint() settles as its stop promise, and has closed the listener then", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    const stop = signal<string>();
    const listening = signal<unknown>();
    const serving = serveEndpoint(sw, { net, listening: listening.resolve }, web, echoing, {
      onError: rethrow,
      stop: stop.promise,
    });
    assertEquals(await listening.promise, web);
    stop.resolve("stopped");
    assertEquals(await serving, "stopped");
    assertEquals(sw.dump(), "switch");
    await assertNetError(() => createConnector({ net }).connect(sw, web), "connection_refused");
  });
});

test("serveEndpoint() closes the listener where it is cancelled, or listening throws", async () => {
  const net = memoryNet();
  const problem = new Error("Cannot announce it");
  await Switch.run(async (sw) => {
    for (const listening of [() => Promise.reject(problem), () => sw.check() ?? new Promise(() => {})]) {
      const failed = await outcomeOf(() =>
        Switch.run(async (inner) => {
          inner.fork(async () => {
            await yieldNow();
            inner.fail(problem);
          });
          await serveEndpoint(sw, { net, listening }, web, echoing, { onError: rethrow });
        })
      );
      assertStrictEquals(failed, problem);
      assertEquals(sw.dump(), "switch");
    }
  });
});

test("serveEndpoint() ends with the switch of the listener", async () => {
  await Switch.run(async (outer) => {
    const listening = signal<unknown>();
    let serving: Promise<unknown> = Promise.resolve();
    await Switch.run(async (sw) => {
      const options = { net: memoryNet(), listening: listening.resolve };
      serving = outer.forkPromise(() => serveEndpoint(sw, options, web, echoing, { onError: rethrow }));
      await listening.promise;
    });
    await assertRejects(() => serving, ClosedError);
  });
});

test("serveEndpoint() passes the options of the listener on, and reports to onError", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    let seen: ListenOptions | undefined;
    const watched: Net = {
      ...net,
      clock: net.clock,
      listen: (sw, address, options) => (seen = options, net.listen(sw, address, options)),
    };
    const reported = signal<unknown>();
    const listening = signal<unknown>();
    const problem = new Error("Cannot serve");
    sw.forkDaemon(() =>
      serveEndpoint(sw, { net: watched, backlog: 7, linger: 5, listening: listening.resolve }, web, () => {
        throw problem;
      }, { onError: reported.resolve })
    );
    await listening.promise;
    assertEquals(seen, { backlog: 7, linger: 5 });
    await createConnector({ net }).connect(sw, web);
    assertStrictEquals(await reported.promise, problem);
  });
});

test("serveEndpoint() checks every argument before it listens", async () => {
  const net: Net = { ...memoryNet(), listen: () => Promise.reject(new Error("Cannot be asked")) };
  const server = { onError: rethrow };
  const options = { net, tls: serverOptions };
  await Switch.run(async (sw) => {
    const serve = (...args: unknown[]) => (serveEndpoint as (...args: unknown[]) => Promise<unknown>)(...args);
    const refused: [() => Promise<unknown>, ErrorConstructor, string][] = [
      [() => serve(1, options, web, echoing, server), TypeError, "sw must be a Switch"],
      [() => serve(sw, undefined, web, echoing, server), TypeError, "net must be a Net"],
      [() => serve(sw, { net: {} }, web, echoing, server), TypeError, "net must be a Net"],
      [() => serve(sw, { net, listening: 1 }, web, echoing, server), TypeError, "listening must be a function"],
      [() => serve(sw, { net }, tls("x", web), echoing, server), TypeError, "the option tls"],
      [() => serve(sw, { net, tls: 1 }, web, echoing, server), TypeError, "options must be an object"],
      [() => serve(sw, { net, tls: {} }, tls("x", web), echoing, server), TypeError, "chain must be PEM"],
      [() => serve(sw, options, "tcp:127.0.0.1:1", echoing, server), TypeError, "as it must be an object"],
      [() => serve(sw, options, unix(""), echoing, server), TypeError, "it is empty"],
      [() => serve(sw, options, web, 1, server), TypeError, "handler must be a function"],
      [() => serve(sw, options, web, echoing, undefined), TypeError, "onError must be a function"],
      [() => serve(sw, options, web, echoing, {}), TypeError, "onError must be a function"],
      [() => serve(sw, options, web, echoing, { ...server, grace: -1 }), RangeError, "grace"],
      [() => serve(sw, options, web, echoing, { ...server, stop: 1 }), TypeError, "stop must be"],
      [() => serve(sw, options, web, echoing, { ...server, maxConnections: 0 }), RangeError, "maxConnections"],
    ];
    for (const [call, type, message] of refused) await assertRejects(call, type, message);
    const unserved: [Endpoint, string, string][] = [
      [unknown("no such service"), "address_lookup_failed", "no such service"],
      [tls("x", unknown("why")), "address_lookup_failed", "why"],
      [hostAddress("a.test", 1), "not_supported", "host:a.test:1"],
      [custom("vchan", "secret"), "not_supported", "custom:vchan"],
    ];
    for (const [endpoint, code, part] of unserved) {
      const error = await assertRejects(() => serve(sw, options, endpoint, echoing, server), NetError, part);
      assertEquals(error.code, code);
      assert(!error.message.includes("secret"));
    }
  });
  const ended = await finishedSwitch();
  await assertRejects(() => serveEndpoint(ended, options, web, echoing, server), TypeError, "the switch is finished");
});

test("serveEndpoint() times handshakes by the clock of its network", async () => {
  await Switch.run(async (sw) => {
    const clock = mockClock();
    const net = memoryNet({ clock });
    const listening = signal<unknown>();
    const reported = signal<unknown>();
    const options = { net, tls: serverOptions, listening: listening.resolve };
    sw.forkDaemon(() => serveEndpoint(sw, options, tls("x", web), echoing, { onError: reported.resolve }));
    await listening.promise;
    await net.connect(sw, web);
    while (!clock.tryAdvance()) await yieldNow();
    assertEquals((await reported.promise as TlsError).code, "handshake_timeout");
  });
});

test("serveEndpoint() handles the rejection of its stop promise before it serves", async () => {
  await Switch.run(async (sw) => {
    const problem = new Error("Cannot go on");
    const serving = serveEndpoint(sw, { net: memoryNet(), listening: () => yieldNow() }, web, echoing, {
      onError: rethrow,
      stop: Promise.reject(problem),
    });
    assertStrictEquals(await outcomeOf(() => serving), problem);
  });
});

test("serveEndpoint() listens where its network grants it", async () => {
  await Switch.run(async (sw) => {
    const net = restrict(memoryNet(), { listen: ["127.0.0.1:8000"] });
    const serve = (endpoint: Endpoint) => serveEndpoint(sw, { net }, endpoint, echoing, { onError: rethrow });
    await assertNetError(() => serve(web), "permission_denied");
    await assertRejects(() => Switch.run((sw) => (sw.fail(new Cancelled()), serve(tcp("127.0.0.1", 8000)))), Cancelled);
  });
});
