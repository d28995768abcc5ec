// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  BrokenPipeError,
  bufferSink,
  type BufWriter,
  ClosedError,
  FlushAborted,
  pipe,
  type Sink,
  withBufWriter,
} from "../../../flow/mod.ts";
import { give } from "../../../flow/provider.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { awaitCancel, Cancelled, first, MultipleErrors, protect, Switch, yieldNow } from "../../../switch/mod.ts";
import { bytesOf, inCancelledScope, readText } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { cancelling, shortSink } from "../_helpers.ts";

/** A sink that takes buffers by reference, and records every call. */
function givingSink() {
  const sink = {
    calls: [] as [kind: string, ...texts: string[]][],
    memory: [] as ArrayBufferLike[],
    write(bytes: Uint8Array): Promise<number> {
      sink.calls.push(["write", new TextDecoder().decode(bytes)]);
      return Promise.resolve(bytes.length);
    },
    [give](buffers: readonly Uint8Array[]): Promise<number> {
      sink.calls.push(["give", ...buffers.map((bytes) => new TextDecoder().decode(bytes))]);
      sink.memory.push(...buffers.map((bytes) => bytes.buffer));
      return Promise.resolve(buffers.reduce((sum, { length }) => sum + length, 0));
    },
  };
  return sink;
}

test("withBufWriter() makes one write of 50 small ones", async () => {
  const sink = shortSink([]);
  await withBufWriter(sink, (w) => {
    for (let i = 0; i < 50; i++) w.string(`${i};`);
  });
  assertEquals(sink.writes.length, 1);
});

test("withBufWriter() makes one write of what is written between two waits, though promises settle in between", async () => {
  for (const sink of [shortSink([]), givingSink()]) {
    await withBufWriter(sink, async (w) => {
      for (let i = 0; i < 50; i++) {
        w.string(String(i % 10));
        await Promise.resolve();
      }
      await yieldNow();
      w.string("more");
    });
    assertEquals("writes" in sink ? sink.writes.length : sink.calls.length, 2);
  }
});

test("withBufWriter() collects what is written while its sink takes something at once", async () => {
  const sink = shortSink([]);
  await withBufWriter(sink, async (w) => {
    w.string("x".repeat(65_536));
    for (let i = 0; i < 50; i++) {
      await Promise.resolve();
      w.string("y");
    }
  });
  assertEquals(sink.writes.length, 2);
});

test("withBufWriter() gives the value of its function, once all is written", async () => {
  const sink = bufferSink();
  const value = await withBufWriter(sink, async (w) => {
    w.string("hello");
    await yieldNow();
    assertEquals(sink.text(), "hello");
    w.string(" world");
    return 42;
  });
  assertEquals([value, sink.text()], [42, "hello world"]);
});

test("withBufWriter() writes what its sink did not take of a write next", async () => {
  const sink = shortSink([1, 2, 3]);
  await withBufWriter(sink, (w) => w.string("abcdefghij"));
  assertEquals(sink.writes, ["a", "bc", "def", "ghij"]);
});

test("withBufWriter() joins small buffers for a sink that takes one, in order", async () => {
  const sink = shortSink([]);
  await withBufWriter(sink, (w) => {
    w.string("copy ");
    w.schedule(bytesOf("by reference"));
    w.string(" copy");
  });
  assertEquals(sink.writes, ["copy by reference copy"]);
});

test("withBufWriter() writes a large buffer where it lies", async () => {
  const large = pattern(0, 100_000);
  const seen: boolean[] = [];
  const sink: Sink = { write: (bytes) => (seen.push(bytes.buffer === large.buffer), Promise.resolve(bytes.length)) };
  await withBufWriter(sink, (w) => {
    w.string("head");
    w.schedule(large);
    w.string("tail");
  });
  assertEquals(seen, [false, true, false]);
});

test("withBufWriter() gives its own buffers away, and what was scheduled never", async () => {
  const sink = givingSink();
  const small = bytesOf("small");
  const large = new Uint8Array(40_000).fill(97);
  await withBufWriter(sink, (w) => {
    w.string("one ");
    w.schedule(small);
    w.string(" two ");
    w.schedule(large);
    w.string(" three");
  });
  assertEquals(sink.calls.map(([kind, ...texts]) => [kind, ...texts.map((text) => text.slice(0, 6))]), [
    ["give", "one ", "small", " two "],
    ["write", "aaaaaa"],
    ["give", " three"],
  ]);
  assert(!sink.memory.includes(small.buffer) && !sink.memory.includes(large.buffer));
});

