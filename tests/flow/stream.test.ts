// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { BusyError, ClosedError } from "../../flow/errors.ts";
import { registerOwners, type StreamNames } from "../../flow/_half.ts";
import { Stream } from "../../flow/_stream.ts";
import type { StreamEnd } from "../../flow/provider.ts";
import { runIn } from "../../switch/_scope.ts";
import { Cancelled, Switch } from "../../switch/mod.ts";
import { bytesOf, inCancelledScope } from "../_helpers.ts";
import { test } from "../_test.ts";
import { cancelling } from "./_helpers.ts";

const names: StreamNames = {
  label: "fake",
  failure: (operation, cause) => new Error(`Cannot ${operation}: ${cause}`),
};

/** A scripted end: `pieces` to read, and `room` to write. */
class FakeEnd implements StreamEnd {
  readonly pieces: (Uint8Array<ArrayBuffer> | null)[] = [];
  readonly taken: number[] = [];
  room = 0;
  flushed = true;
  onConsume: () => void = () => {};

  peek() {
    return this.pieces[0];
  }
  consume(size: number) {
    const rest = (this.pieces.shift() as Uint8Array<ArrayBuffer>).subarray(size);
    if (rest.length > 0) this.pieces.unshift(rest);
    this.onConsume();
  }
  write(bytes: Uint8Array) {
    const size = Math.min(this.room, bytes.length);
    this.room -= size;
    if (size > 0) this.taken.push(...bytes.subarray(0, size));
    return size;
  }
  give(buffers: readonly Uint8Array[]) {
    return this.write(buffers[0]);
  }
  end() {}
  drop() {}
}

test("Stream read() may be told of more bytes while it consumes", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const buffer = new Uint8Array(2);
  const reading = stream.read(buffer);
  end.onConsume = () => stream.readable();
  end.pieces.push(bytesOf("ab"), bytesOf("cd"));
  stream.readable();
  assertEquals([await reading, new TextDecoder().decode(buffer)], [2, "ab"]);
  assertEquals([await stream.read(buffer), new TextDecoder().decode(buffer)], [2, "cd"]);
});

test("Stream read() takes along what the end has after its first piece, and no more than fits", async () => {
  const end = Object.assign(new FakeEnd(), {
    consume(size: number) {
      FakeEnd.prototype.consume.call(end, size);
      return end.pieces.length > 0;
    },
  });
  const stream = new Stream(end, names);
  end.pieces.push(bytesOf("ab"), bytesOf("cde"), bytesOf("fg"), null);
  const buffer = new Uint8Array(6);
  assertEquals([await stream.read(buffer), new TextDecoder().decode(buffer)], [6, "abcdef"]);
  assertEquals([await stream.read(buffer), new TextDecoder().decode(buffer)], [1, "gbcdef"]);
  assertEquals(await stream.read(buffer), null);
});

test("Stream read() asks an end for no more than it says it has", async () => {
  let peeks = 0;
  const end = Object.assign(new FakeEnd(), { peek: () => (peeks++, bytesOf("ab")), consume: () => {} });
  assertEquals([await new Stream(end, names).read(new Uint8Array(9)), peeks], [2, 1]);
});

test("Stream read() is not disturbed by events that bring nothing", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const reading = stream.read(new Uint8Array(2));
  stream.readable();
  stream.readable();
  end.pieces.push(null);
  stream.readable();
  assertEquals(await reading, null);
});

test("Stream write() is not disturbed by events that bring nothing", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const writing = stream.write(Uint8Array.of(1, 2, 3));
  stream.writable();
  end.room = 2;
  stream.writable();
  stream.writable();
  assertEquals([await writing, end.taken], [2, [1, 2]]);
});

test("Stream write() takes what the buffer holds when there is room", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const buffer = Uint8Array.of(1);
  const writing = stream.write(buffer);
  await assertRejects(() => stream.write(buffer), BusyError);
  end.room = 1;
  stream.writable();
  assertEquals(await writing, 1);
});

test("Stream read() turns what the end throws into the stream's own failure", async () => {
  const stream = new Stream(
    Object.assign(new FakeEnd(), {
      peek() {
        throw new Error("reset");
      },
    }),
    names,
  );
  await assertRejects(() => stream.read(new Uint8Array(1)), Error, "Cannot read: Error: reset");
});

test("Stream shutdown() waits until everything was passed on", async () => {
  const end = Object.assign(new FakeEnd(), { flushed: false });
  const stream = new Stream(end, names);
  let done = false;
  const ending = stream.shutdown("send").then(() => done = true);
  stream.writable();
  await Promise.resolve();
  assertEquals(done, false);
  end.flushed = true;
  stream.writable();
  await ending;
});

test("Stream shutdown() can be cancelled while it waits, and has ended the direction all the same", async () => {
  const end = Object.assign(new FakeEnd(), { flushed: false });
  const stream = new Stream(end, names);
  await cancelling(() => stream.shutdown("send"));
  await assertRejects(() => stream.write(Uint8Array.of(1)), Error, "sending was shut down");
});

