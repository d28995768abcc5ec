// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  BusyError,
  bytesSource,
  cancellableSource,
  chunks,
  copyString,
  fromIterable,
  fromReadableStream,
  pipe,
  readAll,
  type Source,
  stringSource,
  toReadableStream,
} from "../../flow/mod.ts";
import { lend, type LendingSource } from "../../flow/provider.ts";
import { pattern } from "../../net/testing/_random.ts";
import { Cancelled, checkCancelled, Switch, yieldNow } from "../../switch/mod.ts";
import { bytesOf, inCancelledScope, readText, turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { cancelling, foreignSource, type Step } from "./_helpers.ts";

/** Every kind of source over "foobar", in two pieces if it has pieces. */
const foobars: Record<string, () => LendingSource> = {
  stringSource: () => stringSource("foobar"),
  bytesSource: () => bytesSource(bytesOf("foo"), bytesOf("bar")),
  "fromIterable of an array": () => fromIterable([bytesOf("foo"), bytesOf("bar")]),
  "fromIterable of an async generator": () => fromIterable(stepsOf("foo", "bar")),
  cancellableSource: () => cancellableSource(foreignSource("foo", "bar")),
  fromReadableStream: () => fromReadableStream(streamOf("foo", "bar")),
  "fromReadableStream of a byte stream": () => fromReadableStream(toReadableStream(foreignSource("foo", "bar"))),
};

function streamOf(...texts: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      const text = texts.shift();
      if (text === undefined) controller.close();
      else controller.enqueue(bytesOf(text));
    },
  });
}

async function* stepsOf(...steps: Step[]): AsyncGenerator<Uint8Array> {
  for (const step of steps) {
    const piece = await step;
    if (piece instanceof Error) throw piece;
    if (piece !== null) yield typeof piece === "string" ? bytesOf(piece) : piece;
  }
}

for (const [name, make] of Object.entries(foobars)) {
  test(`${name}: read() returns every byte, and then the end, to every later read`, async () => {
    const source = make();
    assertEquals(await readText(source), "foobar");
    for (let i = 0; i < 3; i++) assertEquals(await source.read(new Uint8Array(1)), null);
  });

  test(`${name}: read() returns no more than the buffer holds`, async () => {
    const source = make();
    const buffer = new Uint8Array(2);
    assertEquals([await source.read(buffer), buffer], [2, bytesOf("fo")]);
    assertEquals(await readText(source), "obar");
  });

  test(`${name}: read() into an empty buffer is a RangeError and takes nothing`, async () => {
    const source = make();
    await assertRejects(() => source.read(new Uint8Array(0)), RangeError);
    assertEquals(await readText(source), "foobar");
  });

  test(`${name}: read() is refused in a cancelled scope and takes nothing`, async () => {
    const source = make();
    await inCancelledScope(async () => {
      await assertRejects(() => source.read(new Uint8Array(1)), Cancelled);
      await assertRejects(() => source[lend](() => 1), Cancelled);
    });
    assertEquals(await readText(source), "foobar");
  });

  test(`${name}: [lend]() keeps what is not taken`, async () => {
    const source = make();
    const lent = name === "stringSource" ? 6 : 3;
    assertEquals(await source[lend]((bytes) => bytes.length - 1), lent - 1);
    assertEquals(await source[lend](() => 0), 0);
    assertEquals(await readText(source), "foobar".slice(lent - 1));
  });

  test(`${name}: [lend]() is a read until its borrower has settled`, async () => {
    const source = make();
    await source[lend](async () => {
      await assertRejects(() => source.read(new Uint8Array(1)), BusyError);
      return 0;
    });
    assertEquals(await readText(source), "foobar");
  });

  test(`${name}: the source cannot be changed`, () => {
    assert(Object.isFrozen(make()));
  });
}

test("stringSource() gives UTF-8", async () => {
  assertEquals(await readAll(stringSource("€")), Uint8Array.of(0xe2, 0x82, 0xac));
});

