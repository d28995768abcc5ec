// Copyright 2026 the Sluice authors. MIT license.

/** The connections of a `fetch`: how many there are, and what becomes of each. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { all, type Clock, formatAddress, type Net, NetError, Switch } from "../../../../mod.ts";
import { createFetch, type FetchOptions } from "../../../../net/http/mod.ts";
import { memoryNet } from "../../../../net/testing/mod.ts";
import { wrapNet } from "../../../../net/wrap/mod.ts";
import { outcomeOf, turns, until } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { finishedSwitch, signal } from "../../_helpers.ts";
import { type Answer, type Peer, reply, withSite } from "./_site.ts";

const url = "http://a.test/";
const ok: Answer = () => reply("ok");

test("fetch() uses a connection again whose body was read", () =>
  withSite(ok, async (site) => {
    for (let i = 0; i < 3; i++) assertEquals(await (await site.fetch(url)).text(), "ok");
    assertEquals(site.connections, 1);
  }));

test("fetch() uses a connection again whose body has arrived, though no one reads it", () =>
  withSite(ok, async (site) => {
    for (let i = 0; i < 3; i++) await site.fetch(url);
    assertEquals(site.connections, 1);
  }));

test("fetch() opens another connection while a body is unfinished", () => {
  const rest = signal();
  return withSite(async ({ target }, { send }) => {
    if (target !== "/slow") return reply("ok");
    await send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\na");
    await rest.promise;
    return "b";
  }, async (site) => {
    const slow = await site.fetch(`${url}slow`);
    await site.fetch(url);
    assertEquals(site.connections, 2);
    rest.resolve();
    assertEquals(await slow.text(), "ab");
    await all([() => site.fetch(url), () => site.fetch(url)]);
    assertEquals(site.connections, 2);
  });
});

test("fetch() does not use a connection again whose body was cancelled", () =>
  withSite(() => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na", async (site) => {
    const response = await site.fetch(url);
    await response.body!.cancel();
    await until(() => site.ended === 1);
    await site.fetch(url);
    assertEquals(site.connections, 2);
  }));

test("fetch() does not use a connection again after connection: close", () =>
  withSite(() => reply("ok", "connection: close\r\n"), async (site) => {
    await (await site.fetch(url)).text();
    await (await site.fetch(url)).text();
    assertEquals(site.connections, 2);
  }));

test("fetch() does not use a connection again after bytes that answer nothing", () =>
  withSite(() => `${reply("ok")}HTTP/1.1 200 OK\r\n`, async (site) => {
    await (await site.fetch(url)).text();
    await (await site.fetch(url)).text();
    assertEquals(site.connections, 2);
  }));

test("fetch() shares connections between hosts with and without a trailing dot", () =>
  withSite(ok, async (site) => {
    await site.fetch(url);
    await site.fetch("http://a.test./");
    assertEquals([site.connections, site.requests.length], [1, 2]);
  }));

test("fetch() looks a host up without its trailing dot", () =>
  withSite(ok, async (site) => {
    const targets: string[] = [];
    const net = wrapNet(site.net, {
      connect(next, target) {
        targets.push(formatAddress(target));
        return next();
      },
    });
    const fetch = createFetch(site.sw, net);
    assertEquals(await (await fetch("http://a.test./")).text(), "ok");
    assertEquals((await fetch("http://a.test./")).url, "http://a.test./");
    await fetch("http://127.0.0.1./");
    assertEquals(targets, ["host:a.test:80", "tcp:127.0.0.1:80"]);
  }));

test("fetch() shares no connection between origins, or between two functions", () =>
  withSite(ok, async (site) => {
    await site.fetch(url);
    await site.fetch("http://b.test/");
    await createFetch(site.sw, site.net)(url);
    assertEquals(site.connections, 3);
  }));

test("fetch() opens at most maxConnectionsPerOrigin, and serves the others in order", () => {
  const waiting: (() => void)[] = [];
  const slow: Answer = async ({ target }) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return reply(target);
  };
  return withSite(slow, async (site) => {
    const done: string[] = [];
    const get = async (path: string) => void done.push(await (await site.fetch(url + path)).text());
    const other = site.sw.forkPromise(() => site.fetch("http://b.test/"));
    const paths = ["1", "2", "3", "4", "5"];
    const gets = paths.map((path) => site.sw.forkPromise(() => get(path)));
    await until(() => waiting.length === 3);
    await turns(5);
    assertEquals([site.connections, site.requests.length], [3, 3]);
    while (done.length < 5) {
      waiting.shift()?.();
      await turns(1);
    }
    await Promise.all([...gets, other]);
    assertEquals(done, paths.map((path) => `/${path}`));
    assertEquals(site.connections, 3);
  }, { maxConnectionsPerOrigin: 2 });
});

test("a fetch that is cancelled while it waits leaves the queue", () => {
  const first = signal();
  return withSite(async ({ target }) => {
    if (target === "/1") await first.promise;
    return reply(target);
  }, async (site) => {
    const one = site.sw.forkPromise(() => site.fetch(`${url}1`));
    await until(() => site.requests.length === 1);
    const aborter = new AbortController();
    const two = outcomeOf(() => site.fetch(`${url}2`, { signal: aborter.signal }));
    const three = site.fetch(`${url}3`);
    aborter.abort("enough");
    assertEquals(await two, "enough");
    first.resolve();
    await one;
    assertEquals(await (await three).text(), "/3");
    assertEquals(site.requests.map(({ target }) => target), ["/1", "/3"]);
  }, { maxConnectionsPerOrigin: 1 });
});

test("fetch() closes an idle connection after idleTimeout", () =>
  withSite(ok, async (site) => {
    await site.fetch(url);
    site.clock.setTime(999);
    await turns(3);
    assertEquals(site.ended, 0);
    site.clock.setTime(1000);
    await until(() => site.ended === 1);
    await site.fetch(url);
    assertEquals(site.connections, 2);
  }, { idleTimeout: 1000 }));

test("idleTimeout begins anew with each use", () =>
  withSite(ok, async (site) => {
    await site.fetch(url);
    site.clock.setTime(900);
    await site.fetch(url);
    site.clock.setTime(1800);
    await turns(3);
    await site.fetch(url);
    assertEquals(site.connections, 1);
    site.clock.setTime(2800);
    await until(() => site.ended === 1);
  }, { idleTimeout: 1000 }));

test("fetch() keeps no connection with idleTimeout: 0", () =>
  withSite(ok, async (site) => {
    await site.fetch(url);
    await until(() => site.ended === 1);
    await site.fetch(url);
    assertEquals(site.connections, 2);
  }, { idleTimeout: 0 }));

/** Answers with a `keep-alive` header. */
const keeping = (value: string, name = "Keep-Alive"): Answer => () => reply("ok", `${name}: ${value}\r\n`);

