// Copyright 2026 the Sluice authors. MIT license.

import type { Clock } from "../../../switch/mod.ts";
import type { IpAddress, ServiceRecord } from "../../mod.ts";

/** Options for {@linkcode memoryNet}. */
export interface MemoryNetOptions {
  /**
   * The clock on which the timeouts and delays of the network run.
   *
   * @default {the real clock}
   */
  clock?: Clock | undefined;
  /**
   * The names that the network knows, each with its addresses, in the order in which a lookup
   * returns them: `{ "db.example": ["10.0.0.5"] }`. Each of these addresses is one of the network's
   * own: what listens there is reached by the name. `localhost`, and each name below it, is `::1`
   * and `127.0.0.1` unless it is given here.
   *
   * @default {{}}
   */
  hosts?: Readonly<Record<string, readonly (string | IpAddress)[]>> | undefined;
  /**
   * The SRV records that the network knows, by the name of the service:
   * `{ "_http._tcp.web.example": [{ name: "a.example", port: 80, priority: 0, weight: 0 }] }`.
   *
   * @default {{}}
   */
  services?: Readonly<Record<string, readonly ServiceRecord[]>> | undefined;
}
