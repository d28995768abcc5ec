// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { BufReader, BufWriter, ClosedError, FlushAborted, type Sink, withBufWriter } from "../../../flow/mod.ts";
import { give } from "../../../flow/provider.ts";
import { Cancelled, first, yieldNow } from "../../../switch/mod.ts";
import { bytesOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";

type Op =
  | readonly [kind: "string" | "bytes" | "schedule", text: string]
  | readonly [kind: "uint32be", value: number]
  | readonly [kind: "flush" | "await flush" | "pause" | "unpause" | "turn" | "tick" | "close" | "abort"];

const text = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "é", "日", "🦆"), maxLength: 12 }),
  fc.string({ unit: "grapheme", maxLength: 6 }),
  fc.constantFrom("x".repeat(70), "é".repeat(50)),
);
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 10, arbitrary: fc.tuple(fc.constantFrom("string", "bytes", "schedule"), text) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("uint32be"), fc.nat(2 ** 31)) },
  { weight: 8, arbitrary: fc.tuple(fc.constantFrom("flush", "await flush", "pause", "unpause", "turn", "tick")) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("close", "abort")) },
);
const script = fc.record({
  ops: fc.array(op, { maxLength: 30 }),
  initialSize: fc.constantFrom(1, 2, 7, 64, undefined),
  counts: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 }),
  waits: fc.boolean(),
  gives: fc.boolean(),
  failAt: fc.option(fc.nat(100), { freq: 3, nil: undefined }),
  throws: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
  stopAfter: fc.option(fc.nat(12), { freq: 3, nil: undefined }),
});
type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

const sinkFailure = new Error("Cannot write");
const bodyFailure = new Error("Cannot go on");

/** A sink that follows a script, and keeps the bytes of `give` by reference. */
function scriptedSink({ counts, waits, gives, failAt }: Script) {
  const pieces: Uint8Array[] = [];
  let taken = 0;
  let calls = 0;
  const accept = async (buffers: readonly Uint8Array[], copies: boolean) => {
    if (waits) await yieldNow();
    if (failAt !== undefined && taken >= failAt) throw sinkFailure;
    let left = Math.min(counts[calls++ % counts.length], (failAt ?? Infinity) - taken);
    let count = 0;
    for (const bytes of buffers) {
      const part = bytes.subarray(0, left);
      pieces.push(copies ? part.slice() : part);
      left -= part.length;
      count += part.length;
    }
    taken += count;
    return count;
  };
  const sink: Sink = {
    write: (bytes) => accept([bytes], true),
    ...(gives ? { [give]: (buffers: readonly Uint8Array[]) => accept(buffers, false) } : {}),
  };
  return {
    sink,
    taken: () => taken,
    bytes: () => Uint8Array.from(pieces.flatMap((piece) => [...piece])),
  };
}

test("withBufWriter() passes on what a plain model says, however the sink takes it, fails or is cancelled", async () => {
  await fc.assert(fc.asyncProperty(script, runScript), { numRuns: 600 });
});