test("withBufWriter() never writes to memory that it gave away", async () => {
  const sink = bufferSink();
  await withBufWriter(sink, async (w) => {
    for (let i = 0; i < 100; i++) {
      w.string(`${i},`);
      await w.flush();
    }
  }, { initialSize: 64 });
  assertEquals(sink.text(), Array.from({ length: 100 }, (_, i) => `${i},`).join(""));
});

test("withBufWriter() lets what was scheduled change once it was flushed", async () => {
  for (const size of [5, 40_000]) {
    const sink = bufferSink();
    const scheduled = new Uint8Array(size).fill(97);
    await withBufWriter(sink, async (w) => {
      w.schedule(scheduled);
      await w.flush();
      scheduled.fill(98);
      w.schedule(scheduled);
    });
    assertEquals(sink.text(), "a".repeat(size) + "b".repeat(size));
  }
});

test("withBufWriter() passes more than one write takes, in order", async () => {
  const [a, b] = pipe();
  const reading = readText(b);
  const lines = Array.from({ length: 30_000 }, (_, i) => `line ${i}\n`);
  await withBufWriter(a, (w) => lines.forEach((line) => w.string(line)));
  await a.close();
  assertEquals(await reading, lines.join(""));
});

test("withBufWriter() lets flushes of several fibers end in order, as the sink takes their bytes", async () => {
  const log: string[] = [];
  const counts = [1, 2, 2, 1];
  const sink: Sink = {
    async write(bytes) {
      await yieldNow();
      const taken = Math.min(bytes.length, counts.shift() ?? bytes.length);
      log.push(new TextDecoder().decode(bytes.subarray(0, taken)));
      return taken;
    },
  };
  await withBufWriter(sink, (w) =>
    Switch.run((sw) => {
      for (const i of [1, 2, 3]) {
        sw.fork(async () => {
          w.string(`${i}${i}`);
          await w.flush();
          log.push(`flushed ${i}`);
        });
      }
    }));
  assertEquals(log, ["1", "12", "flushed 1", "23", "flushed 2", "3", "flushed 3"]);
});

test("withBufWriter() flushes when the sink has taken the bytes, not when it was handed them", async () => {
  const log: string[] = [];
  const sink: Sink = {
    async write(bytes) {
      log.push("write");
      await yieldNow();
      log.push("written");
      return bytes.length;
    },
  };
  await withBufWriter(sink, async (w) => {
    w.string("a");
    await w.flush();
    log.push("flushed");
  });
  assertEquals(log, ["write", "written", "flushed"]);
});

test("withBufWriter() whose function throws writes the rest, and throws that", async () => {
  const error = new Error("Cannot go on");
  const sink = bufferSink();
  const running = () =>
    withBufWriter(sink, (w) => {
      w.string("so far");
      throw error;
    });
  assertStrictEquals(await assertRejects(running), error);
  assertEquals(sink.text(), "so far");
});

test("withBufWriter() whose function throws, and then its sink, throws both", async () => {
  const failure = new Error("Cannot write");
  const error = new Error("Cannot go on");
  const sink = shortSink([], failure);
  const running = () =>
    withBufWriter(sink, (w) => {
      w.string("so far");
      throw error;
    });
  assertEquals((await assertRejects(running, MultipleErrors)).errors, [error, failure]);
});

test("withBufWriter() that is cancelled while its function runs and its sink is stuck writes no more", async () => {
  let writes = 0;
  const stuck: Sink = { write: () => (writes++, awaitCancel()) };
  const thrown = await cancelling(() =>
    withBufWriter(stuck, async (w) => {
      w.string("a");
      await yieldNow();
      w.string("b");
      await awaitCancel();
    }), async () => {
    while (writes === 0) await yieldNow();
  });
  assertEquals([writes, (thrown.cause as Error).message], [1, "Cancelled by the test"]);
});

test("withBufWriter() that is cancelled while its function waits writes nothing more", async () => {
  const sink = bufferSink();
  await cancelling(() =>
    withBufWriter(sink, async (w) => {
      w.string("a");
      await awaitCancel();
    })
  );
  assertEquals(sink.text(), "");
});

test("withBufWriter() that is cancelled after its function has ended, and its sink is stuck, ends promptly", async () => {
  const [a, b] = pipe({ capacity: 2 });
  await cancelling(() => withBufWriter(a, (w) => w.string("abcdef")), yieldNow);
  await a.close();
  assertEquals(await readText(b), "ab");
});