test("stringSource() refuses what is not a string", () => {
  assertThrows(() => stringSource(7 as unknown as string), TypeError, "Cannot make a source of 7");
});

test("stringSource() lends memory that may be kept", async () => {
  await stringSource("a")[lend]((_, keep) => (assert(keep), 1));
});

test("bytesSource() lends the caller's own memory, for no longer than the loan", async () => {
  const bytes = bytesOf("abc");
  await bytesSource(bytes)[lend]((lent, keep) => {
    assertStrictEquals(lent.buffer, bytes.buffer);
    assertFalse(keep);
    return 1;
  });
});

test("bytesSource() never lends an empty piece", async () => {
  const source = bytesSource(new Uint8Array(0), new Uint8Array(0), bytesOf("a"), new Uint8Array(0));
  await source[lend]((bytes) => (assertEquals(bytes.length, 1), 1));
  assertEquals(await source[lend](() => 0), null);
});

test("bytesSource() of nothing has ended", async () => {
  assertEquals(await bytesSource().read(new Uint8Array(1)), null);
});

test("bytesSource() refuses what is not a Uint8Array", () => {
  assertThrows(
    () => bytesSource(bytesOf("a"), "b" as unknown as Uint8Array),
    TypeError,
    "Cannot use a string as bytes",
  );
});

test("fromIterable() skips empty pieces", async () => {
  assertEquals(await readText(fromIterable(["", "a", "", "", "b"].map(bytesOf))), "ab");
});

test("fromIterable() asks for nothing before it is read, and for nothing ahead", async () => {
  let asked = 0;
  const source = fromIterable((function* () {
    while (true) yield Uint8Array.of(asked++, 0);
  })());
  assertEquals(asked, 0);
  await source.read(new Uint8Array(1));
  await source.read(new Uint8Array(1));
  assertEquals(asked, 1);
});

test("fromIterable() that is cancelled leaves the piece to the next reader", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const source = fromIterable(stepsOf(promise, "bar"));
  await cancelling(() => source.read(new Uint8Array(1)));
  await cancelling(() => source.read(new Uint8Array(1)));
  resolve("foo");
  assertEquals(await readText(source), "foobar");
});

test("fromIterable() keeps a piece that comes when no read waits", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const source = fromIterable(stepsOf(promise));
  await cancelling(() => source.read(new Uint8Array(1)));
  resolve("foo");
  await yieldNow();
  assertEquals(await readText(source), "foo");
});

test("fromIterable() runs the iterable in the scope in which it was made", async () => {
  const source = fromIterable((async function* () {
    for (let i = 0; i < 3; i++) {
      await yieldNow();
      checkCancelled();
      yield Uint8Array.of(65 + i);
    }
  })());
  await cancelling(() => source.read(new Uint8Array(1)));
  await cancelling(() => source.read(new Uint8Array(1)), yieldNow).catch(() => {});
  await Switch.run(async () => assertEquals((await readText(source)).slice(-2), "BC"));
});

test("fromIterable() made in a scope that was cancelled throws in it, and never ends cleanly", async () => {
  let source!: LendingSource;
  await cancelling(async () => {
    source = fromIterable((async function* () {
      await yieldNow();
      yield Uint8Array.of(1);
    })());
    await source.read(new Uint8Array(1));
  });
  for (let i = 0; i < 2; i++) await assertRejects(() => source.read(new Uint8Array(1)), Cancelled);
});

test("fromIterable() throws the iterable's error at every later read", async () => {
  const error = new Error("Cannot go on");
  const failing = function* () {
    yield bytesOf("a");
    throw error;
  };
  for (const source of [fromIterable(stepsOf("a", error)), fromIterable(failing())]) {
    assertEquals(await source.read(new Uint8Array(9)), 1);
    for (let i = 0; i < 3; i++) assertStrictEquals(await assertRejects(() => source.read(new Uint8Array(9))), error);
  }
});

