// Copyright 2026 the Sluice authors. MIT license.

import { freezeClass } from "../../base/internal.ts";

/**
 * A socket cannot be made, opened or used. As the proposal demands, it is a `TypeError`, with that
 * name, whose message begins with `SocketError: `. Its `cause` is the {@linkcode NetError} or
 * {@linkcode TlsError} where there is one: branch on its code.
 *
 * Source: WinterTC, "Sockets API", section 3.4.
 *
 * @example A server that is not there
 * ```ts
 * import { NetError, Switch } from "@sluice/io";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { SocketError, toConnect } from "@sluice/io/net/wintertc";
 * import { assert, assertEquals, assertRejects } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const connect = toConnect(memoryNet(), sw);
 *   const error = await assertRejects(() => connect("127.0.0.1:7000").opened, SocketError);
 *   assert(error instanceof TypeError && error.cause instanceof NetError);
 *   assertEquals(error.cause.code, "connection_refused");
 * });
 * ```
 */
export class SocketError extends TypeError {
  static {
    freezeClass(this);
  }

  /**
   * Makes the error.
   *
   * @param message What cannot be done, and why.
   * @param options The cause.
   */
  constructor(message: string, options?: ErrorOptions) {
    super(`SocketError: ${message}`, options);
  }
}
