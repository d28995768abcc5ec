// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { BusyError, ClosedError } from "../../flow/errors.ts";
import { registerOwners } from "../../flow/_stream_end.ts";
import { Stream } from "../../flow/_stream.ts";
import type { StreamNames } from "../../flow/_half.ts";
import type { StreamEnd } from "../../flow/provider.ts";
import { Cancelled } from "../../switch/mod.ts";
import { bytesOf, inCancelledScope } from "../_helpers.ts";
import { test } from "../_test.ts";
import { cancelling } from "./_helpers.ts";

const names: StreamNames = {
  label: "fake",
  failure: (operation, cause) => new Error(`Cannot ${operation}: ${cause}`),
};

/** An end that does what it is told: `pieces` to read, and `room` to write. */
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

test("Stream pump() lends what comes until the end, without a promise for each piece", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const pieces: string[] = [];
  const pumping = stream.pump((bytes) => pieces.push(new TextDecoder().decode(bytes)) && bytes.length);
  for (const text of ["one", "two"]) {
    end.pieces.push(bytesOf(text));
    stream.readable();
    assertEquals(pieces[pieces.length - 1], text); // in the same turn
  }
  end.pieces.push(null);
  stream.readable();
  assertEquals([await pumping, pieces], [true, ["one", "two"]]);
});

test("Stream pump() whose borrower closes the stream is a ClosedError", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  end.pieces.push(bytesOf("one"), bytesOf("two"));
  const use = (bytes: Uint8Array) => (stream.close(), bytes.length);
  await assertRejects(() => stream.pump(use), ClosedError, "Cannot read");
});

test("Stream pump() throws what its borrower throws as it is, and keeps the bytes", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  const error = new Error("Cannot take this");
  end.pieces.push(bytesOf("one"));
  const thrown = await assertRejects(() =>
    stream.pump(() => {
      throw error;
    })
  );
  assertStrictEquals(thrown, error);
  assertEquals(await stream.read(new Uint8Array(9)), 3);
});

test("Stream pump() of an end that never waits stops now and then, so that others have their turn", async () => {
  const end = Object.assign(new FakeEnd(), { consume: () => {} });
  end.pieces.push(bytesOf("endless"));
  assertEquals(await new Stream(end, names).pump((bytes) => bytes.length), false);
});

test("Stream pump() may be told of more bytes while its borrower takes some", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  let size = 0;
  const pumping = stream.pump((bytes) => {
    if (size === 0) end.pieces.push(bytesOf("two"), null);
    stream.readable();
    return size += bytes.length, bytes.length;
  });
  end.pieces.push(bytesOf("one"));
  stream.readable();
  assertEquals([await pumping, size], [true, 6]);
});

test("Stream tryGive() throws the stream's own failure, and BusyError beside a write that waits", async () => {
  const end = new FakeEnd();
  const stream = new Stream(end, names);
  assertEquals(stream.tryGive([Uint8Array.of(1)]), 0);
  const writing = stream.write(Uint8Array.of(1));
  assertThrows(() => stream.tryGive([Uint8Array.of(2)]), BusyError);
  end.room = 1;
  stream.writable();
  await writing;
  end.write = () => {
    throw new Error("reset");
  };
  assertThrows(() => stream.tryGive([Uint8Array.of(2)]), Error, "Cannot write: Error: reset");
});

/** An end that notes, for each gift, whether it owns the memory. */
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

test("Stream pumpTo() gives away what the system has filled, and not what other code may reach", async () => {
  const from = new FakeEnd();
  registerOwners((end) => end === from);
  const to = recordingEnd();
  const source = new Stream(from, names);
  const pump = () => source.pumpTo(new Stream(to, names), () => {});
  from.pieces.push(bytesOf("new"));
  const pumping = pump();
  await source.lend(() => 0).catch((error) => assertEquals(error instanceof BusyError, true));
  from.pieces.push(null);
  source.readable();
  await pumping;
  assertEquals(to.owned, [true]);

  from.pieces.splice(0, 1, bytesOf("lent"), bytesOf("new"), null);
  await source.lend(() => 1);
  await pump();
  assertEquals(to.owned, [true, false, true]);

  from.pieces.splice(0, 1, bytesOf("lent"), null);
  await source.lend(() => Promise.reject(new Error("Cannot take"))).catch(() => {});
  await pump();
  assertEquals(to.owned, [true, false, true, false]);

  from.pieces.splice(0, 1, bytesOf("pumped"), bytesOf("new"), null);
  await source.pump(() => 0);
  await pump();
  assertEquals(to.owned, [true, false, true, false, false, true]);
});

test("Stream pumpTo() gives away nothing of an end that only claims to own its memory", async () => {
  const from = Object.assign(new FakeEnd(), { ownsMemory: true });
  const to = recordingEnd();
  from.pieces.push(bytesOf("a"), null);
  await new Stream(from, names).pumpTo(new Stream(to, names), () => {});
  assertEquals(to.owned, [false]);
});

test("Stream give() and tryGive() never give away the caller's memory, giveOwned() does", async () => {
  const to = recordingEnd();
  const stream = new Stream(to, names);
  await stream.give([bytesOf("a")]);
  stream.tryGive([bytesOf("b")]);
  await stream.giveOwned(bytesOf("c"));
  assertEquals(to.owned, [false, false, true]);
});

test("Stream pumpTo() passes on the true bytes of an end that lies about their length", async () => {
  const from = new FakeEnd();
  const given: number[] = [];
  const to = Object.assign(new FakeEnd(), {
    give: (buffers: readonly Uint8Array[]) => given.push(buffers[0].length) && buffers[0].length,
  });
  from.pieces.push(Object.defineProperty(bytesOf("hello"), "length", { value: 9999 }), null);
  await new Stream(from, names).pumpTo(new Stream(to, names), () => {});
  assertEquals(given, [5]);
});