test("Stream shutdown() does not wait in a cancelled scope", async () => {
  const end = Object.assign(new FakeEnd(), { flushed: false });
  await inCancelledScope(() => new Stream(end, names).shutdown("send"));
});

test("Stream read() that is cancelled throws the scope's Cancelled, and leaves the bytes", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  assertStrictEquals((await cancelling(() => stream.read(new Uint8Array(1)))).constructor, Cancelled);
  end.pieces.push(bytesOf("a"));
  stream.readable();
  assertEquals(await stream.read(new Uint8Array(1)), 1);
});

test("Stream lend() lends what comes until the end, without a promise for each piece", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const pieces: string[] = [];
  const lending = stream.lend((bytes) => pieces.push(new TextDecoder().decode(bytes)) && bytes.length);
  for (const text of ["one", "two"]) {
    end.pieces.push(bytesOf(text));
    stream.readable();
    assertEquals(pieces[pieces.length - 1], text); // in the same turn
  }
  end.pieces.push(null);
  stream.readable();
  assertEquals([await lending, pieces], [6, ["one", "two"]]);
  assertEquals(await stream.lend((bytes) => bytes.length), null);
});

test("Stream lend() whose borrower closes the stream returns what was taken, and is a ClosedError from then on", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  end.pieces.push(bytesOf("one"), bytesOf("two"));
  const use = (bytes: Uint8Array) => (stream.close(), bytes.length);
  assertEquals(await stream.lend(use), 3);
  await assertRejects(() => stream.lend(use), ClosedError, "Cannot read");
});

test("Stream lend() throws what its borrower throws as it is, and keeps the bytes", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const error = new Error("Cannot take this");
  end.pieces.push(bytesOf("one"));
  const thrown = await assertRejects(() =>
    stream.lend(() => {
      throw error;
    })
  );
  assertStrictEquals(thrown, error);
  assertEquals(await stream.read(new Uint8Array(9)), 3);
});

test("Stream lend() of an end that never waits stops now and then, so that others have their turn", async () => {
  const end = Object.assign(new FakeEnd(), { consume: () => {} });
  end.pieces.push(bytesOf("endless"));
  assertEquals(await new Stream(end, names).lend((bytes) => bytes.length), 256 * 7);
});

test("Stream lend() may be told of more bytes while its borrower takes some", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  let size = 0;
  const lending = stream.lend((bytes) => {
    if (size === 0) end.pieces.push(bytesOf("two"), null);
    stream.readable();
    return size += bytes.length, bytes.length;
  });
  end.pieces.push(bytesOf("one"));
  stream.readable();
  assertEquals([await lending, size], [6, 6]);
});

test("Stream lend() takes nothing more once its borrower has cancelled its scope", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  end.pieces.push(bytesOf("one"), bytesOf("two"));
  let outcome: unknown;
  const error = new Error("Cancelled by the borrower");
  await Switch.run(async (sw) => {
    outcome = await stream.lend((bytes) => (sw.fail(error), bytes.length));
  }).catch((thrown) => assertStrictEquals(thrown, error));
  assertEquals([outcome, end.pieces.length], [3, 1]);
});

test("Stream lend() that is cancelled by its borrower, which throws then, is Cancelled and no unhandled rejection", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const error = new Error("Cancelled by the borrower");
  let thrown: unknown;
  await Switch.run(async (sw) => {
    const lending = stream.lend(() => {
      sw.fail(error);
      throw new Error("Cannot take this");
    });
    end.pieces.push(bytesOf("one"));
    runIn(undefined, () => stream.readable());
    thrown = await lending.catch((thrown) => thrown);
  }).catch(() => {});
  assertStrictEquals((thrown as Error).constructor, Cancelled);
  assertEquals(end.pieces.length, 1);
});

test("Stream lend() says whether its end keeps the memory of what it has lent", async () => {
  for (const [keeps, expected] of [[true, true], [undefined, true], [false, false]]) {
    const end = Object.assign(new FakeEnd(), { keeps });
    end.pieces.push(bytesOf("one"));
    assertEquals(await new Stream(end, names).lend((_, keep) => Promise.resolve(keep === expected ? 3 : 0)), 3);
  }
});

test("Stream give() answers at once where nothing is queued, and waits in the caller's scope where something is", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  end.room = 1;
  assertEquals(stream.give([Uint8Array.of(1, 2)]), 1);
  await cancelling(async () => await stream.give([Uint8Array.of(2)]));
  end.room = 1;
  assertEquals([stream.give([Uint8Array.of(3)]), end.taken], [1, [1, 3]]);
});

test("Stream give() rejects with the stream's own failure, and with BusyError beside a write that waits", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const writing = stream.write(Uint8Array.of(1));
  const busy = stream.give([Uint8Array.of(2)]);
  await assertRejects(async () => await busy, BusyError);
  end.room = 1;
  stream.writable();
  await writing;
  end.write = () => {
    throw new Error("reset");
  };
  const failing = stream.give([Uint8Array.of(2)]);
  await assertRejects(async () => await failing, Error, "Cannot write: Error: reset");
});

