// Copyright 2026 the Sluice authors. MIT license.

/**
 * Byte streams through two small interfaces, {@linkcode Source} and {@linkcode Sink}: functions for
 * any of them, and sources, sinks and pipes in memory.
 *
 * ```ts
 * import { bufferSink, copy, stringSource } from "@sluice/io/flow";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * await copy(stringSource("hello"), sink);
 * assertEquals(sink.text(), "hello");
 * ```
 *
 * @module
 */

export {
  BufReader,
  type BufReaderOptions,
  BufWriter,
  type BufWriterOptions,
  parse,
  type ParseOptions,
  sequence,
  type SequenceOptions,
  withBufWriter,
  type WithBufWriterOptions,
} from "./buffered/mod.ts";
export { copy, type CopyFailure } from "./copy.ts";
export {
  BrokenPipeError,
  BufferLimitExceeded,
  BusyError,
  ClosedError,
  EndOfFlow,
  FlushAborted,
  ParseError,
} from "./errors.ts";
export { pipe, type PipeEnd, type PipeOptions } from "./pipe.ts";
export { proxy } from "./proxy.ts";
export { readable, readAll, type ReadAllOptions, readExact } from "./read.ts";
export { type BufferSink, bufferSink, nullFlow } from "./sinks.ts";
export { bytesSource, cancellableSource, chunks, fromIterable, stringSource } from "./sources.ts";
export {
  type Closable,
  type ClosableSink,
  type ClosableSource,
  type ShutdownHow,
  type Sink,
  type Source,
  type TwoWay,
} from "./types.ts";
export { fromReadableStream, fromWritableStream, toReadableStream, toWritableStream } from "./web/mod.ts";
export { copyString, writeAll } from "./write.ts";