test("withBufWriter() that is cancelled rejects even where its function gives a value, if bytes were lost", async () => {
  const sink = bufferSink();
  const ignoring = (text: string) => () =>
    withBufWriter(sink, async (w) => {
      w.string(text);
      await awaitCancel().catch(() => {});
      return 1;
    });
  await cancelling(ignoring("lost"));
  let value: number | undefined;
  await first(async () => value = await ignoring("")(), yieldNow);
  assertEquals([value, sink.text()], [1, ""]);
});

test("withBufWriter() in a cancelled scope does nothing", async () => {
  const sink = shortSink([]);
  await inCancelledScope(() => assertRejects(() => withBufWriter(sink, (w) => w.string("a")), Cancelled));
  assertEquals(sink.writes, []);
});

test("withBufWriter() whose sink fails cancels its function, and throws that error alone", async () => {
  const error = new Error("Cannot write");
  let thrown: unknown;
  const running = () =>
    withBufWriter(shortSink([], error), async (w) => {
      w.string("a");
      await awaitCancel().catch((reason) => {
        thrown = reason;
        throw reason;
      });
    });
  assertStrictEquals(await assertRejects(running), error);
  assert(thrown instanceof Cancelled);
});

test("withBufWriter() whose sink fails cancels a flush of its function, and throws that error alone", async () => {
  const error = new Error("Cannot write");
  let thrown: unknown;
  const running = () =>
    withBufWriter(shortSink([], error), async (w) => {
      w.string("a");
      await w.flush().catch((reason) => {
        thrown = reason;
        throw reason;
      });
    });
  assertStrictEquals(await assertRejects(running), error);
  assert(thrown instanceof Cancelled);
});

test("withBufWriter() whose sink fails aborts the flushes of other scopes", async () => {
  const error = new Error("Cannot write");
  let flushing: Promise<void> | undefined;
  await Switch.run(async (outer) => {
    const running = () =>
      withBufWriter(shortSink([], error), async (w) => {
        w.string("a");
        flushing = outer.forkPromise(() => w.flush());
        await awaitCancel();
      });
    await assertRejects(running, Error, "Cannot write");
    const aborted = await assertRejects(() => flushing ?? Promise.resolve(), FlushAborted);
    assertStrictEquals(aborted.cause, error);
  });
});

test("withBufWriter() whose sink failed refuses what its function still writes, and throws that error alone", async () => {
  const error = new Error("Cannot write");
  const late: ((w: BufWriter) => unknown)[] = [
    (w) => w.string("b"),
    (w) => w.flush(),
    (w) => protect(() => w.string("b")),
    (w) => protect(() => w.flush()),
  ];
  const thrown: unknown[] = [];
  for (const act of late) {
    const running = () =>
      withBufWriter(shortSink([], error), async (w) => {
        w.string("a");
        await awaitCancel().catch(() => {});
        try {
          await act(w);
        } catch (reason) {
          thrown.push((reason as Error).name);
          throw reason;
        }
      });
    assertStrictEquals(await assertRejects(running), error);
  }
  assertEquals(thrown, ["Cancelled", "Cancelled", "ClosedError", "FlushAborted"]);
});

test("withBufWriter() whose sink fails after the function has ended throws that error", async () => {
  const error = new Error("Cannot write");
  assertStrictEquals(await assertRejects(() => withBufWriter(shortSink([1], error), (w) => w.string("ab"))), error);
});

test("withBufWriter() to a pipe whose reader goes away is a BrokenPipeError", async () => {
  const [a, b] = pipe({ capacity: 2 });
  const running = assertRejects(() =>
    withBufWriter(a, async (w) => {
      w.string("abcdef");
      await w.flush();
    }), BrokenPipeError);
  await yieldNow();
  await b.close();
  await running;
});

test("withBufWriter() of a sink that returns an invalid byte count is a TypeError", async () => {
  for (const count of [0, -1, 2, undefined]) {
    const sink: Sink = { write: () => Promise.resolve(count as number) };
    await assertRejects(() => withBufWriter(sink, (w) => w.string("a")), TypeError, `it gave ${count}`);
    const giving = { ...sink, [give]: () => Promise.resolve(count as number) };
    await assertRejects(() => withBufWriter(giving, (w) => w.string("a")), TypeError, `it gave ${count}`);
  }
});

