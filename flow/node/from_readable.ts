// Copyright 2026 the Sluice authors. MIT license.

import type { Readable } from "node:stream";
import { checkMethods, closableSource, noSink, Stream } from "../internal.ts";
import type { ClosableSource } from "../mod.ts";
import { brokenPipe, readableMethods, watch } from "./_node_stream.ts";
import { Incoming } from "./_readable_end.ts";

/**
 * Makes a source of a readable stream of Node: a file, the output of a child process, a response.
 * Only the source may read the stream from now on; it listens to its `'error'` events.
 *
 * It reads up to 64 KiB ahead, and then pauses the stream. A cancelled read loses nothing. Every
 * read throws an error of the stream once everything that came before is read. If a stream closes
 * before its end, reads throw {@linkcode BrokenPipeError}.
 *
 * Closing the source destroys the stream, with its writable side if it has one, and waits until it
 * has closed. A stream at its end need not be closed.
 *
 * @param readable The stream: bytes, not objects, and without an encoding.
 * @returns The source. It lends.
 * @throws {TypeError} If `readable` is not a readable stream of Node.
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
  return closableSource(stream, close);
}