test("fetch() uses a connection until 1 s before the server may close it", () =>
  withSite(keeping("timeout=3"), async (site) => {
    await site.fetch(url);
    site.clock.setTime(1999);
    await site.fetch(url);
    assertEquals(site.connections, 1);
    site.clock.setTime(3999); // 2 s after the second response
    await site.fetch(url);
    assertEquals(site.connections, 2);
    await until(() => site.ended === 1);
  }));

for (const value of ["timeout=1", "max=5, timeout=0", "TIMEOUT=1 ,max=5"]) {
  test(`fetch() does not use a connection again after keep-alive: ${value}`, () =>
    withSite(keeping(value, "keep-alive"), async (site) => {
      await site.fetch(url);
      await until(() => site.ended === 1);
      await site.fetch(url);
      assertEquals(site.connections, 2);
    }));
}

for (const value of ["timeout=60", "max=1", "timeout=-1", "timeout=", "timeout=1x", "xtimeout=1", "timeout=1e0", ""]) {
  test(`fetch() keeps a connection for idleTimeout after keep-alive: ${value || "nothing"}`, () =>
    withSite(keeping(value), async (site) => {
      await site.fetch(url);
      site.clock.setTime(4999);
      await site.fetch(url);
      assertEquals(site.connections, 1);
      site.clock.setTime(9999);
      await until(() => site.ended === 1);
    }));
}

test("fetch() does not use a connection whose idleTimeout is over, though it is still open", () =>
  withSite(ok, async (site) => {
    const never = () => new Promise<void>(() => {}); // so that it is never closed
    const clock: Clock = { now: () => site.clock.now(), sleep: never, sleepUntil: never };
    const fetch = createFetch(site.sw, { ...site.net, clock });
    await fetch(url);
    site.clock.setTime(5000);
    await fetch(url);
    assertEquals(site.connections, 2);
  }));

