// Copyright 2026 the Sluice authors. MIT license.

/** Stand-in for `jsr:@std/net`: what the tests use of it. */
import { isIPv4 as nodeIsIPv4, isIPv6 as nodeIsIPv6 } from "node:net";

/** Whether `text` is an IPv4 address. */
export function isIPv4(text: string): boolean {
  return nodeIsIPv4(text);
}

/** Whether `text` is an IPv6 address. */
export function isIPv6(text: string): boolean {
  return nodeIsIPv6(text);
}
