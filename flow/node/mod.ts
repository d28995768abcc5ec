// Copyright 2026 the Sluice authors. MIT license.

/**
 * Bridges between flows and the streams of Node, on all runtimes. {@linkcode toDuplex} lets
 * existing clients and servers run over any flow, and {@linkcode httpHandler} serves `node:http`
 * with draining; the others make flows of files, child processes, sockets and `node:zlib`.
 *
 * ```ts
 * import { copy, stringSource } from "@sluice/io";
 * import { fromWritable } from "@sluice/io/flow/node";
 * import { PassThrough } from "node:stream";
 *
 * const sink = fromWritable(new PassThrough());
 * await copy(stringSource("hello"), sink);
 * await sink.close();
 * ```
 *
 * @module
 */

export { type DuplexFlow, fromDuplex, type FromDuplexOptions } from "./from_duplex.ts";
export { fromReadable } from "./from_readable.ts";
export { fromWritable } from "./from_writable.ts";
export { type HttpHandler, httpHandler, type StoppingScope } from "./http_handler.ts";
export { type SocketAddress, type SocketDuplex } from "./socket_duplex.ts";
export { toDuplex, type ToDuplexOptions } from "./to_duplex.ts";
