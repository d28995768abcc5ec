// Copyright 2026 the Sluice authors. MIT license.

import {
  assert,
  assertEquals,
  assertFalse,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  BrokenPipeError,
  bufferSink,
  bytesSource,
  copy,
  type CopyFailure,
  copyString,
  fromIterable,
  nullFlow,
  pipe,
  readAll,
  type Sink,
  type Source,
  stringSource,
} from "../../flow/mod.ts";
import { give, lend } from "../../flow/provider.ts";
import { pattern, seededRandom } from "../../net/testing/_random.ts";
import { Cancelled, first, Switch, yieldNow } from "../../switch/mod.ts";
import { bytesOf, inCancelledScope, readText, turns } from "../_helpers.ts";
import { test } from "../_test.ts";
import { cancelling, foreignSource, shortSink } from "./_helpers.ts";

/** Returns how much was copied according to `error`. */
function copiedOf(error: unknown): number {
  return (error as CopyFailure).copied;
}

test("copy() gives how many bytes it copied", async () => {
  const sink = bufferSink();
  assertEquals(await copy(bytesSource(pattern(0, 200_000)), sink), 200_000);
  assertEquals(sink.bytes(), pattern(0, 200_000));
});

test("copy() of an ended source copies nothing, and touches no sink", async () => {
  const sink = shortSink([]);
  assertEquals(await copy(stringSource(""), sink), 0);
  assertEquals(sink.writes, []);
});

test("copy() from a lending source to a sink that takes 3 and then 5 writes what is left", async () => {
  const sink = shortSink([3, 5]);
  assertEquals(await copy(stringSource("foobar"), sink), 6);
  assertEquals(sink.writes, ["foo", "bar"]);
});

test("copy() from a foreign source to a sink that takes 3 and then 5 writes what is left", async () => {
  const sink = shortSink([3, 5]);
  assertEquals(await copy(foreignSource("foobar"), sink), 6);
  assertEquals(sink.writes, ["foo", "bar"]);
});

test("copy() never writes an empty buffer, whatever pieces a source is made of", async () => {
  const empty = new Uint8Array(0);
  const sink = shortSink([]);
  await copy(bytesSource(empty, bytesOf("a"), empty, empty, bytesOf("b"), empty), sink);
  assertEquals(sink.writes, ["a", "b"]);
});

test("copy() gives memory that may be kept, and writes what may not", async () => {
  const calls: string[] = [];
  const sink = {
    write: (bytes: Uint8Array) => (calls.push("write"), Promise.resolve(bytes.length)),
    [give]: (buffers: readonly Uint8Array[]) => (calls.push("give"), Promise.resolve(buffers[0].length)),
  };
  await copy(stringSource("may be kept"), sink);
  await copy(bytesSource(bytesOf("belongs to the caller")), sink);
  await copy(foreignSource("in a scratch buffer"), sink);
  assertEquals(calls, ["give", "write", "write"]);
});

test("copy() from pipe to pipe passes large pieces on by reference", async () => {
  const [a, b] = pipe();
  const [c, d] = pipe();
  const memory = pattern(0, 5000);
  await a[give]([memory]);
  await a.close();
  await copy(b, c);
  await d[lend](async (bytes) => (assert(bytes.buffer === memory.buffer), await bytes.length));
});

test("copy() closes neither side, and ends no direction", async () => {
  const [a, b] = pipe();
  await copy(stringSource("hello"), a);
  await copyString(" again", a);
  await a.shutdown("send");
  assertEquals(await readText(b), "hello again");
});

test("copy() of a flow onto itself echoes, and ends at the end", async () => {
  const [a, b] = pipe();
  const echo = copy(b, b).then(() => b.close());
  await copyString("hello", a);
  await a.shutdown("send");
  assertEquals(await readText(a), "hello");
  await echo;
});

test("copy() takes no more than the sink has room for", async () => {
  const [a, b] = pipe({ capacity: 1000 });
  let given = 0;
  const endless = fromIterable((function* () {
    for (;; given += 100) yield new Uint8Array(100);
  })());
  await first(() => copy(endless, a), async () => {
    for (let i = 0; i < 20; i++) await yieldNow();
  });
  assert(given <= 1000, `${given} bytes were asked for`);
  await b.close();
});

test("copy() asks a foreign source for at most 64 KiB at once", async () => {
  let asked = 0;
  const source: Source = { read: (buffer) => (asked = buffer.length, Promise.resolve(null)) };
  await copy(source, bufferSink());
  assertEquals(asked, 65_536);
});

test("copy() that its sink fails says how much the sink took", async () => {
  for (const source of [stringSource("foobar"), bytesSource(bytesOf("foobar")), foreignSource("foobar")]) {
    const error = new Error("Cannot write");
    const thrown = await assertRejects(() => copy(source, shortSink([3, 1], error)));
    assertStrictEquals(thrown, error);
    assertEquals(copiedOf(thrown), 4);
  }
});

