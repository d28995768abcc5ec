// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../base/internal.ts";
import { refused } from "../switch/internal.ts";
import { buffersProblem, encode, joined, vanished, viewOf } from "./_bytes.ts";
import { checkSink, giveOwned, writeSome } from "./_foreign.ts";
import { operation } from "./_operation.ts";
import { writeLimit } from "./_half.ts";
import type { Sink } from "./types.ts";

/**
 * Writes all of the buffers, in order. Adjacent small buffers are joined into fewer writes; a
 * buffer as large as a write is written in place, piece by piece.
 *
 * If it fails or is cancelled, some of the bytes may have been taken. It makes a sequence of
 * writes, which a second writer of the same sink may interleave with its own.
 *
 * @param sink The sink to write to. It is not touched if there are no bytes.
 * @param bytes The bytes to write. They must not change until the promise settles.
 * @throws {TypeError} If `sink` is not a `Sink`, or returns an invalid byte count, or a buffer is
 * not a `Uint8Array`, or its memory is detached or shrunk before all of it was taken.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example A head and a body
 * ```ts
 * import { bufferSink, writeAll } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * await writeAll(sink, Uint8Array.of(1, 2), Uint8Array.of(3));
 * assertEquals(sink.bytes(), Uint8Array.of(1, 2, 3));
 * ```
 */
export function writeAll(sink: Sink, ...bytes: readonly Uint8Array[]): Promise<void> {
  return operation(async () => {
    checkSink("write to", sink);
    const problem = buffersProblem(bytes);
    if (problem !== undefined) throw problem;
    const refusal = refused();
    if (refusal !== undefined) await refusal;
    for (const group of groups(bytes.map((each) => viewOf(each)))) {
      if (group.length === 1) await repeat(writeSome, sink, group[0]);
      else await repeat(giveOwned, sink, joined(group));
    }
  });
}

/**
 * Writes all of a text, as UTF-8.
 *
 * @param text The text to write.
 * @param sink The sink to write to.
 * @throws {TypeError} If `text` is not a string, `sink` is not a `Sink`, or it returns an invalid
 * byte count.
 * @throws {Cancelled} If the current scope is cancelled; some of the text may have been taken.
 *
 * @example A greeting
 * ```ts
 * import { bufferSink, copyString } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * await copyString("grüß dich", sink);
 * assertEquals(sink.text(), "grüß dich");
 * ```
 */
export function copyString(text: string, sink: Sink): Promise<void> {
  return operation(async () => {
    if (typeof text !== "string") throw new TypeError(`Cannot copy ${describe(text)}: must be a string`);
    checkSink("copy to", sink);
    const refusal = refused();
    if (refusal !== undefined) await refusal;
    await repeat(giveOwned, sink, encode(text));
  });
}

/**
 * Groups the non-empty buffers: adjacent ones that fit into one write form a group. Throws if a
 * buffer has vanished meanwhile.
 */
function* groups(buffers: readonly Uint8Array[]): Generator<Uint8Array[]> {
  const sizes = buffers.map(({ length }) => length); // before they can vanish
  let group: Uint8Array[] = [];
  let size = 0;
  for (const [i, bytes] of buffers.entries()) {
    if (sizes[i] === 0) continue;
    if (group.length > 0 && size + sizes[i] > writeLimit) {
      yield group;
      group = [];
      size = 0;
    }
    if (bytes.length !== sizes[i]) throw vanished("write");
    group.push(bytes);
    size += sizes[i];
  }
  if (group.length > 0) yield group;
}

/** Calls `put` until it has taken everything. */
async function repeat(put: typeof giveOwned, sink: Sink, bytes: Uint8Array): Promise<void> {
  const { length } = bytes;
  for (let done = 0; done < length;) {
    if (bytes.length !== length) throw vanished("write");
    const taken = put(sink, done === 0 ? bytes : bytes.subarray(done));
    done += typeof taken === "number" ? taken : await taken;
  }
}