test("withBufWriter() whose function has ended lets a flush of another fiber succeed first", async () => {
  const log: string[] = [];
  await Switch.run(async (sw) => {
    await withBufWriter({ write: async (bytes) => (await yieldNow(), bytes.length) }, (w) => {
      w.string("a");
      sw.fork(async () => {
        await w.flush();
        log.push("flushed");
      });
    });
    log.push("ended");
  });
  assertEquals(log, ["flushed", "ended"]);
});

test("withBufWriter() that is cancelled settles the flushes of other fibers first", async () => {
  const log: string[] = [];
  await Switch.run(async (sw) => {
    await cancelling(() =>
      withBufWriter({ write: () => awaitCancel() }, async (w) => {
        w.string("a");
        sw.fork(() => w.flush().catch((error) => log.push(error.name)));
        await awaitCancel();
      }), yieldNow);
    log.push("ended");
  });
  assertEquals(log, ["FlushAborted", "ended"]);
});

test("withBufWriter() neither closes nor half-closes its sink", async () => {
  const [a, b] = pipe();
  await withBufWriter(a, (w) => w.string("one "));
  await withBufWriter(a, (w) => w.string("two"));
  await a.close();
  assertEquals(await readText(b), "one two");
});

test("withBufWriter() leaves a writer that is closed", async () => {
  let writer: BufWriter | undefined;
  await withBufWriter(bufferSink(), (w) => void (writer = w));
  assertThrows(() => writer?.string("late"), ClosedError, "Cannot write: the writer is closed");
  await writer?.flush();
});

test("withBufWriter() whose function closes or aborts the writer ends all the same", async () => {
  const sink = bufferSink();
  assertEquals(await withBufWriter(sink, (w) => (w.string("a"), w.close(), 1)), 1);
  assertEquals(await withBufWriter(sink, (w) => (w.string("b"), w.abort(), 2)), 2);
  assertEquals(sink.text(), "a");
});

for (const gives of [false, true]) {
  test(`withBufWriter() whose writer is aborted while the sink ${gives ? "is given" : "writes"} ends with what that took`, async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let taken = 0;
    const take = async (buffers: readonly Uint8Array[]) => {
      await gate;
      const size = buffers.reduce((sum, { length }) => sum + length, 0);
      taken += size;
      return size;
    };
    const sink = { write: (bytes: Uint8Array) => take([bytes]), ...(gives ? { [give]: take } : {}) };
    const value = await withBufWriter(sink, async (w) => {
      w.string("hello");
      const flushing = w.flush();
      await yieldNow();
      w.abort();
      open();
      await assertRejects(() => flushing, FlushAborted);
      for (let i = 0; i < 3; i++) await yieldNow(); // an endless loop would starve other fibers
      assertEquals([w.pendingBytes, taken], [0, 5]);
      return 7;
    });
    assertEquals(value, 7);
  });
}

test("withBufWriter() whose writer is aborted just before the sink would write does not touch it", async () => {
  const sink = bufferSink();
  await withBufWriter(sink, async (w) => {
    w.string("hello");
    w.flush();
    await Promise.resolve();
    w.abort();
    await yieldNow();
  });
  assertEquals(sink.text(), "");
});

test("withBufWriter() whose writer is paused after it was closed writes everything", async () => {
  const sink = bufferSink();
  await withBufWriter(sink, (w) => (w.string("hello"), w.close(), w.pause()));
  assertEquals(sink.text(), "hello");
});

test("withBufWriter() refuses what it cannot write to, or run", async () => {
  await assertRejects(() => withBufWriter({} as Sink, () => 1), TypeError, "must be a sink");
  await assertRejects(() => withBufWriter(bufferSink(), 1 as unknown as () => void), TypeError, "1 is not a function");
  await assertRejects(() => withBufWriter(bufferSink(), () => 1, { initialSize: 0 }), RangeError, "initialSize");
  await withBufWriter(bufferSink(), (w) => w.string("a"), { initialSize: undefined });
});

test("withBufWriter() holds little where its function never waits for the sink but lets others run", async () => {
  let most = 0;
  await withBufWriter({ write: (bytes) => Promise.resolve(bytes.length) }, async (w) => {
    for (let i = 0; i < 100_000; i++) {
      w.string("ten bytes\n");
      most = Math.max(most, w.pendingBytes);
      await Promise.resolve();
    }
  });
  assert(most < 200_000, `${most} bytes were pending`);
});
