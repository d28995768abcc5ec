// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../base/internal.ts";
import { buffersProblem, bytesProblem, encode, vanished, viewOf } from "./_bytes.ts";
import { checkSource, lendOne, lends, readSome } from "./_foreign.ts";
import { pulledSource } from "./_pull_source.ts";
import { writeLimit } from "./_half.ts";
import type { LendingSource } from "./provider.ts";
import type { Source } from "./types.ts";

/**
 * A source that gives a text, as UTF-8.
 *
 * @param text What to give.
 * @returns The source. It lends.
 * @throws {TypeError} When `text` is no string.
 *
 * @example A text as input
 * ```ts
 * import { readAll, stringSource } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await readAll(stringSource("abc")), Uint8Array.of(97, 98, 99));
 * ```
 */
export function stringSource(text: string): LendingSource {
  if (typeof text !== "string") throw new TypeError(`Cannot make a source of ${describe(text)}: must be a string`);
  return listSource([encode(text)], true);
}

/**
 * A source that gives bytes from memory, piece by piece.
 *
 * @param bytes What to give. It is not copied, so it must not change before it has been read.
 * @returns The source. It lends.
 * @throws {TypeError} When a piece is no byte array.
 *
 * @example Two pieces
 * ```ts
 * import { bytesSource, readAll } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await readAll(bytesSource(Uint8Array.of(1, 2), Uint8Array.of(3))), Uint8Array.of(1, 2, 3));
 * ```
 */
export function bytesSource(...bytes: readonly Uint8Array[]): LendingSource {
  const problem = buffersProblem(bytes);
  if (problem !== undefined) throw problem;
  return listSource(bytes.map((piece) => viewOf(piece)), false);
}

/**
 * A source that gives what an iterable gives.
 *
 * Each piece is asked for when a read finds nothing left, in the scope in which the source was made, however the
 * reader's scope fares. A cancelled read loses nothing: the piece goes to the next reader. What the iterable throws is
 * thrown by every later read. The iterable is never told to stop early, as a source cannot be closed.
 *
 * @param chunks What gives the pieces. Empty ones are skipped; one that has been given must not change before it has
 * been read.
 * @returns The source. It lends.
 * @throws {TypeError} When `chunks` cannot be iterated over. A piece that is no byte array fails the read.
 *
 * @example A generator as input
 * ```ts
 * import { fromIterable, readAll } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * async function* numbers() {
 *   for (let i = 0; i < 3; i++) yield await Promise.resolve(Uint8Array.of(i));
 * }
 * assertEquals(await readAll(fromIterable(numbers())), Uint8Array.of(0, 1, 2));
 * ```
 */
export function fromIterable(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): LendingSource {
  const methods = chunks as Partial<Iterable<Uint8Array> & AsyncIterable<Uint8Array>> | null | undefined;
  const later = methods?.[Symbol.asyncIterator]?.();
  if (later !== undefined) {
    return pulledSource(async () => bytesOf(await later.next()), { keep: false, retry: false });
  }
  const now = methods?.[Symbol.iterator]?.();
  if (now === undefined) throw new TypeError(`Cannot make a source of ${describe(chunks)}: must be iterable`);
  return pulledSource(() => bytesOf(now.next()), { keep: false, retry: false });
}

/**
 * Goes through what a source gives. Nothing is read ahead, and leaving the loop closes nothing, so that the rest can be
 * read by other means.
 *
 * @param source Where to read.
 * @returns The pieces, as they come. Each is at most 64 KiB or as large as what the source lends, and lies in memory of
 * its own.
 * @throws {TypeError} When `source` is no source, or gives a count that cannot be.
 * @throws {Cancelled} When the scope of the loop is cancelled.
 *
 * @example A loop
 * ```ts
 * import { chunks, stringSource } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * let size = 0;
 * for await (const chunk of chunks(stringSource("hello"))) size += chunk.length;
 * assertEquals(size, 5);
 * ```
 */
export async function* chunks(source: Source): AsyncIterable<Uint8Array<ArrayBuffer>> {
  checkSource("read from", source);
  for (let chunk; (chunk = await nextChunk(source)) !== null;) yield chunk;
}

Object.freeze(chunks.prototype); // what it returns inherits this

/**
 * Makes a source cancellable that is not, such as standard input or a file: a read that is cancelled settles at once,
 * while the underlying read goes on, and what it gives is kept for the next reader.
 *
 * The underlying reads run in the scope in which the source was made, one at a time, into a buffer of 64 KiB. Whoever
 * reads `source` directly gets in between.
 *
 * @param source What to wrap.
 * @returns The cancellable source. It lends.
 * @throws {TypeError} When `source` is no source.
 *
 * @example A read that gives up, and loses nothing
 * ```ts
 * import { cancellableSource, first } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const { promise: key, resolve: press } = Promise.withResolvers<number>();
 * const keyboard = cancellableSource({ read: (buffer) => (buffer[0] = 42, key) });
 * const buffer = new Uint8Array(8);
 *
 * assertEquals(await first(() => keyboard.read(buffer), () => Promise.resolve("too slow")), "too slow");
 * press(1);
 * assertEquals([await keyboard.read(buffer), buffer[0]], [1, 42]);
 * ```
 */
export function cancellableSource(source: Source): LendingSource {
  checkSource("read from", source);
  let buffer: Uint8Array<ArrayBuffer> | undefined;
  return pulledSource(async () => {
    if (buffer === undefined || buffer.length === 0) buffer = new Uint8Array(writeLimit); // the last one may be detached
    const count = await readSome(source, buffer);
    if (count !== null) return pieceOf(buffer, count);
    buffer = undefined;
    return null;
  }, { keep: false, retry: true });
}

function listSource(pieces: readonly Uint8Array[], keep: boolean): LendingSource {
  const iterator = pieces.values();
  return pulledSource(() => bytesOf(iterator.next()), { keep, retry: false });
}

function bytesOf(result: IteratorResult<Uint8Array>): Uint8Array | null {
  if (result.done) return null;
  const { value } = result;
  const problem = bytesProblem(value);
  if (problem !== undefined) throw problem;
  return value;
}

/** The first bytes of a buffer, unless the source has detached that. */
function pieceOf(buffer: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  if (buffer.length === 0) throw vanished("read");
  return buffer.subarray(0, size);
}

async function nextChunk(source: Source): Promise<Uint8Array<ArrayBuffer> | null> {
  if (lends(source)) {
    let chunk: Uint8Array<ArrayBuffer> | null = null;
    await lendOne(source, (bytes) => (chunk = new Uint8Array(bytes)).length);
    return chunk;
  }
  const buffer = new Uint8Array(writeLimit);
  const count = await readSome(source, buffer);
  return count === null ? null : pieceOf(buffer, count).slice();
}