async function runScript(script: Script): Promise<void> {
  const { sink, taken, bytes } = scriptedSink(script);
  const expected: number[] = [];
  const flushed: number[] = [];
  const scheduled: { bytes: Uint8Array; end: number }[] = [];
  let flushes = 0;
  let unsettled = 0;
  let closed = false;
  let aborted = false;
  const outcome = { value: undefined as number | undefined, error: undefined as unknown, ended: false };

  const flush = async (w: BufWriter) => {
    const id = flushes++;
    const offset = expected.length;
    unsettled++;
    try {
      await w.flush();
      assert(taken() >= offset, "flushed too early");
      if (aborted) return; // nothing was left to wait for
      flushed.push(id);
      for (const { bytes, end } of scheduled) if (end <= offset) bytes.fill(0); // the caller may reuse it
    } finally {
      unsettled--;
    }
  };
  const ofAbort = (error: unknown) => {
    if (!(aborted && error instanceof FlushAborted)) throw error;
  };
  const body = async (w: BufWriter) => {
    for (const [kind, argument] of script.ops) {
      if (closed && argument !== undefined) {
        assertRefused(w, kind, argument);
        continue;
      }
      const written = typeof argument === "string" ? bytesOf(argument) : new Uint8Array(0);
      if (kind === "string") w.string(argument);
      else if (kind === "bytes") w.bytes(written);
      else if (kind === "uint32be") {
        w.uint32be(argument);
        expected.push(argument >>> 24, argument >>> 16 & 255, argument >>> 8 & 255, argument & 255);
      } else if (kind === "schedule") {
        w.schedule(written);
        scheduled.push({ bytes: written, end: expected.length + written.length });
      } else if (kind === "flush") flush(w).catch(() => {});
      else if (kind === "await flush") await flush(w).catch(ofAbort);
      else if (kind === "abort" || kind === "close") {
        if (kind === "abort") aborted ||= !w.closed || w.pendingBytes > 0;
        closed = true;
        w[kind]();
        assertEquals([aborted && w.pendingBytes > 0, w.closed], [false, true]);
      } else if (kind === "turn") await yieldNow();
      else if (kind === "tick") await Promise.resolve();
      else w[kind]();
      if (typeof argument === "string") expected.push(...bytesOf(argument));
      if (kind === "bytes") written.fill(0); // copied
    }
    if (script.throws) throw bodyFailure;
    return 1;
  };

  await first(async () => {
    try {
      outcome.value = await withBufWriter(sink, body, { initialSize: script.initialSize });
    } catch (error) {
      outcome.error = error;
    }
    outcome.ended = true;
    assertEquals(unsettled, 0);
  }, async () => {
    for (let i = 0; script.stopAfter === undefined || i < script.stopAfter; i++) await yieldNow();
  });

  assert(outcome.ended);
  const all = Uint8Array.from(expected);
  assertEquals(bytes(), all.subarray(0, taken()));
  assertEquals(flushed, flushed.toSorted((a, b) => a - b));
  const whole = taken() === all.length;
  if (outcome.value === 1) {
    assert(whole || aborted);
    assert(flushed.length === flushes || aborted || script.stopAfter !== undefined);
  } else if (outcome.error === bodyFailure) assert(whole || aborted || script.stopAfter !== undefined);
  else if (outcome.error === sinkFailure) assertEquals(taken(), script.failAt);
  else if (outcome.error instanceof AggregateError) assertEquals(outcome.error.errors, [bodyFailure, sinkFailure]);
  else assert(outcome.error instanceof Cancelled && script.stopAfter !== undefined, String(outcome.error));
}

/**
 * Asserts that writing to a closed writer fails, and changes nothing. Cancellations are passed on.
 */
function assertRefused(w: BufWriter, kind: Op[0], argument: string | number): void {
  const { pendingBytes } = w;
  try {
    if (kind === "uint32be") w.uint32be(argument as number);
    else if (kind === "string") w.string(argument as string);
    else w[kind as "bytes" | "schedule"](bytesOf(argument as string));
  } catch (error) {
    if (!(error instanceof ClosedError)) throw error;
    assertEquals(w.pendingBytes, pendingBytes);
    return;
  }
  throw new Error(`Expected ${kind} to throw`);
}

