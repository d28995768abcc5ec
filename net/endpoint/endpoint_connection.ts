// Copyright 2026 the Sluice authors. MIT license.

import type { Connection } from "../mod.ts";
import type { Endpoint } from "./endpoint.ts";

/**
 * A connection to an endpoint.
 *
 * It lives until it is closed, or its switch ends. It has the fast paths and the socket options of
 * the connection under it, if any.
 *
 * @example The endpoint that answered
 * ```ts
 * import { createConnector, type EndpointConnection } from "@sluice/io/net/endpoint";
 * import { Switch, tcp } from "@sluice/io";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const net = memoryNet();
 * await Switch.run(async (sw) => {
 *   const { address } = await net.listen(sw, tcp("127.0.0.1", 7000));
 *   const connection: EndpointConnection = await createConnector({ net }).connect(sw, address);
 *   assertEquals(connection.endpoint, address);
 * });
 * ```
 */
export interface EndpointConnection extends Connection {
  /** The endpoint to which it is connected: of several, the one that was reached. */
  readonly endpoint: Endpoint;
  /** The protocol that the outermost TLS has negotiated (ALPN), if there is one. */
  readonly protocol: string | undefined;
}
