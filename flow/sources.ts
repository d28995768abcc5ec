// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../base/internal.ts";
import { buffersProblem, bytesProblem, encode, vanished, viewOf } from "./_bytes.ts";
import { checkSource, lendOne, lends, readSome } from "./_foreign.ts";
import { pullSource } from "./_pull_source.ts";
import { writeLimit } from "./_half.ts";
import type { LendingSource } from "./provider.ts";
import type { Source } from "./types.ts";

/**
 * Makes a source that reads a text, as UTF-8.
 *
 * @param text The text.
 * @returns The source. It lends.
 * @throws {TypeError} If `text` is not a string.
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
 * Makes a source that reads bytes from memory, piece by piece.
 *
 * @param bytes The pieces. They are not copied, so they must not change before they have been read.
 * @returns The source. It lends.
 * @throws {TypeError} If a piece is not a `Uint8Array`.
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
 * Makes a source that reads the pieces of an iterable.
 *
 * The source asks for the next piece when a read finds no bytes left, in the scope in which the
 * source was made. A cancelled read loses nothing: the piece stays for the next reader. An error of
 * the iterable fails every later read. The iterable is never asked to stop early, because a source
 * cannot be closed.
 *
 * @param chunks The pieces. Empty ones are skipped; a piece must not change before it has been
 * read.
 * @returns The source. It lends.
 * @throws {TypeError} If `chunks` is not iterable. A piece that is not a `Uint8Array` fails the
 * read.
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
    return pullSource(async () => bytesOf(await later.next()), { keep: false, retry: false });
  }
  const now = methods?.[Symbol.iterator]?.();
  if (now === undefined) throw new TypeError(`Cannot make a source of ${describe(chunks)}: must be iterable`);
  return pullSource(() => bytesOf(now.next()), { keep: false, retry: false });
}

/**
 * Iterates over the pieces of a source. It reads nothing ahead, and leaving the loop closes
 * nothing, so that other code can read the rest.
 *
 * @param source The source to read from.
 * @returns The pieces, as they come. Each has at most 64 KiB, or the size of what the source lends,
 * in new memory.
 * @throws {TypeError} If `source` is not a `Source`, or returns an invalid byte count.
 * @throws {Cancelled} If the scope of the loop is cancelled.
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
export function chunks(source: Source): AsyncIterable<Uint8Array<ArrayBuffer>> {
  let ended = false;
  const end = () => {
    ended = true;
    return over;
  };
  const give = (chunk: Uint8Array<ArrayBuffer> | null) =>
    chunk === null ? end() : { done: false as const, value: chunk };
  const fail = (error: unknown): never => {
    end();
    throw error;
  };
  // Not an async generator, which makes three more promises for each piece.
  const iterator: AsyncIterableIterator<Uint8Array<ArrayBuffer>> = {
    next: () => ended ? Promise.resolve(over) : nextChunk(source).then(give, fail),
    return: () => Promise.resolve(end()),
    [Symbol.asyncIterator]: () => iterator,
  };
  return Object.freeze(iterator);
}

const over: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/**
 * Makes a cancellable source of one that is not, such as standard input or a file: a cancelled read
 * settles at once, while the underlying read goes on and its result stays for the next reader.
 *
 * The underlying reads run in the scope in which the source was made, one at a time, into a buffer
 * of 64 KiB. Code that reads `source` directly takes bytes away from it.
 *
 * @param source The source to wrap.
 * @returns The cancellable source. It lends.
 * @throws {TypeError} If `source` is not a `Source`.
 *
 * @example A read that is cancelled, and loses nothing
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
  return pullSource(async () => {
    // a reader may have detached the last one
    if (buffer === undefined || buffer.length === 0) buffer = new Uint8Array(writeLimit);
    const count = await readSome(source, buffer);
    if (count !== null) return pieceOf(buffer, count);
    buffer = undefined;
    return null;
  }, { keep: false, retry: true });
}

function listSource(pieces: readonly Uint8Array[], keep: boolean): LendingSource {
  const iterator = pieces.values();
  return pullSource(() => bytesOf(iterator.next()), { keep, retry: false });
}

function bytesOf(result: IteratorResult<Uint8Array>): Uint8Array | null {
  if (result.done) return null;
  const { value } = result;
  const problem = bytesProblem(value);
  if (problem !== undefined) throw problem;
  return value;
}

/** Returns the first bytes of a buffer, unless the source has detached it. */
function pieceOf(buffer: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  if (buffer.length === 0) throw vanished("read");
  return buffer.subarray(0, size);
}

function nextChunk(source: Source): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    checkSource("read from", source);
    if (!lends(source)) return readChunk(source);
    let chunk: Uint8Array<ArrayBuffer> | null = null;
    return lendOne(source, (bytes) => (chunk = new Uint8Array(bytes)).length).then(() => chunk);
  } catch (error) {
    return Promise.reject(error);
  }
}

async function readChunk(source: Source): Promise<Uint8Array<ArrayBuffer> | null> {
  const buffer = new Uint8Array(writeLimit);
  const count = await readSome(source, buffer);
  return count === null ? null : pieceOf(buffer, count).slice();
}
