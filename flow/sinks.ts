// Copyright 2026 the Sluice authors. MIT license.

import { refused } from "../switch/internal.ts";
import { checkBuffer, checkBytes, joined, lengthOf, lost, totalLength, viewsOf } from "./_bytes.ts";
import { give, type GivingSink, lend, type LendingSource } from "./provider.ts";

/** A sink that keeps everything in memory, made by {@linkcode bufferSink}. */
export interface BufferSink extends GivingSink {
  /**
   * Returns what was written so far.
   *
   * @returns All bytes in order, in new memory.
   * @throws {TypeError} If memory that was given to the sink was detached or shrunk all the same.
   */
  bytes(): Uint8Array<ArrayBuffer>;
  /**
   * Decodes what was written so far as UTF-8. Invalid bytes become U+FFFD, and a byte order mark is
   * kept.
   *
   * @returns The text.
   * @throws {TypeError} As {@linkcode BufferSink.bytes} does.
   */
  text(): string;
}

/**
 * Makes a sink that keeps what is written. It takes everything at once, without a limit.
 *
 * @returns The sink, empty.
 *
 * @example Collecting output
 * ```ts
 * import { bufferSink, copyString } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * await copyString("hello", sink);
 * assertEquals(sink.text(), "hello");
 * ```
 */
export function bufferSink(): BufferSink {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const bytes = () => {
    if (totalLength(pieces) !== size) throw lost();
    return joined(pieces);
  };
  return Object.freeze<BufferSink>({
    write(bytes) {
      const refusal = checkBytes(bytes) ?? refused();
      if (refusal !== undefined) return refusal;
      const copy = new Uint8Array(bytes);
      size += copy.length;
      if (copy.length > 0) pieces.push(copy);
      return Promise.resolve(copy.length);
    },
    [give](buffers) {
      const views = viewsOf(buffers);
      if (!Array.isArray(views)) return Promise.reject(views);
      const refusal = refused();
      if (refusal !== undefined) return refusal;
      const given = totalLength(views);
      size += given;
      for (const view of views) pieces.push(view);
      return given;
    },
    bytes,
    text: () => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes()),
  });
}

/**
 * A source that has ended, and a sink that discards what is written.
 *
 * @example Reading to the end for nothing
 * ```ts
 * import { copy, nullFlow, stringSource } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await copy(stringSource("hello"), nullFlow), 5);
 * assertEquals(await nullFlow.read(new Uint8Array(1)), null);
 * ```
 */
export const nullFlow: LendingSource & GivingSink = Object.freeze<LendingSource & GivingSink>({
  read: (buffer) => checkBuffer(buffer) ?? refused() ?? Promise.resolve(null),
  [lend]: () => refused() ?? Promise.resolve(null),
  write: (bytes) => checkBytes(bytes) ?? refused() ?? Promise.resolve(lengthOf(bytes)),
  [give](buffers) {
    const views = viewsOf(buffers);
    return Array.isArray(views) ? refused() ?? totalLength(views) : Promise.reject(views);
  },
});
