// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, describe } from "../base/internal.ts";
import { refused } from "../switch/internal.ts";
import { bytesProblem, vanished, viewOf } from "./_bytes.ts";
import { checkSource, lends, readSome } from "./_foreign.ts";
import { operation, rejection, silenced } from "./_operation.ts";
import { BufferLimitExceeded, EndOfFlow, labelOf } from "./errors.ts";
import { lend } from "./provider.ts";
import type { Source } from "./types.ts";

/** What {@linkcode readAll} allocates at first, in bytes. */
const firstSize = 16 * 1024;

/** Options for {@linkcode readAll}. */
export interface ReadAllOptions {
  /**
   * The most that may come, in bytes: a whole number of at least 0, or `Infinity`.
   *
   * @default {Infinity}
   */
  maxSize?: number | undefined;
}

/**
 * Fills the whole buffer. Where that fails or is cancelled, how much was read before is not known, and lost.
 *
 * @param source Where to read. It is not touched when `buffer` is empty.
 * @param buffer What to fill.
 * @throws {EndOfFlow} When the source ends before the buffer is full.
 * @throws {TypeError} When `source` is not a source, or returns an impossible count, or `buffer` is not a `Uint8Array`, or its memory is detached or shrunk
 * meanwhile.
 * @throws {Cancelled} When the current scope is cancelled.
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
 * Reads up to the end, and gives all of it in one piece. Where that fails or is cancelled, what was read before is
 * lost.
 *
 * Without `maxSize` the other side decides how much memory this takes.
 *
 * @param source Where to read.
 * @param options How much may come.
 * @returns Everything that was left in the source, in memory of its own.
 * @throws {BufferLimitExceeded} When more than `maxSize` bytes come.
 * @throws {RangeError} When `maxSize` is neither a whole number of at least 0 nor `Infinity`.
 * @throws {TypeError} When `source` is no source, or gives a count that cannot be.
 * @throws {Cancelled} When the current scope is cancelled.
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
    let buffer = new Uint8Array(Math.min(firstSize, maxSize + 1)); // one more, to see whether anything follows
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
 * Waits until a read would not have to wait: until a byte is there, or the end. Nothing is read, and no buffer is held
 * meanwhile, so that thousands of idle flows cost little.
 *
 * @param source What to wait for.
 * @throws {TypeError} When `source` is no source, or does not lend: {@linkcode cancellableSource} makes one that does.
 * @throws {Cancelled} When the current scope is cancelled.
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
  // No async function, whose frame an idle connection would keep.
  try {
    checkSource("wait for", source);
    if (!lends(source)) {
      throw new TypeError("Cannot wait for a source that does not lend: wrap it in cancellableSource");
    }
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    let lent = false;
    const use = () => {
      lent = true;
      return 0;
    };
    return silenced(Promise.resolve(source[lend](use)), (count) => {
      if (count === null || (lent && count === 0)) return;
      throw new TypeError(`Cannot read: the source lent ${describe(count)} bytes where none were taken`);
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
