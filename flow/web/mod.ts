// Copyright 2026 the Sluice authors. MIT license.

/** Bridges between flows and web streams. */
export { fromReadableStream, fromWritableStream } from "./from_web_stream.ts";
export { toReadableStream, toWritableStream } from "./to_web_stream.ts";
