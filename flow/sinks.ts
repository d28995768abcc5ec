// Copyright 2026 the Sluice authors. MIT license.

import { refused } from "../switch/scope.ts";
import { checkBuffer, checkBuffers, checkBytes, joined, totalLength } from "./bytes.ts";
import { give, type GivingSink, lend, type LendingSource } from "./types.ts";

/** What {@linkcode bufferSink} makes: a sink that keeps everything in memory. */
export interface BufferSink extends GivingSink {
  /**
   * What was written up to now.
   *
   * @returns All bytes in order, in memory of their own.
   */
  bytes(): Uint8Array<ArrayBuffer>;
  /**
   * What was written up to now, as UTF-8. Invalid bytes become U+FFFD, and a byte order mark is kept.
   *
   * @returns The text.
   */
  text(): string;
}

/**
 * A sink that keeps what is written. It takes everything at once, without a limit.
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
  const bytes = () => joined(pieces);
  return Object.freeze<BufferSink>({
    write(bytes) {
      const refusal = checkBytes(bytes) ?? refused();
      if (refusal !== undefined) return refusal;
      if (bytes.length > 0) pieces.push(new Uint8Array(bytes));
      return Promise.resolve(bytes.length);
    },
    [give](buffers) {
      const refusal = checkBuffers(buffers) ?? refused();
      if (refusal !== undefined) return refusal;
      for (const bytes of buffers) if (bytes.length > 0) pieces.push(bytes);
      return Promise.resolve(totalLength(buffers));
    },
    bytes,
    text: () => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes()),
  });
}

/**
 * A source that has ended, and a sink that drops what is written.
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
  write: (bytes) => checkBytes(bytes) ?? refused() ?? Promise.resolve(bytes.length),
  [give]: (buffers) => checkBuffers(buffers) ?? refused() ?? Promise.resolve(totalLength(buffers)),
});