/** Serves one request on each connection, and closes it when the next one has come. */
function closing(before: string, log: string[]) {
  return async ({ socket, send }: Peer, connection: number) => {
    const buffer = new Uint8Array(4096);
    for (let count = 0;; count++) {
      const size = await socket.read(buffer);
      if (size === null) return;
      log.push(`${connection}:${new TextDecoder().decode(buffer.subarray(0, size)).split(" ", 1)[0]}`);
      if (connection === 1 && count === 1) {
        await send(before);
        return void socket.abort();
      }
      await send(reply(`from ${connection}`));
    }
  };
}

for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]) {
  test(`fetch() repeats ${method} on a new connection, after a kept one turned out to be closed`, () => {
    const log: string[] = [];
    return withSite(ok, async ({ fetch }) => {
      await fetch(url, { method: "OPTIONS" });
      const response = await fetch(url, { method });
      assertEquals(response.status, 200);
      assertEquals(log, ["1:OPTIONS", `1:${method}`, `2:${method}`]);
      await response.body?.cancel();
    }, { serve: closing("", log) });
  });
}

const once: [name: string, init: () => unknown, before: string][] = [
  ["POST", () => ({ method: "POST", body: "x" }), ""],
  ["PATCH", () => ({ method: "PATCH", body: "x" }), ""],
  ["a PUT of a stream", () => ({ method: "PUT", body: new Blob(["x"]).stream(), duplex: "half" }), ""],
  ["GET after a part of the response", () => ({}), "HTTP/1.1 2"],
];
for (const [name, init, before] of once) {
  test(`fetch() does not repeat ${name}`, () => {
    const log: string[] = [];
    return withSite(ok, async ({ fetch }) => {
      await fetch(url);
      const error = await assertRejects(() => fetch(url, init() as RequestInit), TypeError);
      assertEquals((error.cause as NetError).code, "connection_reset");
      assert(log.every((entry) => entry.startsWith("1:")));
    }, { serve: closing(before, log) });
  });
}

test("fetch() repeats a request only once", () =>
  withSite(ok, async (site) => {
    await site.fetch(url);
    await assertRejects(() => site.fetch(url), TypeError);
    assertEquals(site.connections, 2);
  }, {
    serve: async ({ socket, send }, connection) => {
      const buffer = new Uint8Array(4096);
      await socket.read(buffer);
      if (connection === 1) await send(reply());
      if (connection === 1) await socket.read(buffer);
      socket.abort();
    },
  }));

test("fetch() does not repeat a request on a fresh connection", () =>
  withSite(ok, async (site) => {
    await assertRejects(() => site.fetch(url), TypeError);
    assertEquals(site.connections, 1);
  }, { serve: ({ socket }) => Promise.resolve(socket.abort()) }));

test("fetch() opens a new connection after the server has closed an idle one", () => {
  const close = signal();
  return withSite(ok, async (site) => {
    await site.fetch(url);
    close.resolve();
    await until(() => site.ended === 1);
    await turns(3);
    assertEquals((await site.fetch(url, { method: "POST" })).status, 200);
    assertEquals(site.connections, 2);
  }, {
    serve: async ({ socket, send }, connection) => {
      await socket.read(new Uint8Array(4096));
      await send(reply());
      if (connection === 1) await close.promise;
      await socket.close();
    },
  });
});

/** A network that allows `most` connections at a time. */
function limited(net: Net, most: number): Net {
  let open = 0;
  const connect: Net["connect"] = async (sw, target, options) => {
    if (open >= most) throw new NetError("quota_exceeded", { operation: "connect" });
    open++;
    const socket = await net.connect(sw, target, options);
    const { abort, close } = socket;
    let held = true;
    const free = () => {
      if (held) open--;
      held = false;
    };
    return new Proxy(socket, {
      get(_, key) {
        if (key === "abort") return (reason: unknown) => (free(), abort.call(socket, reason));
        if (key === "close") return () => (free(), close.call(socket));
        const value = Reflect.get(socket, key, socket);
        return typeof value === "function" ? value.bind(socket) : value;
      },
    });
  };
  return { ...net, connect, clock: net.clock, features: net.features } as Net;
}

test("fetch() closes idle connections when a quota refuses another", () =>
  withSite(ok, async (site) => {
    await site.fetch(url);
    await site.fetch("http://b.test/");
    assertEquals(site.connections, 2);
    await until(() => site.ended === 1);
  }, { wrap: (net) => limited(net, 1) }));