test("BufWriter gives by batches what a plain model says, however they are taken", async () => {
  const steps = fc.array(fc.oneof(op, fc.tuple(fc.constant("take" as const), fc.nat(20))), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(1, 2, 7, 64, undefined), async (steps, initialSize) => {
      const writer = new BufWriter({ initialSize });
      let left: number[] = [];
      let flushing = 0;
      let aborted = false;
      for (const [kind, argument] of steps) {
        if (kind === "take") {
          if (left.length === 0) {
            if (writer.closed) assertEquals(await writer.awaitBatch(), null);
            continue;
          }
          writer.unpause();
          const batch = await writer.awaitBatch() ?? [];
          assert(batch.every(({ length }) => length > 0));
          assertEquals(batch.flatMap((bytes) => [...bytes]), left);
          const size = Math.min(argument, left.length);
          writer.shift(size);
          left = left.slice(size);
        } else if (writer.closed && argument !== undefined) assertRefused(writer, kind, argument);
        else if (kind === "uint32be") {
          writer.uint32be(argument);
          left.push(argument >>> 24, argument >>> 16 & 255, argument >>> 8 & 255, argument & 255);
        } else if (kind === "string" || kind === "bytes" || kind === "schedule") {
          if (kind === "string") writer.string(argument);
          else writer[kind](bytesOf(argument));
          left.push(...bytesOf(argument));
        } else if (kind === "flush" || kind === "await flush") {
          flushing++;
          writer.flush().then(() => flushing--, (error) => {
            assertInstanceOf(error, FlushAborted);
            assert(aborted);
            flushing--;
          });
        } else if (kind === "close") writer.close();
        else if (kind === "abort") {
          aborted ||= !writer.closed || left.length > 0;
          writer.abort();
          writer.shift(left.length); // of a batch that was being written
          left = [];
        } else if (kind === "pause" || kind === "unpause") writer[kind]();
        assertEquals(writer.pendingBytes, left.length);
      }
      writer.shift(left.length);
      writer.close();
      assertEquals(await writer.awaitBatch(), null);
      await yieldNow();
      assertEquals(flushing, 0);
    }),
    { numRuns: 400 },
  );
});

const uint = (bits: number) => fc.oneof(fc.maxSafeNat().map((n) => n % 2 ** bits), fc.constant(2 ** bits - 1));
const values: Record<string, fc.Arbitrary<number | bigint>> = {
  uint8: uint(8),
  uint16be: uint(16),
  uint16le: uint(16),
  uint32be: uint(32),
  uint32le: uint(32),
  uint48be: uint(48),
  uint48le: uint(48),
  uint64be: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  uint64le: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  float32be: fc.float(),
  float32le: fc.float(),
  float64be: fc.double(),
  float64le: fc.double(),
};

test("BufWriter and BufReader carry every number there and back", async () => {
  const numbers = fc.array(
    fc.oneof(...Object.entries(values).map(([name, value]) => fc.tuple(fc.constant(name), value))),
    { maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(numbers, fc.integer({ min: 1, max: 20 }), async (numbers, initialSize) => {
      const writer = new BufWriter({ initialSize });
      for (const [name, value] of numbers) {
        (writer[name as keyof BufWriter] as (value: number | bigint) => void)(value);
      }
      writer.close();
      const batch = await writer.awaitBatch() ?? [];
      const reader = BufReader.of(Uint8Array.from(batch.flatMap((bytes) => [...bytes])));
      for (const [name, value] of numbers) {
        const got = await (reader[name as keyof BufReader] as () => Promise<number | bigint>)();
        assert(Object.is(got, value), `${name} ${value}: ${got}`);
      }
      assert(await reader.atEnd());
    }),
    { numRuns: 300 },
  );
});

test("BufWriter.string() and BufReader.lines() carry every text there and back", async () => {
  const line = fc.string({ unit: "grapheme", maxLength: 30 }).filter((line) => !/[\r\n]/.test(line));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 40 }), fc.constantFrom("\n", "\r\n"), async (lines, end) => {
      const writer = new BufWriter({ initialSize: 16 });
      for (const line of lines) writer.string(line + end);
      const batch = await (writer.close(), writer.awaitBatch()) ?? [];
      const reader = BufReader.of(Uint8Array.from(batch.flatMap((bytes) => [...bytes])));
      assertEquals(await Array.fromAsync(reader.lines()), lines);
    }),
    { numRuns: 200 },
  );
});
