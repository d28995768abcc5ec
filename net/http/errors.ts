// Copyright 2026 the Sluice authors. MIT license.

import { freezeClass } from "../../base/internal.ts";

/**
 * The peer broke the rules of HTTP/1.1, exceeded a limit, or sent content that is not valid in its
 * content coding. It is the `cause` of the `TypeError` that `fetch` rejects with, and of the one
 * that a body fails with. The connection is closed. The message quotes nothing that the peer sent.
 *
 * An error of the network, such as a truncated body, is a `NetError` instead.
 *
 * @example A response that is not HTTP
 * ```ts
 * import { createFetch, HttpError } from "@sluice/io/net/http";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { copyString, Switch, tcp } from "@sluice/io";
 * import { assert, assertRejects } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const net = memoryNet();
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 80));
 *   sw.fork(async () => {
 *     const connection = await listener.accept(sw);
 *     await copyString("SSH-2.0-OpenSSH\r\n", connection);
 *   });
 *   const fetch = createFetch(sw, net);
 *   const error = await assertRejects(() => fetch("http://127.0.0.1/"), TypeError);
 *   assert(error.cause instanceof HttpError);
 * });
 * ```
 */
export class HttpError extends Error {
  static {
    freezeClass(this);
  }

  /**
   * Creates an error.
   *
   * @param why The broken rule: `"its header has a line without a colon"`.
   * @param cause The error that showed it, such as that of a decompressor.
   */
  constructor(why: string, cause?: unknown) {
    super(`Cannot read the HTTP message: ${why}`, cause === undefined ? undefined : { cause });
    this.name = "HttpError";
  }
}
