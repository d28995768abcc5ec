// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import { BusyError, copyString, EndOfFlow } from "../../../mod.ts";
import { finish, type PoolConnection, type PoolHandler, proceed } from "../../../net/pool/mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { none, pooling, recorder } from "./_pools.ts";

/** Serves one client that sends `text` and ends, and returns what the handler was told and the errors. */
async function reading(
  text: string,
  own: Partial<PoolHandler<undefined>>,
  options: { maxBuffer?: number } = {},
): Promise<{ readonly events: string[]; readonly errors: unknown[] }> {
  const events: string[] = [];
  const ended = { ended: () => (events.push("ended"), finish()) };
  const errors = await pooling(
    recorder(events, { ...ended, ...own }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await copyString(text, client);
      await client.shutdown("send");
      await pass(0);
    },
    options,
  );
  return { events, errors };
}

test("PoolConnection.readExact() reads a head, and received gets the rest", async () => {
  const { events, errors } = await reading("\x03abcdef", {
    async connected(c) {
      const [size] = await c.readExact(1);
      assertEquals(textOf(await c.readExact(size)), "abc");
      return proceed();
    },
  });
  assertEquals([events, errors], [["received def", "ended", "closed"], []]);
});

test("PoolConnection.peek() consumes nothing, and returns a copy", async () => {
  const { events, errors } = await reading("hello", {
    async connected(c) {
      const head = await c.peek(2);
      assertEquals(textOf(head), "he");
      head.fill(0);
      assertEquals(textOf(await c.peek(3)), "hel");
      assertEquals((await c.peek(0)).length, 0);
      return proceed();
    },
  });
  assertEquals([events, errors], [["received hello", "ended", "closed"], []]);
});

test("PoolConnection.receive() returns what has arrived, at most its limit, and null at the end", async () => {
  const got: (string | null)[] = [];
  const { events, errors } = await reading("hello", {
    async connected(c) {
      got.push(textOf(await c.receive(2) ?? new Uint8Array()));
      got.push(textOf(await c.receive() ?? new Uint8Array()));
      for (let i = 0; i < 2; i++) assertEquals(await c.receive(), null);
      return proceed();
    },
  });
  assertEquals([got, events, errors], [["he", "llo"], ["ended", "closed"], []]);
});

test("PoolConnection.readExact() and peek() fail with EndOfFlow, and the rest stays", async () => {
  const { events, errors } = await reading("abc", {
    async connected(c) {
      await assertRejects(() => c.readExact(4), EndOfFlow);
      await assertRejects(() => c.peek(4), EndOfFlow);
      return proceed();
    },
  });
  assertEquals([events, errors], [["received abc", "ended", "closed"], []]);
});

test("an early end that a callback does not catch fails the connection", async () => {
  const { events, errors } = await reading("abc", {
    async connected(c) {
      await c.readExact(4);
      return proceed();
    },
  });
  assertEquals(events.map((event) => event.split(" ")[0]), ["failed", "closed"]);
  assertEquals(errors.map((error) => (error as Error).name), ["EndOfFlow"]);
});

test("PoolConnection.readExact() and peek() fail with RangeError over maxBuffer", async () => {
  const { errors } = await reading("abcd", {
    async connected(c) {
      await assertRejects(() => c.readExact(5), RangeError, "Cannot read as size must be from 0 to 4");
      await assertRejects(() => c.peek(5), RangeError, "Cannot peek as size must be from 0 to 4");
      await assertRejects(() => c.readExact(-1), RangeError);
      await assertRejects(() => c.peek(0.5), RangeError);
      await assertRejects(() => c.receive(0), RangeError);
      assertEquals(textOf(await c.readExact(4)), "abcd");
      return proceed();
    },
  }, { maxBuffer: 4 });
  assertEquals(errors, []);
});

test("maxBuffer is 64 KiB by default", async () => {
  const { errors } = await reading("x".repeat(65_536), {
    async connected(c) {
      await assertRejects(() => c.peek(65_537), RangeError);
      assertEquals((await c.peek(65_536)).length, 65_536);
      return proceed();
    },
    received: () => proceed(),
  });
  assertEquals(errors, []);
});

test("received gets at most maxBuffer bytes at once", async () => {
  const { events, errors } = await reading("abcdefg", {}, { maxBuffer: 3 });
  assertEquals(errors, []);
  const received = events.filter((event) => event.startsWith("received ")).map((event) => event.slice(9));
  assertEquals(received.join(""), "abcdefg");
  assertEquals(received.every((text) => text.length <= 3), true);
});

test("a read that a callback did not await fails the connection, and is not overtaken", async () => {
  const events: string[] = [];
  let c!: PoolConnection;
  let read: Promise<unknown> | undefined;
  const errors = await pooling(
    recorder(events, {
      connected(connection) {
        c = connection;
        read = c.receive();
        read.catch(() => {});
        return proceed();
      },
    }),
    none,
    async ({ connect, pass }) => {
      await connect();
      await pass(0);
      await read?.catch(() => {});
    },
  );
  assertEquals(errors.map((error) => error instanceof BusyError), [true]);
  assertEquals(events.length, 2);
});

test("ended can still write", async () => {
  const events: string[] = [];
  await pooling(
    recorder(events, {
      async ended(c) {
        await c.write("goodbye");
        return finish();
      },
    }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await client.shutdown("send");
      await pass(0);
      const answer = new Uint8Array(10);
      assertEquals(textOf(answer.subarray(0, await client.read(answer) ?? 0)), "goodbye");
    },
  );
});

test("ended is called once, and a connection that goes on still gets messages and timeouts", async () => {
  const events: string[] = [];
  const connections: PoolConnection[] = [];
  await pooling(recorder(events, {}, connections), none, async ({ connect, pass }) => {
    const client = await connect();
    await client.shutdown("send");
    await pass(0);
    connections[0].post("x");
    await pass(0);
    await pass(1000);
    assertEquals(events, ["connected", "ended", "posted x", "timedOut"]);
  }, { receiveTimeout: 1000 });
});