test("fromIterable() keeps an error that comes when no read waits", async () => {
  const { promise, reject } = Promise.withResolvers<string>();
  const source = fromIterable(stepsOf(promise));
  await cancelling(() => source.read(new Uint8Array(1)));
  reject(new Error("Cannot go on"));
  await yieldNow();
  await assertRejects(() => source.read(new Uint8Array(1)), Error, "Cannot go on");
});

test("fromIterable() fails at a piece that is not a Uint8Array, and stays failed", async () => {
  const source = fromIterable(["text", bytesOf("a")] as unknown as Uint8Array[]);
  for (let i = 0; i < 2; i++) {
    await assertRejects(() => source.read(new Uint8Array(1)), TypeError, "Cannot use a string as bytes");
  }
});

test("fromIterable() refuses what cannot be iterated over", () => {
  for (const bad of [null, undefined, 7, {}] as unknown as Uint8Array[][]) {
    assertThrows(() => fromIterable(bad), TypeError, "must be iterable");
  }
});

test("fromIterable() prefers the asynchronous way of what has both", async () => {
  const both = Object.assign([bytesOf("sync")], { [Symbol.asyncIterator]: () => stepsOf("async") });
  assertEquals(await readText(fromIterable(both)), "async");
});

test("fromIterable() takes a web stream", async () => {
  assertEquals(await readText(fromIterable(new Blob(["hello"]).stream())), "hello");
});

test("fromIterable() of what chunks() gives is the same source again", async () => {
  const [a, b] = pipe();
  await copyString("hello", a);
  await a.close();
  assertEquals(await readText(fromIterable(chunks(b))), "hello");
});

test("fromIterable() reads beside a read are a BusyError", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const source = fromIterable(stepsOf(promise));
  const reading = source.read(new Uint8Array(1));
  await assertRejects(() => source.read(new Uint8Array(1)), BusyError);
  resolve("a");
  assertEquals(await reading, 1);
});

test("chunks() gives every byte", async () => {
  for (const source of [stringSource("foobar"), foreignSource("foo", "bar"), bytesSource(bytesOf("foobar"))]) {
    let text = "";
    for await (const chunk of chunks(source)) text += new TextDecoder().decode(chunk);
    assertEquals(text, "foobar");
  }
});

test("chunks() gives pieces in memory of their own", async () => {
  const bytes = bytesOf("abc");
  const buffer = typeof Buffer === "undefined" ? bytes : Buffer.from(bytes.buffer);
  for (const source of [bytesSource(bytes), bytesSource(buffer), foreignSource(bytes)]) {
    for await (const chunk of chunks(source)) {
      assert(chunk.buffer instanceof ArrayBuffer && chunk.buffer !== bytes.buffer);
      assertEquals(chunk.buffer.byteLength, 3);
    }
  }
});

test("chunks() closes nothing and loses nothing when the loop is left", async () => {
  const [a, b] = pipe();
  await a.write(bytesOf("one"));
  for await (const chunk of chunks(b)) {
    assertEquals(chunk, bytesOf("one"));
    break;
  }
  await copyString("two", a);
  await a.shutdown("send");
  assertEquals(await readText(b), "two");
  await copyString("still open", b);
  assertEquals(await a.read(new Uint8Array(99)), 10);
});

test("chunks() reads nothing ahead", async () => {
  const source = foreignSource("foo", "bar");
  for await (const _ of chunks(source)) break;
  assertEquals([source.reads, await readText(source)], [1, "bar"]);
});

test("chunks() is cancelled with the scope of its loop, and loses nothing", async () => {
  const [a, b] = pipe();
  await cancelling(async () => {
    for await (const _ of chunks(b));
  });
  await copyString("late", a);
  await a.close();
  assertEquals(await readText(b), "late");
});

test("chunks() is governed by the scope that asks for a chunk, not by the one that made it", async () => {
  const [a, b] = pipe();
  const iterator = chunks(b)[Symbol.asyncIterator]();
  await Switch.run(async () => {
    await copyString("one", a);
    assertEquals((await iterator.next()).value, bytesOf("one"));
  });
  await cancelling(() => iterator.next());
  await a.close();
});

