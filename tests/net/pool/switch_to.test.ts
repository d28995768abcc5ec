// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import { copyString, readAll, runServer, Switch } from "../../../mod.ts";
import {
  finish,
  type Next,
  type PoolConnection,
  type PoolHandler,
  poolHandler,
  proceed,
  switchTo,
} from "../../../net/pool/mod.ts";
import { bytesOf, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, withNet } from "../_helpers.ts";
import { none, pooling, readText, recorder, talk } from "./_pools.ts";

test("switchTo() calls connected of the new handler with its state, and never closed of the old one", async () => {
  const events: string[] = [];
  const second: PoolHandler<{ name: string }> = {
    connected: (_, { name }) => (events.push(`hello ${name}`), proceed()),
    received: (_, bytes, { name }) => (events.push(`${name} ${textOf(bytes)}`), proceed()),
    closed: (_, { name }) => events.push(`closed ${name}`),
  };
  await pooling(
    recorder(events, { received: (_, bytes) => switchTo(second, { name: textOf(bytes) }) }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await copyString("Ada", client);
      await pass(0);
      await copyString("more", client);
      await client.shutdown("send");
      await pass(0);
    },
  );
  assertEquals(events, ["connected", "hello Ada", "Ada more", "closed Ada"]);
});

test("switchTo() keeps unread bytes, through a chain of handlers", async () => {
  const events: string[] = [];
  const step = (left: number): PoolHandler<undefined> =>
    recorder(events, {
      async connected(c) {
        events.push(textOf(await c.readExact(1)));
        return left === 0 ? proceed() : switchTo(step(left - 1), undefined);
      },
    });
  const errors = await pooling(step(3), none, async ({ connect, pass }) => {
    await copyString("abcdefg", await connect());
    await pass(0);
    assertEquals(events, ["a", "b", "c", "d", "received efg"]);
  });
  assertEquals([errors, events.at(-1)], [[], "closed"]);
});

const callbacks: Record<
  string,
  (
    pool: { pass(ms: number): Promise<void>; stop: AbortController },
    c: () => PoolConnection,
    client: { abort(): void; shutdown(how: "send"): Promise<void> } & Parameters<typeof copyString>[1],
  ) => Promise<unknown>
> = {
  received: (_, __, client) => copyString("x", client),
  posted: (_, c) => Promise.resolve(c().post("x")),
  timedOut: ({ pass }) => pass(60_000),
  ended: (_, __, client) => client.shutdown("send"),
  stopping: ({ stop }) => Promise.resolve(stop.abort()),
};

for (const [name, cause] of Object.entries(callbacks)) {
  test(`${name} can proceed with a state, finish, and switch to another handler`, async () => {
    for (const answer of ["proceed", "finish", "switchTo"]) {
      const events: string[] = [];
      const stop = new AbortController();
      let c!: PoolConnection;
      const next: PoolHandler<string> = {
        connected: (_, state) => (events.push(`new ${state}`), proceed()),
        received: () => proceed(),
        stopping: () => proceed(),
        ended: () => proceed(),
        closed: () => events.push("closed new"),
      };
      const answers: Record<string, () => Next> = {
        proceed: () => proceed({ state: "changed" }),
        finish,
        switchTo: () => switchTo(next, "state"),
      };
      const handler: PoolHandler<string> = {
        connected: (connection) => (c = connection, proceed()),
        received: () => proceed(),
        [name]: () => (events.push(name), answers[answer]()),
        closed: (_, state) => events.push(`closed ${state}`),
      };
      await pooling(handler, () => "initial", async ({ connect, pass }) => {
        const client = await connect();
        await pass(0);
        await cause({ pass, stop }, () => c, client);
        await pass(0);
        client.abort();
        await pass(0);
      }, { stop: stop.signal });
      const expected = {
        proceed: [name, "closed changed"],
        finish: [name, "closed initial"],
        switchTo: [name, "new state", "closed new"],
      };
      assertEquals(events, expected[answer as keyof typeof expected]);
    }
  });
}