/** An end that records for each `give` whether it owns the memory. */
function recordingEnd(): FakeEnd & { owned: (boolean | undefined)[] } {
  const owned: (boolean | undefined)[] = [];
  return Object.assign(new FakeEnd(), {
    owned,
    room: Infinity,
    give(this: FakeEnd, buffers: readonly Uint8Array[], isOwned?: boolean) {
      owned.push(isOwned);
      return FakeEnd.prototype.give.call(this, buffers);
    },
  });
}

test("Stream lendTo() gives away what the system has filled, and not what other code may reach", async () => {
  const from = new FakeEnd();
  registerOwners((end) => end === from);
  const to = recordingEnd();
  const source = new Stream(from, names);
  const join = () => source.lendTo(new Stream(to, names), same);
  from.pieces.push(bytesOf("new"));
  const joining = join();
  await source.lend(() => 0).catch((error) => assertEquals(error instanceof BusyError, true));
  from.pieces.push(null);
  source.readable();
  await joining;
  assertEquals(to.owned, [true]);

  from.pieces.splice(0, 1, bytesOf("lent"), bytesOf("new"), null);
  await source.lend(() => 1);
  await join();
  assertEquals(to.owned, [true, false, true]);

  from.pieces.splice(0, 1, bytesOf("lent"), null);
  await source.lend(() => Promise.reject(new Error("Cannot take"))).catch(() => {});
  await join();
  assertEquals(to.owned, [true, false, true, false]);

  from.pieces.splice(0, 1, bytesOf("lent"), bytesOf("new"), null);
  await source.lend(() => 0);
  await join();
  assertEquals(to.owned, [true, false, true, false, false, true]);
});

test("Stream lendTo() gives away nothing of an end that only claims to own its memory", async () => {
  const from = Object.assign(new FakeEnd(), { ownsMemory: true });
  const to = recordingEnd();
  from.pieces.push(bytesOf("a"), null);
  await new Stream(from, names).lendTo(new Stream(to, names), same);
  assertEquals(to.owned, [false]);
});

test("Stream give() never gives away the caller's memory, giveOwned() does", async () => {
  const to = recordingEnd();
  const stream = new Stream(to, names);
  await stream.give([bytesOf("a")]);
  await stream.giveOwned(bytesOf("b"));
  assertEquals(to.owned, [false, true]);
});

test("Stream write() hands an end of a user the memory of the caller, and none with bytes of others", async () => {
  const own = new FakeEnd();
  registerOwners((end) => end === own);
  own.room = Infinity;
  await new Stream(own, names).write(bytesOf("secret"));
  const bytes = bytesOf("ab");
  const seen: ArrayBufferLike[] = [];
  const end = Object.assign(new FakeEnd(), {
    write(given: Uint8Array) {
      seen.push(given.buffer);
      return given.length;
    },
  });
  await new Stream(end, names).write(bytes);
  assertEquals(seen.length, 1);
  assertStrictEquals(seen[0], bytes.buffer);
});

test("Stream write() to an end that writes to another stream meanwhile passes on both", async () => {
  const inner = Object.assign(new FakeEnd(), { room: Infinity });
  const outer = Object.assign(new FakeEnd(), {
    room: Infinity,
    write(bytes: Uint8Array) {
      new Stream(inner, names).write(bytesOf("xyz"));
      return FakeEnd.prototype.write.call(outer, bytes);
    },
  });
  registerOwners((end) => end === inner || end === outer);
  const stream = new Stream(outer, names);
  assertEquals([await stream.write(bytesOf("abc")), await stream.write(bytesOf("de"))], [3, 2]);
  assertEquals(new TextDecoder().decode(Uint8Array.from(outer.taken)), "abcde");
  assertEquals(new TextDecoder().decode(Uint8Array.from(inner.taken)), "xyzxyz");
});

test("Stream lendTo() passes on the true bytes of an end that lies about their length", async () => {
  const from = new FakeEnd();
  const given: number[] = [];
  const to = Object.assign(new FakeEnd(), {
    give: (buffers: readonly Uint8Array[]) => given.push(buffers[0].length) && buffers[0].length,
  });
  from.pieces.push(Object.defineProperty(bytesOf("hello"), "length", { value: 9999 }), null);
  await new Stream(from, names).lendTo(new Stream(to, names), same);
  assertEquals(given, [5]);
});

test("Stream lendTo() waits for the sink in the scope of the call, and can be cancelled there", async () => {
  const from = new FakeEnd();
  const to = new FakeEnd();
  const [source, sink] = [new Stream(from, names), new Stream(to, names)];
  await cancelling(() => {
    const joining = source.lendTo(sink, same);
    from.pieces.push(bytesOf("one"));
    runIn(undefined, () => source.readable());
    return joining;
  });
  assertEquals([from.pieces.length, to.taken], [1, []]);
  to.room = 9;
  assertEquals(await sink.write(bytesOf("next")), 4);
});

function same(count: number): number {
  return count;
}
