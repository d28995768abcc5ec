// Copyright 2026 the Sluice authors. MIT license.

/** The shape of a check, and helpers that the checks share. */
import type { Closable, Sink, Source, TwoWay } from "../../../flow/mod.ts";
import { give, type GivingSink, lend, type LendingSource } from "../../../flow/internal.ts";
import { both, first, Switch, yieldNow } from "../../../switch/mod.ts";
import { expect, expectBytes, expectSame, pattern } from "../internal.ts";

/** One end of a connection. */
export type FlowEnd = TwoWay & Closable;

/** A capability that a flow may lack. */
export type FlowNeed = "clogged" | "halfClose" | "brokenWrites" | "fastPaths";

/** One check of the two ends of a connection, which the runner opens and closes. */
export interface FlowCheck {
  readonly name: string;
  /** What the flow must support for this check to run. */
  readonly needs?: readonly FlowNeed[];
  run(a: FlowEnd, b: FlowEnd): Promise<void>;
}

/** The most that a clogged flow may take while no one reads. */
const clogLimit = 64 * 1024 * 1024;

/** Encodes a text. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Waits `count` turns, in which everything that is ready runs. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await yieldNow();
}

/**
 * Runs `operation` for some turns and then cancels it. Returns its result, or `undefined` if it was
 * cancelled.
 */
export async function settleSoon<T>(operation: () => Promise<T>, patience = 20): Promise<T | undefined> {
  let value: T | undefined;
  await first(async () => {
    value = await operation();
  }, () => turns(patience));
  return value;
}

/** Runs `fn` in a cancelled scope. */
export async function inCancelledScope(fn: () => Promise<void>): Promise<void> {
  const reason = new Error("Cancelled by the check");
  try {
    await Switch.run(async (sw) => {
      sw.fail(reason);
      await fn();
    });
  } catch (error) {
    if (error !== reason) throw error;
  }
}

/** Reads exactly `size` bytes, which must be those of the pattern at `from`. */
export async function readPattern(source: Source, from: number, size: number): Promise<void> {
  for (let at = from; at < from + size;) {
    const bytes = await readOnce(source, Math.min(16 * 1024, from + size - at));
    expect(bytes !== null, `Expected ${size} bytes: the flow ended after ${at - from}`);
    expectBytes(bytes, pattern(at, bytes.length), `what was read from position ${at} on`);
    at += bytes.length;
  }
}

/**
 * Reads the rest: exactly `size` bytes of the pattern, and then the end. The other end closes
 * meanwhile, so that a lost byte shows as an early end; and not at once, so that an extra byte has
 * time to arrive. Both ends are closed then.
 */
export async function readRest(source: FlowEnd, other: FlowEnd, from: number, size: number): Promise<void> {
  await both(async () => {
    await turns(20);
    await other.close();
  }, async () => {
    await readPattern(source, from, size);
    await expectEnd(source);
    await source.close(); // so that the other end does not wait for it
  });
}

/** Returns the result of the next read. */
export async function readOnce(source: Source, size = 64): Promise<Uint8Array | null> {
  const buffer = new Uint8Array(size);
  const count = await source.read(buffer);
  if (count === null) return null;
  expect(
    Number.isInteger(count) && count >= 1 && count <= size,
    `Expected read() to count from 1 to ${size}: ${count}`,
  );
  return buffer.subarray(0, count);
}

/** Throws unless the source is at its end, and stays there. */
export async function expectEnd(source: Source): Promise<void> {
  for (let i = 0; i < 3; i++) expectSame(await source.read(new Uint8Array(1)), null, "the result of read() at the end");
}

/** Writes all of `bytes`, by as many writes as it takes. */
export async function writePieces(sink: Sink, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const count = await sink.write(bytes.subarray(done));
    const left = bytes.length - done;
    expect(
      Number.isInteger(count) && count >= 1 && count <= left,
      `Expected write() to count from 1 to ${left}: ${count}`,
    );
    done += count;
  }
}

/**
 * Writes the pattern at `from` to a flow until it takes no more; each attempt is cancelled in the
 * end. Returns how much was taken.
 */
export async function clog(put: (bytes: Uint8Array) => number | Promise<number>, from = 0): Promise<number> {
  let taken = 0;
  for (let refusals = 0; refusals < 3;) {
    const count = await settleSoon(async () => await put(pattern(from + taken, 16 * 1024)));
    refusals = count === undefined ? refusals + 1 : 0;
    taken += count ?? 0;
    expect(taken <= clogLimit, `Expected write() to wait while the other end does not read: ${taken} bytes were taken`);
  }
  return taken;
}

/** Casts a flow to one with fast paths. */
export function fast(flow: FlowEnd): FlowEnd & LendingSource & GivingSink {
  const { [lend]: lends, [give]: gives } = flow as Partial<LendingSource & GivingSink>;
  expect(
    typeof lends === "function" && typeof gives === "function",
    "Expected the flow to have the fast paths lend and give",
  );
  return flow as FlowEnd & LendingSource & GivingSink;
}
