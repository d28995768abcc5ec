// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { BufWriter, BusyError, ClosedError, FlushAborted } from "../../../flow/mod.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { Cancelled, Switch, yieldNow } from "../../../switch/mod.ts";
import { bytesOf, inCancelledScope, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { cancelling } from "../_helpers.ts";

test("BufWriter gives three small writes in one buffer", async () => {
  const writer = new BufWriter();
  writer.string("ab");
  writer.bytes(bytesOf("cd"));
  writer.byte(101);
  assertEquals(await textsOf(writer), ["abcde"]);
});

test("BufWriter gives a copy, a buffer by reference and a copy as one vector of three", async () => {
  const writer = new BufWriter();
  const scheduled = bytesOf("by reference");
  writer.string("copy ");
  writer.schedule(scheduled);
  writer.string(" copy");
  const batch = await writer.awaitBatch() ?? [];
  assertEquals(batch.map(textOf), ["copy ", "by reference", " copy"]);
  assertStrictEquals(batch[1].buffer, scheduled.buffer);
});

test("BufWriter replaces a buffer that is too small by one as large as the write", async () => {
  const writer = new BufWriter({ initialSize: 1 });
  for (const text of ["te", "st", "te", "st", "t", "e"]) writer.string(text);
  assertEquals(await textsOf(writer), ["te", "st", "te", "st", "te"]);
});

test("BufWriter allocates nothing before the first write, and then what initialSize says", async () => {
  const writer = new BufWriter({ initialSize: 10 });
  assertEquals([writer.freeBytes, writer.pendingBytes, writer.closed], [10, 0, false]);
  writer.string("abc");
  assertEquals([writer.freeBytes, writer.pendingBytes], [7, 3]);
  assertEquals((await writer.awaitBatch())?.[0].buffer.byteLength, 10);
  assertEquals(new BufWriter({ initialSize: undefined }).freeBytes, 4096);
});

test("BufWriter uses its buffer again once everything in it was taken", async () => {
  const writer = new BufWriter({ initialSize: 8 });
  writer.string("abcdef");
  const [first] = await writer.awaitBatch() ?? [];
  writer.shift(6);
  assertEquals([writer.freeBytes, writer.pendingBytes], [8, 0]);
  writer.string("gh");
  const [second] = await writer.awaitBatch() ?? [];
  assertStrictEquals(second.buffer, first.buffer);
});

test("BufWriter does not make all later buffers as large as one large write", async () => {
  const writer = new BufWriter();
  writer.bytes(new Uint8Array(1_000_000));
  writer.string("a");
  assertEquals((await writer.awaitBatch())?.map((bytes) => bytes.buffer.byteLength), [1_000_000, 65_536]);
  assertEquals(new BufWriter({ initialSize: 100_000 }).freeBytes, 100_000);
});

test("BufWriter copies what is written, so that the source may change", async () => {
  const writer = new BufWriter();
  const source = bytesOf("abc");
  writer.bytes(source);
  source.fill(0);
  assertEquals(await textsOf(writer), ["abc"]);
});

test("BufWriter.string() writes UTF-8 of every length, wherever the buffer ends", async () => {
  const units = ["a", "é", "日", "🦆", "\ud800", "x".repeat(40), "ü".repeat(40), "🦆".repeat(20)];
  for (const initialSize of [1, 2, 3, 7, 100, 4096]) {
    const writer = new BufWriter({ initialSize });
    for (const text of [...units, ...units.toReversed()]) writer.string(text);
    const all = (await writer.awaitBatch() ?? []).flatMap((bytes) => [...bytes]);
    assertEquals(Uint8Array.from(all), bytesOf([...units, ...units.toReversed()].join("\u0000")).filter((b) => b > 0));
  }
});

test("BufWriter writes nothing for what is empty", async () => {
  const writer = new BufWriter();
  writer.string("");
  writer.bytes(new Uint8Array(0));
  writer.schedule(new Uint8Array(0));
  assertEquals([writer.pendingBytes, writer.freeBytes], [0, 4096]);
  writer.close();
  assertEquals(await writer.awaitBatch(), null);
});

test("BufWriter writes every width and order of numbers", async () => {
  const writer = new BufWriter();
  const written = async (write: () => void) => {
    write();
    const bytes = (await writer.awaitBatch())?.[0].slice() ?? new Uint8Array(0);
    writer.shift(bytes.length);
    return [...bytes];
  };
  assertEquals(await written(() => writer.byte(255)), [255]);
  assertEquals(await written(() => writer.uint8(1)), [1]);
  assertEquals(await written(() => writer.uint16be(0x0102)), [1, 2]);
  assertEquals(await written(() => writer.uint16le(0x0102)), [2, 1]);
  assertEquals(await written(() => writer.uint32be(0xf1020304)), [0xf1, 2, 3, 4]);
  assertEquals(await written(() => writer.uint32le(0xf1020304)), [4, 3, 2, 0xf1]);
  assertEquals(await written(() => writer.uint48be(0xf10203040506)), [0xf1, 2, 3, 4, 5, 6]);
  assertEquals(await written(() => writer.uint48le(0xf10203040506)), [6, 5, 4, 3, 2, 0xf1]);
  assertEquals(await written(() => writer.uint64be(0xf102030405060708n)), [0xf1, 2, 3, 4, 5, 6, 7, 8]);
  assertEquals(await written(() => writer.uint64le(0xf102030405060708n)), [8, 7, 6, 5, 4, 3, 2, 0xf1]);
  assertEquals(await written(() => writer.float32be(-0.5)), [0xbf, 0, 0, 0]);
  assertEquals(await written(() => writer.float32le(-0.5)), [0, 0, 0, 0xbf]);
  assertEquals(await written(() => writer.float64be(1)), [0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
  assertEquals(await written(() => writer.float64le(1)), [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
});

test("BufWriter refuses a number out of range, and writes nothing of it", () => {
  const writer = new BufWriter();
  const wholes = [["byte", 8], ["uint8", 8], ["uint16be", 16], ["uint16le", 16], ["uint32be", 32]] as const;
  const more = [["uint32le", 32], ["uint48be", 48], ["uint48le", 48]] as const;
  for (const [name, bits] of [...wholes, ...more]) {
    for (const bad of [-1, 2 ** bits, 0.5, NaN, Infinity]) {
      const rule = `Cannot write ${bad} as uint${bits}: must be a whole number from 0 to ${2 ** bits - 1}`;
      assertThrows(() => writer[name](bad), RangeError, rule);
    }
    assertThrows(() => writer[name]("1" as unknown as number), TypeError, "must be a number");
  }
  for (const name of ["uint64be", "uint64le"] as const) {
    for (const bad of [-1n, 2n ** 64n]) assertThrows(() => writer[name](bad), RangeError, `Cannot write ${bad} as`);
    assertThrows(() => writer[name](1 as unknown as bigint), TypeError, "must be a bigint");
  }
  for (const name of ["float32be", "float32le"] as const) {
    assertThrows(() => writer[name](1e39), RangeError, "Cannot write 1e+39 as float32");
    assertThrows(() => writer[name](1n as unknown as number), TypeError, "must be a number");
  }
  assertThrows(() => writer.float64be("1" as unknown as number), TypeError, "must be a number");
  assertEquals(writer.pendingBytes, 0);
});

test("BufWriter writes the floating point numbers that are no finite ones", async () => {
  const writer = new BufWriter();
  for (const value of [NaN, Infinity, -Infinity, -0]) writer.float32be(value);
  assertEquals([...(await writer.awaitBatch())?.[0] ?? []], [
    ...[0x7f, 0xc0, 0, 0],
    ...[0x7f, 0x80, 0, 0],
    ...[0xff, 0x80, 0, 0],
    ...[0x80, 0, 0, 0],
  ]);
});

test("BufWriter is still usable after a bad argument", async () => {
  const writer = new BufWriter();
  writer.string("a");
  for (const name of ["string", "bytes", "schedule", "byte", "shift"] as const) {
    assertThrows(() => (writer[name] as (bad: unknown) => void)({}), TypeError);
  }
  writer.string("b");
  assertEquals(await textsOf(writer), ["ab"]);
});

test("BufWriter with a size that is none throws", () => {
  for (const initialSize of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => new BufWriter({ initialSize }), RangeError, "as initialSize: must be a whole number >= 1");
  }
});

test("BufWriter.awaitBatch() begins with what is left of a batch that was taken in part", async () => {
  const writer = new BufWriter({ initialSize: 2 });
  for (const text of ["ab", "cd", "ef"]) writer.string(text);
  await writer.awaitBatch();
  writer.shift(3);
  writer.string("gh");
  assertEquals([await textsOf(writer), writer.pendingBytes], [["d", "ef", "gh"], 5]);
});

test("BufWriter.awaitBatch() waits for something to write, and gives all of one turn", async () => {
  const writer = new BufWriter();
  const batch = writer.awaitBatch();
  writer.string("a");
  await Promise.resolve();
  writer.string("b");
  assertEquals((await batch)?.map(textOf), ["ab"]);
});

test("BufWriter.awaitBatch() with nothing to write can be cancelled", async () => {
  const writer = new BufWriter();
  await cancelling(() => writer.awaitBatch());
  await cancelling(() => writer.awaitBatch(), yieldNow);
  await cancelling(() => writer.awaitBatch(), () => writer.string("a"));
  assertEquals(await textsOf(writer), ["a"]);
  await inCancelledScope(() => assertRejects(() => writer.awaitBatch(), Cancelled));
});

test("BufWriter.awaitBatch() that is woken, paused and cancelled in one turn is cancelled", async () => {
  const writer = new BufWriter();
  const running = () =>
    Switch.run(async (sw) => {
      const batch = sw.forkPromise(() => writer.awaitBatch());
      writer.string("a");
      writer.flush();
      writer.pause();
      sw.fail(new Error("Cannot go on"));
      await assertRejects(() => batch, Cancelled);
    });
  await assertRejects(running, Error, "Cannot go on");
});

test("BufWriter.awaitBatch() is one at a time", async () => {
  const writer = new BufWriter();
  const waiting = writer.awaitBatch();
  await assertRejects(() => writer.awaitBatch(), BusyError);
  writer.close();
  assertEquals(await waiting, null);
});

test("BufWriter.pause() holds back until unpause(), and then all goes together", async () => {
  const writer = new BufWriter();
  const batch = writer.awaitBatch();
  writer.string("foo");
  writer.pause();
  let got = false;
  batch.then(() => got = true);
  await yieldNow();
  await yieldNow();
  assert(!got);
  writer.unpause();
  writer.string("bar");
  assertEquals((await batch)?.map(textOf), ["foobar"]);
});

test("BufWriter.flush() and close() end a pause", async () => {
  for (const end of [(writer: BufWriter) => void writer.flush(), (writer: BufWriter) => writer.close()]) {
    const writer = new BufWriter();
    writer.pause();
    writer.string("a");
    const batch = writer.awaitBatch();
    end(writer);
    assertEquals((await batch)?.map(textOf), ["a"]);
    writer.shift(1);
  }
});

test("BufWriter.flush() with nothing pending is immediate", async () => {
  const writer = new BufWriter();
  await writer.flush();
  writer.string("a");
  writer.shift(1);
  await writer.flush();
  writer.close();
  await writer.flush();
});

test("BufWriter.flush() waits until what was written before was taken, in order", async () => {
  const writer = new BufWriter();
  const done: number[] = [];
  for (const i of [1, 2, 3]) {
    writer.string("ab");
    writer.flush().then(() => done.push(i));
  }
  const steps: [size: number, expected: number[]][] = [[1, []], [2, [1]], [1, [1, 2]], [1, [1, 2]], [1, [1, 2, 3]]];
  for (const [size, expected] of steps) {
    writer.shift(size);
    await yieldNow();
    assertEquals(done, expected);
  }
});

test("BufWriter.flush() that is cancelled leaves the bytes and the other flushes alone", async () => {
  const writer = new BufWriter();
  writer.string("ab");
  await cancelling(() => writer.flush(), yieldNow);
  const flushing = writer.flush();
  assertEquals(await textsOf(writer), ["ab"]);
  writer.shift(2);
  await flushing;
  await inCancelledScope(() => assertRejects(() => writer.flush(), Cancelled));
});

test("BufWriter.flush() without await is not an unhandled rejection", async () => {
  const writer = new BufWriter();
  writer.string("a");
  writer.flush();
  writer.abort();
  writer.flush();
  await yieldNow();
});

test("BufWriter.close() forbids writing, and lets the rest go out", async () => {
  const writer = new BufWriter();
  writer.string("a");
  writer.close();
  writer.close();
  for (const write of writesOf(writer)) {
    assertThrows(write, ClosedError, "Cannot write: the writer is closed");
  }
  assertEquals([await textsOf(writer), writer.closed], [["a"], true]);
  writer.shift(1);
  assertEquals(await writer.awaitBatch(), null);
});

test("BufWriter.abort() drops what is pending, and fails the flushes", async () => {
  const writer = new BufWriter();
  writer.string("a");
  const flushes = [writer.flush(), writer.flush()];
  writer.abort();
  writer.abort();
  for (const flush of [...flushes, writer.flush()]) await assertRejects(() => flush, FlushAborted);
  assertEquals([await writer.awaitBatch(), writer.pendingBytes, writer.freeBytes, writer.closed], [null, 0, 0, true]);
  for (const write of writesOf(writer)) assertThrows(write, ClosedError, "Cannot write: the writer was aborted");
});

test("BufWriter.abort() wakes who waits for a batch", async () => {
  const writer = new BufWriter();
  const batch = writer.awaitBatch();
  writer.pause();
  writer.string("a");
  writer.abort();
  assertEquals(await batch, null);
});

test("BufWriter.abort() after everything was taken changes nothing", async () => {
  const writer = new BufWriter();
  writer.string("a");
  writer.close();
  writer.shift(1);
  writer.abort();
  await writer.flush();
});

test("BufWriter.abort() between a batch and who has waited for it leaves nothing to take", async () => {
  const writer = new BufWriter();
  writer.string("abc");
  const batch = writer.awaitBatch(); // decided, but not settled
  writer.abort();
  assertEquals(await batch, null);
});

test("BufWriter.shift() after an abort changes nothing, for what was taken has been dropped", async () => {
  const writer = new BufWriter();
  writer.string("abc");
  const batch = await writer.awaitBatch();
  writer.abort();
  writer.shift(batch?.[0].length ?? 0);
  assertThrows(() => writer.shift(-1), RangeError);
  assertEquals([writer.pendingBytes, await writer.awaitBatch()], [0, null]);
});

test("BufWriter.shift() of more than is pending is a RangeError, and drops nothing", () => {
  const writer = new BufWriter();
  writer.string("abc");
  assertThrows(() => writer.shift(4), RangeError, "Cannot use 4 as size: must be a whole number from 0 to 3");
  for (const bad of [-1, 0.5, NaN]) assertThrows(() => writer.shift(bad), RangeError);
  writer.shift(0);
  assertEquals(writer.pendingBytes, 3);
});

test("BufWriter is aborted when its switch finishes with a flush pending", async () => {
  let flushing: Promise<void> | undefined;
  let made: BufWriter | undefined;
  await Switch.run((sw) => {
    const writer = made = new BufWriter({ sw });
    writer.string("a");
  });
  await assertRejects(() => made?.flush() ?? Promise.resolve(), FlushAborted);
  await Switch.run(async (outer) => {
    await Switch.run((sw) => {
      const writer = new BufWriter({ sw });
      writer.string("a");
      flushing = outer.forkPromise(() => writer.flush());
    });
    await assertRejects(() => flushing ?? Promise.resolve(), FlushAborted);
  });
});

test("BufWriter leaves its switch when it is closed and drained, or aborted", async () => {
  await Switch.run((sw) => {
    const before = sw.dump();
    for (let i = 0; i < 3; i++) {
      const writer = new BufWriter({ sw });
      assert(sw.dump().includes("resource: BufWriter"));
      if (i > 0) writer.string("a");
      if (i === 2) writer.abort();
      writer.close();
      if (i === 1) writer.shift(1);
      assertEquals(sw.dump(), before);
    }
  });
});

test("BufWriter is not made on a switch that is over", async () => {
  let late: Switch | undefined;
  await Switch.run((sw) => late = sw);
  assertThrows(() => new BufWriter({ sw: late }), TypeError, "the switch is finished");
  assertThrows(() => new BufWriter({ sw: {} as Switch }), TypeError, "must be a Switch");
  await assertRejects(
    () =>
      Switch.run((sw) => {
        sw.fail(new Error("Cannot go on"));
        assertThrows(() => new BufWriter({ sw }), Cancelled);
      }),
    Error,
    "Cannot go on",
  );
});

test("BufWriter gives a million scheduled pieces without falling behind", async () => {
  const writer = new BufWriter();
  const piece = pattern(0, 3);
  for (let i = 0; i < 1_000_000; i++) writer.schedule(piece);
  for (let i = 0; i < 50; i++) writer.shift(60_000);
  writer.close();
  assertEquals(await writer.awaitBatch(), null);
});

test("BufWriter cannot be tampered with", () => {
  assert(Object.isFrozen(new BufWriter()) && Object.isFrozen(BufWriter.prototype));
});

function writesOf(writer: BufWriter): (() => void)[] {
  return [
    () => writer.string("a"),
    () => writer.string(""),
    () => writer.string("x".repeat(100)),
    () => writer.bytes(bytesOf("a")),
    () => writer.byte(1),
    () => writer.uint64be(1n),
    () => writer.float32le(1),
    () => writer.schedule(bytesOf("a")),
  ];
}

async function textsOf(writer: BufWriter): Promise<string[]> {
  return (await writer.awaitBatch() ?? []).map(textOf);
}
