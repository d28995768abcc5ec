// Copyright 2026 the Sluice authors. MIT license.

/** Buffered readers and writers, and parsers over them. */
export { BufReader, type BufReaderOptions } from "./buf_reader.ts";
export { BufWriter, type BufWriterOptions } from "./buf_writer.ts";
export { parse, type ParseOptions } from "./parse.ts";
export { sequence, type SequenceOptions } from "./sequence.ts";
export { withBufWriter, type WithBufWriterOptions } from "./with_buf_writer.ts";
