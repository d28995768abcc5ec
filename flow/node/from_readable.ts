// Copyright 2026 the Sluice authors. MIT license.

import type { Readable } from "node:stream";
import { checkMethods } from "../check.ts";
import { type ClosableSource, lend } from "../mod.ts";
import { Stream } from "../stream.ts";
import { noSink } from "../stream_end.ts";
import { brokenPipe, readableMethods, watch } from "./foreign.ts";
import { Incoming } from "./incoming.ts";

/**
 * A readable stream of Node as a source: a file, the output of a child process, a response. Nobody else may read the
 * stream from now on, and its `'error'` events are listened to.
 *
 * Up to 64 KiB are read ahead, and then the stream is paused. A cancelled read loses nothing. An error of the stream is
 * thrown by every read once all that came before is read. A stream that closes before its end is a
 * {@linkcode BrokenPipeError}.
 *
 * Closing the source destroys the stream (and with it the sending side, if it has one) and waits until it has closed; a
 * stream at its end needs no closing.
 *
 * @param readable What to read: bytes, no objects, and no encoding set.
 * @returns The source. It lends.
 * @throws {TypeError} When `readable` is no readable stream of Node.
 *
 * @example A file, unpacked
 * ```ts
 * import { readAll } from "@sluice/io";
 * import { fromReadable } from "@sluice/io/flow/node";
 * import { Readable } from "node:stream";
 * import { createGunzip, gzipSync } from "node:zlib";
 * import { assertEquals } from "@std/assert";
 *
 * const file = Readable.from([gzipSync("hello")]); // or createReadStream(path)
 * const source = fromReadable(file.pipe(createGunzip()));
 * assertEquals(new TextDecoder().decode(await readAll(source)), "hello");
 * ```
 */
export function fromReadable(readable: Readable): ClosableSource {
  checkMethods("make a source", readable, "a readable stream of Node", ...readableMethods);
  const incoming = new Incoming(readable);
  const stream = new Stream({
    ...noSink,
    peek: () => incoming.peek(),
    consume: (size) => incoming.consume(size),
  }, { label: "source", failure: brokenPipe });
  const gone = watch(readable, (error) => incoming.fail(error));
  incoming.start(stream);
  const close = () => {
    if (stream.close()) {
      incoming.stop();
      readable.destroy();
    }
    return gone;
  };
  return Object.freeze<ClosableSource>({
    read: (buffer) => stream.read(buffer),
    [lend]: (use) => stream.lend(use),
    close,
    [Symbol.asyncDispose]: close,
  });
}
