// Copyright 2026 the Sluice authors. MIT license.

/**
 * Byte streams through two small interfaces: {@linkcode Source} and {@linkcode Sink}, what can be done with any of
 * them, and some that live in memory.
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

export { BufReader, type BufReaderOptions } from "./buf_reader.ts";
export { BufWriter, type BufWriterOptions } from "./buf_writer.ts";
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
export { fromReadableStream, fromWritableStream } from "./from_web_stream.ts";
export { parse, type ParseOptions } from "./parse.ts";
export { pipe, type PipeEnd, type PipeOptions } from "./pipe.ts";
export { proxy } from "./proxy.ts";
export { readable, readAll, type ReadAllOptions, readExact } from "./read.ts";
export { sequence, type SequenceOptions } from "./sequence.ts";
export { type BufferSink, bufferSink, nullFlow } from "./sinks.ts";
export { bytesSource, cancellableSource, chunks, fromIterable, stringSource } from "./sources.ts";
export {
  type Borrower,
  type Closable,
  type ClosableSink,
  type ClosableSource,
  give,
  type GivingSink,
  lend,
  type LendingSource,
  type PromptBorrower,
  pump,
  type PumpedSink,
  type PumpingSource,
  type ShutdownHow,
  type Sink,
  type Source,
  tryGive,
  type TwoWay,
} from "./types.ts";
export { toReadableStream, toWritableStream } from "./web_stream.ts";
export { withBufWriter, type WithBufWriterOptions } from "./with_buf_writer.ts";
export { copyString, writeAll } from "./write.ts";
