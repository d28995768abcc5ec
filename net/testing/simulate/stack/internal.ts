// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from this room. Users import `mod.ts`. */
export type { SimDns, SimDnsAnswer, SimDnsFailure, SimDnsOptions, SimDnsQuery, SimDnsRecords } from "./dns.ts";
export { Kernel } from "./kernel.ts";
export { checkLink, defaultLink, type Link, type LinkOptions } from "./link_options.ts";
export { Network } from "./network.ts";
export { SimProvider } from "./provider.ts";
export type { SimSocket, SimSocketState } from "./socket_info.ts";
export { hashText, Recorder, type SimEvent } from "./trace.ts";
