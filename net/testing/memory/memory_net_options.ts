// Copyright 2026 the Sluice authors. MIT license.

import type { Clock } from "../../../switch/mod.ts";
import type { IpAddress, ServiceRecord } from "../../mod.ts";

/** Options for {@linkcode memoryNet}. */
export interface MemoryNetOptions {
  /**
   * The clock for timeouts and delays of the network.
   *
   * @default {the real clock}
   */
  clock?: Clock | undefined;
  /**
   * The host names of the network, each with its addresses in the order in which a lookup returns
   * them: `{ "db.example": ["10.0.0.5"] }`. These addresses belong to the network's host: a
   * listener there is reached by the name. `localhost` and its subdomains are `::1` and `127.0.0.1`
   * unless given here.
   *
   * @default {{}}
   */
  hosts?: Readonly<Record<string, readonly (string | IpAddress)[]>> | undefined;
  /**
   * The SRV records of the network, by service name: `{ "_http._tcp.web.example": [{ name:
   * "a.example", port: 80, priority: 0, weight: 0 }] }`.
   *
   * @default {{}}
   */
  services?: Readonly<Record<string, readonly ServiceRecord[]>> | undefined;
}
