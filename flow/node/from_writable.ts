// Copyright 2026 the Sluice authors. MIT license.

import type { Writable } from "node:stream";
import { BridgeScope, checkMethods, closableSink, noSource, Stream, type StreamEnd } from "../internal.ts";
import type { ClosableSink } from "../mod.ts";
import { brokenPipe, Ending, watch, writableMethods } from "./_node_stream.ts";
import { Outgoing } from "./_writable_end.ts";

/**
 * Makes a sink of a writable stream of Node: a file, the input of a child process, a request. It
 * listens to the stream's `'error'` events.
 *
 * A write waits until the stream has consumed all earlier writes, and then passes it a copy of at
 * most 64 KiB, so the stream holds one write at a time. `give` copies likewise, because the stream
 * may leave its memory with the system. Every later write throws an error of the stream. If the
 * stream is closed, or its reader is gone, writes throw {@linkcode BrokenPipeError}.
 *
 * Closing the sink ends the stream and waits until everything is flushed, and a file is closed.
 *
 * @param writable The stream to write to.
 * @returns The sink.
 * @throws {TypeError} If `writable` is not a writable stream of Node.
 *
 * @example A file, packed
 * ```ts
 * import { copyString, readAll } from "@sluice/io";
 * import { fromReadable, fromWritable } from "@sluice/io/flow/node";
 * import { createGzip, gunzipSync } from "node:zlib";
 * import { assertEquals } from "@std/assert";
 *
 * const gzip = createGzip();
 * const sink = fromWritable(gzip);
 * const packed = readAll(fromReadable(gzip)); // or gzip.pipe(createWriteStream(path))
 * await copyString("hello", sink);
 * await sink.close();
 * assertEquals(gunzipSync(await packed).toString(), "hello");
 * ```
 */
export function fromWritable(writable: Writable): ClosableSink {
  checkMethods("make a sink", writable, "a writable stream of Node", ...writableMethods);
  const ending = new Ending(writable, new BridgeScope());
  const outgoing: Outgoing = new Outgoing(writable, { writable: () => stream.writable() }, true);
  let isReported = false;
  const failure = (operation: "read" | "write", cause: unknown) => {
    isReported = true;
    return brokenPipe(operation, cause);
  };
  const end: StreamEnd = {
    ...noSource,
    write: (bytes) => outgoing.write(bytes),
    give: (buffers) => outgoing.give(buffers),
    end: () => {}, // the sink has no shutdown
    flushed: true,
  };
  const stream = new Stream(end, { label: "sink", failure });
  watch(writable, (error) => outgoing.fail(error));
  const finish = async () => {
    stream.close();
    const error = await ending.end(() => outgoing.end());
    if (error !== undefined && error !== null && !isReported && !ending.abandoned) throw brokenPipe("write", error);
  };
  let closing: Promise<void> | undefined;
  return closableSink(stream, {
    close: () => closing ??= finish(),
    abort: (reason) => {
      stream.close();
      ending.abandon(reason);
      closing ??= Promise.resolve();
    },
  });
}