test("chunks() of a source that returns an invalid byte count is a TypeError", async () => {
  const source: Source = { read: () => Promise.resolve(0) };
  await assertRejects(() => chunks(source)[Symbol.asyncIterator]().next(), TypeError, "it gave 0");
});

test("cancellableSource() settles a cancelled read at once, and gives its bytes to the next reader", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const foreign = foreignSource(promise, "bar");
  const source = cancellableSource(foreign);
  await cancelling(() => source.read(new Uint8Array(1)));
  await cancelling(() => source[lend](() => 1));
  assertEquals(foreign.reads, 1);
  resolve("foo");
  assertEquals(await readText(source), "foobar");
});

test("cancellableSource() leaves a cancelled reader's buffer alone", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const source = cancellableSource(foreignSource(promise));
  const buffer = new Uint8Array(3);
  await cancelling(() => source.read(buffer));
  resolve("foo");
  await yieldNow();
  assertEquals(buffer, new Uint8Array(3));
});

test("cancellableSource() reads in the scope in which it was made", async () => {
  const [a, b] = pipe();
  const source = cancellableSource(b);
  await cancelling(() => source.read(new Uint8Array(1)));
  await copyString("foo", a);
  await a.close();
  assertEquals(await readText(source), "foo");
});

test("cancellableSource() reads nothing ahead", async () => {
  const foreign = foreignSource("foo", "bar");
  const source = cancellableSource(foreign);
  await source.read(new Uint8Array(1));
  await source.read(new Uint8Array(2));
  await yieldNow();
  assertEquals(foreign.reads, 1);
});

test("cancellableSource() asks no more once the end has come", async () => {
  const foreign = foreignSource();
  const source = cancellableSource(foreign);
  for (let i = 0; i < 3; i++) assertEquals(await source.read(new Uint8Array(1)), null);
  assertEquals(foreign.reads, 1);
});

test("cancellableSource() gives an error to one reader, and then asks again", async () => {
  const source = cancellableSource(foreignSource("foo", new Error("Cannot read"), "bar"));
  await source.read(new Uint8Array(3));
  await assertRejects(() => source.read(new Uint8Array(3)), Error, "Cannot read");
  assertEquals(await readText(source), "bar");
});

test("cancellableSource() keeps an error that comes when no read waits", async () => {
  const { promise, reject } = Promise.withResolvers<string>();
  const source = cancellableSource(foreignSource(promise));
  await cancelling(() => source.read(new Uint8Array(1)));
  reject(new Error("Cannot read"));
  await yieldNow();
  await assertRejects(() => source.read(new Uint8Array(1)), Error, "Cannot read");
});

test("cancellableSource() made in a scope that was cancelled is read in the scope around it", async () => {
  let source!: LendingSource;
  const foreign = foreignSource("foo");
  await cancelling(async () => {
    source = cancellableSource(foreign);
    await turn();
    await source.read(new Uint8Array(1));
  });
  assertEquals(await readText(source), "foo");
});

test("cancellableSource() of a source that returns an invalid byte count is a TypeError", async () => {
  for (const count of [0, -1, 65_537, undefined]) {
    const source = cancellableSource({ read: () => Promise.resolve(count as number) });
    await assertRejects(() => source.read(new Uint8Array(9)), TypeError, `it gave ${count}`);
  }
});

test("cancellableSource() reads into one buffer of 64 KiB, which must not be kept", async () => {
  const buffers = new Set<ArrayBufferLike>();
  let reads = 0;
  const source = cancellableSource({
    read(buffer) {
      buffers.add(buffer.buffer);
      assertEquals(buffer.length, 65_536);
      return Promise.resolve(reads++ < 5 ? 10 : null);
    },
  });
  while (await source[lend]((bytes, keep) => (assertFalse(keep), bytes.length)) !== null);
  assertEquals(buffers.size, 1);
});

test("cancellableSource() gives large reads piece by piece", async () => {
  const source = cancellableSource(foreignSource(pattern(0, 100_000)));
  assertEquals(await readAll(source), pattern(0, 100_000));
});
