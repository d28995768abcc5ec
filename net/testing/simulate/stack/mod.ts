// Copyright 2026 the Sluice authors. MIT license.

/** The hosts and links of a simulation. */
export type { SimDns, SimDnsAnswer, SimDnsFailure, SimDnsOptions, SimDnsQuery, SimDnsRecords } from "./dns.ts";
export type { LinkOptions } from "./link_options.ts";
export type { SimSocket, SimSocketState } from "./socket_info.ts";
export type { SimEvent } from "./trace.ts";