test("fetch() rejects with quota_exceeded when no connection is idle", () =>
  withSite(() => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na", async ({ fetch }) => {
    const response = await fetch(url);
    const error = await assertRejects(() => fetch("http://b.test/"), TypeError);
    assertInstanceOf(error.cause, NetError);
    assertEquals(error.cause.code, "quota_exceeded");
    await response.body!.cancel();
  }, { wrap: (net) => limited(net, 1) }));

test("a failed connect gives its place back", () =>
  withSite(ok, async ({ fetch }) => {
    for (let i = 0; i < 3; i++) {
      const error = await assertRejects(() => fetch("http://a.test:1/"), TypeError);
      assertEquals((error.cause as NetError).code, "connection_refused");
    }
  }, { maxConnectionsPerOrigin: 1 }));

test("the end of the switch closes the connections", async () => {
  let ended = () => 0;
  await withSite(ok, async (site) => {
    await Switch.run(async (sw) => {
      const fetch = createFetch(sw, site.net);
      await fetch(url);
      await fetch("http://b.test/");
    });
    ended = () => site.ended;
    await until(() => site.ended === 2);
  });
  assertEquals(ended(), 2);
});

test("the end of the switch errors a body, and refuses later calls", () =>
  withSite(() => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\na", async (site) => {
    const [fetch, response] = await Switch.run(async (sw) => {
      const fetch = createFetch(sw, site.net);
      return [fetch, await fetch(url)] as const;
    });
    await assertRejects(() => response.text(), TypeError);
    await assertRejects(() => fetch(url), TypeError, "finished");
  }));

test("createFetch() checks its arguments", async () => {
  await Switch.run((sw) => {
    const net = memoryNet();
    assertThrows(() => createFetch({} as Switch, net), TypeError, "Switch");
    assertThrows(() => createFetch(sw, {} as Net), TypeError, "Net");
    assertThrows(() => createFetch(sw, net, 1 as FetchOptions), TypeError, "options");
    assertThrows(() => createFetch(sw, net, { tls: 1 as FetchOptions["tls"] }), TypeError);
    const shapeless = [null, [], new Map([["maxRedirects", 0]]), Promise.resolve({ maxRedirects: 0 })];
    for (const options of shapeless) {
      assertThrows(() => createFetch(sw, net, options as FetchOptions), TypeError, "options must be an object");
      assertThrows(() => createFetch(sw, net, { tls: options as FetchOptions["tls"] }), TypeError, "tls must be");
    }
    const misspelt: [options: unknown, message: string][] = [
      [{ maxRedirect: 0 }, 'options has an unknown field: current value is "maxRedirect"'],
      [Object.create({ timeout: 1 }), '"timeout"'],
      [{ tls: { rejectUnauthorized: false } }, 'tls has an unknown field: current value is "rejectUnauthorized"'],
      [{ tls: { serverName: "a.test" } }, '"serverName"'],
      [{ tls: { protocols: ["h2"] } }, '"protocols"'],
    ];
    for (const [options, message] of misspelt) {
      assertThrows(() => createFetch(sw, net, options as FetchOptions), TypeError, message);
    }
    createFetch(sw, net, Object.freeze(Object.assign(Object.create(null), { tls: Object.create({ linger: 5 }) })));
    const numbers: (keyof FetchOptions)[] = [
      "maxConnectionsPerOrigin",
      "idleTimeout",
      "connectTimeout",
      "headersTimeout",
      "bodyTimeout",
      "maxHeaderSize",
      "maxRedirects",
    ];
    for (const name of numbers) {
      for (const value of [-1, NaN]) assertThrows(() => createFetch(sw, net, { [name]: value }), RangeError, name);
      createFetch(sw, net, { [name]: Infinity });
      createFetch(sw, net, { [name]: undefined });
    }
    for (const name of ["maxConnectionsPerOrigin", "maxHeaderSize"]) {
      assertThrows(() => createFetch(sw, net, { [name]: 0 }), RangeError, name);
      assertThrows(() => createFetch(sw, net, { [name]: 1.5 }), RangeError, name);
    }
  });
  const finished = await finishedSwitch();
  assertThrows(() => createFetch(finished, memoryNet()), TypeError, "finished");
});