test("copy() that its source fails says how much the sink took", async () => {
  const error = new Error("Cannot read");
  const thrown = await assertRejects(() => copy(foreignSource("foo", "bar", error), shortSink([1])));
  assertStrictEquals(thrown, error);
  assertEquals(copiedOf(thrown), 6);
});

test("copy() leaves what its sink did not take in a lending source", async () => {
  const source = stringSource("foobar");
  await assertRejects(() => copy(source, shortSink([3, 1], new Error("Cannot write"))));
  assertEquals(await readText(source), "ar");
});

test("copy() to a pipe whose reader closes says how much the pipe took, and loses nothing", async () => {
  const [a, b] = pipe({ capacity: 4 });
  const source = stringSource("foobar");
  const copying = assertRejects(() => copy(source, a), BrokenPipeError);
  await yieldNow();
  await b.close();
  assertEquals(copiedOf(await copying), 4);
  assertEquals(await readText(source), "ar");
});

test("copy() that is cancelled throws a Cancelled of its own, with the cause and the count", async () => {
  const [a, b] = pipe({ capacity: 4 });
  const reason = new Error("Stop");
  let thrown: unknown;
  let scopes: unknown;
  await assertRejects(() =>
    Switch.run(async (sw) => {
      const copying = sw.forkPromise(() => copy(stringSource("foobar"), a)).catch((error) => thrown = error);
      await yieldNow();
      sw.fail(reason);
      scopes = sw.signal.reason;
      await copying;
    })
  );
  assert(thrown instanceof Cancelled);
  assertStrictEquals(thrown.cause, reason);
  assertEquals(copiedOf(thrown), 4);
  assertNotStrictEquals(thrown, scopes);
  assertFalse("copied" in (scopes as Cancelled));
  await b.close();
});

test("copy() that is cancelled while its source waits leaves every byte in the source", async () => {
  const [a, b] = pipe();
  const sink = bufferSink();
  await copyString("one", a);
  const thrown = await cancelling(() => copy(b, sink), async () => {
    while (sink.text() !== "one") await yieldNow();
  });
  assertEquals(copiedOf(thrown), 3);
  await copyString("two", a);
  await a.close();
  assertEquals(await readText(b), "two");
});

test("copy() that is cancelled while its sink waits leaves every byte in the source", async () => {
  const [a, b] = pipe({ capacity: 2 });
  const source = stringSource("foobar");
  assertEquals(copiedOf(await cancelling(() => copy(source, a), yieldNow)), 2);
  await a.close();
  assertEquals(await readText(b) + await readText(source), "foobar");
});

test("copy() is refused in a cancelled scope, and takes nothing", async () => {
  const source = stringSource("foobar");
  const foreign = foreignSource("foobar");
  await inCancelledScope(async () => {
    for (const each of [source, foreign]) {
      assertEquals(copiedOf(await assertRejects(() => copy(each, bufferSink()), Cancelled)), 0);
    }
  });
  assertEquals([await readText(source), foreign.reads], ["foobar", 0]);
});

test("copy() awaits a foreign sink that is writing, and counts what it took", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  let settled = false;
  const source = stringSource("foobar");
  const sink: Sink = { write: () => promise.finally(() => settled = true) };
  const thrown = await cancelling(() => copy(source, sink), () => void turns(5).then(() => resolve(4)));
  assert(settled);
  assertEquals([copiedOf(thrown), await readText(source)], [4, "ar"]);
});

test("copy() between ends that never wait lets others run, and can be cancelled", async () => {
  const endless = function* () {
    while (true) yield Uint8Array.of(1);
  };
  for (const source of [fromIterable(endless()), { read: () => Promise.resolve(1) }]) {
    await cancelling(() => copy(source, nullFlow), yieldNow);
  }
});

test("copy() that is cancelled loses at most one buffer of a foreign source", async () => {
  const source = foreignSource(pattern(0, 65_536), pattern(65_536, 65_536));
  const [a, b] = pipe({ capacity: 10 });
  assertEquals(copiedOf(await cancelling(() => copy(source, a), yieldNow)), 10);
  assertEquals(await readAll(source), pattern(65_536, 65_536));
  await b.close();
});

test("copy() of a source that returns an invalid byte count is a TypeError, not an endless loop", async () => {
  for (const count of [0, -1, 65_537, 1.5, undefined]) {
    const source: Source = { read: () => Promise.resolve(count as number) };
    await assertRejects(() => copy(source, bufferSink()), TypeError, `it gave ${count}`);
  }
});

test("copy() of a lender that never lends is a TypeError, not an endless loop", async () => {
  const source = { read: () => Promise.resolve(null), [lend]: () => Promise.resolve(0) };
  await assertRejects(() => copy(source, bufferSink()), TypeError, "reported 0 bytes, but lent none");
});