test("a new handler is told of the peer's end, and of the stop, that the old one was told of", async () => {
  const events: string[] = [];
  const second = recorder(events, { stopping: () => (events.push("stopping"), finish()) });
  const stop = new AbortController();
  await pooling(
    recorder(events, {
      ended: () => (events.push("ended"), proceed()),
      stopping: () => (events.push("stopping"), switchTo(second, undefined)),
    }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await client.shutdown("send");
      await pass(0);
      stop.abort();
      await pass(0);
    },
    { stop: stop.signal },
  );
  assertEquals(events, ["connected", "ended", "stopping", "connected", "stopping", "closed"]);
});

test("a new handler is told of the peer's end again", async () => {
  const events: string[] = [];
  const second = recorder(events, { ended: () => (events.push("second ended"), finish()) });
  await pooling(recorder(events, { ended: () => switchTo(second, undefined) }), none, async ({ connect, pass }) => {
    await (await connect()).shutdown("send");
    await pass(0);
  });
  assertEquals(events, ["connected", "connected", "second ended", "closed"]);
});

test("a handler of first bytes switches to HTTP or to an echo", async () => {
  const http: PoolHandler<undefined> = {
    async received(c) {
      await c.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi");
      return finish();
    },
  };
  const echo: PoolHandler<undefined> = {
    async received(c, bytes) {
      await c.write(bytes);
      return proceed();
    },
  };
  const sniff: PoolHandler<undefined> = {
    async connected(c) {
      return switchTo(textOf(await c.peek(4)) === "GET " ? http : echo, undefined);
    },
    received: () => proceed(),
  };
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    sw.forkDaemon(() =>
      runServer(listener, poolHandler(sniff, { state: none }), { onError: (error) => sw.fail(error) })
    );
    await Switch.run(async (sw) => {
      const browser = await net.connect(sw, listener.address);
      await copyString("GET / HTTP/1.1\r\n\r\n", browser);
      assertEquals(textOf(await readAll(browser)).slice(0, 15), "HTTP/1.1 200 OK");
      const other = await net.connect(sw, listener.address);
      assertEquals(await talk(other, "hello"), "hello");
    });
  });
});

test("PoolConnection.upgrade() hands the connection over, with what was buffered first", async () => {
  const events: string[] = [];
  let c!: PoolConnection;
  const errors = await pooling(
    recorder(events, {
      connected: (connection) => (c = connection, proceed()),
      async posted() {
        await c.peek(3);
        const connection = c.upgrade();
        const buffer = new Uint8Array(10);
        events.push(textOf(buffer.subarray(0, await connection.read(buffer) ?? 0)));
        await connection.write(bytesOf("raw"));
        return proceed();
      },
    }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await pass(0);
      c.post("upgrade");
      await pass(0);
      await copyString("abc", client);
      assertEquals(await readText(client, 3), "raw");
      assertEquals((await readAll(client)).length, 0);
      await pass(0);
    },
  );
  assertEquals([events, errors], [["abc", "closed"], []]);
});

test("after PoolConnection.upgrade() there are no events, no posts, and no other operations", async () => {
  const events: string[] = [];
  const stop = new AbortController();
  const errors = await pooling(
    recorder(events, {
      async connected(c) {
        const connection = c.upgrade();
        assertEquals(c.post("x"), false);
        await assertRejects(() => c.write("x"), TypeError, "Cannot write: the connection was upgraded");
        await assertRejects(() => c.receive(), TypeError, "upgraded");
        await assertRejects(() => c.readExact(1), TypeError, "upgraded");
        await assertRejects(() => c.peek(1), TypeError, "upgraded");
        try {
          c.upgrade();
        } catch (error) {
          events.push(String(error));
        }
        await readAll(connection);
        return undefined as never; // ignored
      },
    }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await pass(100_000); // no timeout
      stop.abort();
      await copyString("x", client);
      await pass(0);
      await client.shutdown("send");
      await pass(0);
    },
    { stop: stop.signal },
  );
  assertEquals([events, errors], [["TypeError: Cannot upgrade: the connection was upgraded", "closed"], []]);
});

test("an upgraded connection whose callback throws fails", async () => {
  const events: string[] = [];
  const errors = await pooling(
    recorder(events, {
      connected(c) {
        c.upgrade();
        throw new Error("no");
      },
    }),
    none,
    async ({ connect }) => void await readAll(await connect()),
  );
  assertEquals([events, errors.map(String)], [["failed no", "closed"], ["Error: no"]]);
});
