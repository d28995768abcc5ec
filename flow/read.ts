// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, describe } from "../base/internal.ts";
import { refused } from "../switch/internal.ts";
import { bytesProblem, vanished, viewOf } from "./_bytes.ts";
import { checkSource, jointOf, lends, type Outlet, readSome } from "./_foreign.ts";
import { ignore, operation, rejection, same, silenced } from "./_operation.ts";
import { BufferLimitExceeded, EndOfFlow, labelOf } from "./errors.ts";
import { lend } from "./provider.ts";
import type { Source } from "./types.ts";

/** What {@linkcode readAll} allocates at first, in bytes. */
const firstSize = 16 * 1024;

/** Options for {@linkcode readAll}. */
export interface ReadAllOptions {
  /**
   * The most bytes to read: a whole number of at least 0, or `Infinity`.
   *
   * @default {Infinity}
   */
  maxSize?: number | undefined;
}

/**
 * Fills the whole buffer. If that fails or is cancelled, what was read before is lost, and its
 * length is unknown.
 *
 * @param source The source to read from. It is not touched if `buffer` is empty.
 * @param buffer The buffer to fill.
 * @throws {EndOfFlow} If the source ends before the buffer is full.
 * @throws {TypeError} If `source` is not a `Source`, or returns an invalid byte count, or `buffer`
 * is not a `Uint8Array`, or its memory is detached or shrunk meanwhile.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example A header of four bytes
 * ```ts
 * import { readExact, stringSource } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const header = new Uint8Array(4);
 * await readExact(stringSource("SLUI and more"), header);
 * assertEquals(new TextDecoder().decode(header), "SLUI");
 * ```
 */
export function readExact(source: Source, buffer: Uint8Array): Promise<void> {
  return operation(async () => {
    checkSource("read from", source);
    const problem = bytesProblem(buffer);
    if (problem !== undefined) throw problem;
    const refusal = refused();
    if (refusal !== undefined) await refusal;
    const view = viewOf(buffer);
    const { length } = view;
    for (let filled = 0; filled < length;) {
      const count = await readSome(source, view.subarray(filled));
      if (view.length !== length) throw vanished("read");
      if (count === null) throw new EndOfFlow(`Cannot read ${length} bytes: the flow ended after ${filled}`);
      filled += count;
    }
  });
}

/**
 * Reads until the end, and returns everything in one piece. If that fails or is cancelled, what was
 * read before is lost.
 *
 * Without `maxSize` the peer decides how much memory this takes.
 *
 * @param source The source to read from.
 * @param options The most to read.
 * @returns Everything that was left in the source, in new memory.
 * @throws {BufferLimitExceeded} If the source has more than `maxSize` bytes.
 * @throws {RangeError} If `maxSize` is neither a whole number of at least 0 nor `Infinity`.
 * @throws {TypeError} If `source` is not a `Source`, or returns an invalid byte count.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example A short answer
 * ```ts
 * import { readAll, stringSource } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const all = await readAll(stringSource("hello"), { maxSize: 1024 });
 * assertEquals(new TextDecoder().decode(all), "hello");
 * ```
 */
export function readAll(source: Source, options?: ReadAllOptions): Promise<Uint8Array<ArrayBuffer>> {
  return operation(async () => {
    checkSource("read from", source);
    checkOptions("read all", options);
    const { maxSize = Infinity } = options ?? {};
    if (maxSize !== Infinity && !Number.isSafeInteger(maxSize) || maxSize < 0) {
      const value = typeof maxSize === "number" ? maxSize : describe(maxSize);
      throw new RangeError(`Cannot read all as maxSize must be a whole number >= 0: current value is ${value}`);
    }
    let buffer = new Uint8Array(Math.min(firstSize, maxSize + 1)); // one more, to detect excess bytes
    let size = 0;
    while (true) {
      const count = await readSome(source, buffer.subarray(size));
      if (buffer.length === 0) throw vanished("read"); // a foreign source has detached it
      if (count === null) return buffer.slice(0, size);
      size += count;
      if (size > maxSize) throw new BufferLimitExceeded(maxSize, { flow: labelOf(source) });
      if (size === buffer.length) buffer = grown(buffer, maxSize + 1);
    }
  });
}

/**
 * Waits until a read would not wait: until a byte has arrived, or the end. It reads nothing and
 * holds no buffer meanwhile, so thousands of idle flows cost little.
 *
 * @param source The source to wait for.
 * @throws {TypeError} If `source` is not a `Source`, or does not lend:
 * {@linkcode cancellableSource} makes one that does.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example A buffer only when there is something to put into it
 * ```ts
 * import { copyString, pipe, readable } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const [a, b] = pipe();
 * const waiting = readable(a);
 * await copyString("hello", b);
 * await waiting;
 * assertEquals(await a.read(new Uint8Array(16)), 5);
 * ```
 */
export function readable(source: Source): Promise<void> {
  // Not an async function: an idle connection would keep its frame.
  try {
    checkSource("wait for", source);
    if (!lends(source)) {
      throw new TypeError("Cannot wait for a source that does not lend: wrap it in cancellableSource");
    }
    const joint = jointOf(source);
    if (joint !== undefined) return silenced(joint.lendTo(takesNothing, same), ignore);
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    let lent = false;
    const use = () => {
      lent = true;
      return 0;
    };
    return silenced(Promise.resolve(source[lend](use)), (count) => {
      if (count === null || (lent && count === 0)) return;
      const problem = lent ? "0 were taken" : "lent none";
      throw new TypeError(`Cannot read: the source reported ${describe(count)} bytes, but ${problem}`);
    });
  } catch (error) {
    return rejection(error);
  }
}

function grown(buffer: Uint8Array<ArrayBuffer>, limit: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(buffer.length * 2, limit));
  larger.set(buffer);
  return larger;
}

/** An outlet that only learns that there are bytes. */
const takesNothing: Outlet = { take: () => 0 };