test("copy() of a lender that lends nothing is a TypeError, not an endless loop", async () => {
  const source = {
    read: () => Promise.resolve(null),
    [lend]: async (use: (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => unknown) =>
      await use(new Uint8Array(0), false) as number,
  };
  await assertRejects(() => copy(source, bufferSink()), TypeError, "it gave 0");
});

test("copy() to a sink that returns an invalid byte count is a TypeError, and counts only what is certain", async () => {
  for (const source of [stringSource("four"), foreignSource("four")]) {
    for (const count of [0, -1, 5, undefined]) {
      const sink: Sink = { write: () => Promise.resolve(count as number) };
      const error = await assertRejects(() => copy(source, sink), TypeError, `it gave ${count}`);
      assertEquals(copiedOf(error), 0);
      if (!(lend in source)) break;
    }
  }
});

test("copy() throws a value that is not an error, or is frozen, unchanged", async () => {
  for (const thrown of [Object.freeze(new Error("Cannot write")), "text", undefined, null]) {
    const sink: Sink = { write: () => Promise.reject(thrown) };
    let caught: unknown = "nothing";
    await copy(stringSource("a"), sink).catch((error) => caught = error);
    assertStrictEquals(caught, thrown);
  }
});

test("copy() tells the same by every pair of paths", async () => {
  for (let seed = 0; seed < 300; seed++) await runScript(seed);
});

/**
 * Runs one random script: a source of some kind, a sink that takes parts and may fail, and perhaps
 * a cancellation.
 */
async function runScript(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const upTo = (limit: number) => Math.floor(random() * limit);
  const size = upTo(300);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < size; at += pieces[pieces.length - 1].length) {
    pieces.push(pattern(at, Math.min(size - at, 1 + upTo(60))));
  }
  const limit = random() < 0.5 ? Infinity : upTo(size + 1);
  const calls: number[] = Array.from({ length: 1000 }, () => 1 + upTo(30));
  const stopAfter = random() < 0.3 ? upTo(10) : undefined;

  const makers = [
    () => foreignSource(...pieces),
    () => bytesSource(...pieces),
    () => fromIterable(pieces),
    () => filledPipe(pieces),
  ];
  for (const make of makers) {
    for (const giving of [false, true]) {
      const source = await make();
      const lossless = lend in source;
      const taken: number[] = [];
      const failure = new Error("Cannot write");
      let call = 0;
      const accept = async (bytes: Uint8Array) => {
        if (random() < 0.2) await yieldNow().catch(() => {});
        if (taken.length >= limit) throw failure;
        const part = bytes.subarray(0, Math.min(calls[call++], limit - taken.length));
        taken.push(...part);
        return part.length;
      };
      const sink = { write: accept, ...(giving ? { [give]: ([bytes]: readonly Uint8Array[]) => accept(bytes) } : {}) };
      const outcome = await settle(source, sink, stopAfter);

      const where = `seed ${seed}`;
      assertEquals(Uint8Array.from(taken), pattern(0, taken.length), where);
      assertEquals(outcome.copied, taken.length, where);
      if (outcome.error === undefined) assertEquals(taken.length, size, where);
      else assert(outcome.error === failure || outcome.error instanceof Cancelled, where);
      const rest = await readAll(source);
      if (lossless) assertEquals(rest, pattern(taken.length, size - taken.length), where);
      else assertEquals(rest, pattern(size - rest.length, rest.length), where);
    }
  }
}

async function settle(source: Source, sink: Sink, stopAfter: number | undefined) {
  const outcome: { copied: number; error: unknown } = { copied: 0, error: undefined };
  await first(async () => {
    try {
      outcome.copied = await copy(source, sink);
    } catch (error) {
      outcome.copied = copiedOf(error);
      outcome.error = error;
    }
  }, async () => {
    for (let i = 0; stopAfter === undefined || i < stopAfter; i++) await yieldNow();
  });
  return outcome;
}

async function filledPipe(pieces: readonly Uint8Array[]): Promise<Source> {
  const [a, b] = pipe();
  for (const piece of pieces) await a.write(piece);
  await a.close();
  return b;
}

test("copy() throws what refuses to say what it is as it is", async () => {
  const hostile = new Proxy({}, {
    get(_, key) {
      if (key === "then") return undefined;
      throw new Error("Refused");
    },
    getPrototypeOf() {
      throw new Error("Refused");
    },
    defineProperty() {
      throw new Error("Refused");
    },
  });
  const sink: Sink = { write: () => Promise.reject(hostile) };
  const [result] = await Promise.allSettled([copy(stringSource("foobar"), sink)]);
  assert(result.status === "rejected" && result.reason === hostile);
});
