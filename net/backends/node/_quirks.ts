// Copyright 2026 the Sluice authors. MIT license.

import type { Server } from "node:net";
import type { NetFeature, SocketOptionName } from "../../internal.ts";
import type { SocketKind } from "../../provider/internal.ts";
import { type DeadTest, isRefused, isRefusedOnBun } from "../unix/internal.ts";
import { afterPoll } from "./_deno_poll.ts";

/**
 * Measured defects of a runtime's `node:net` and `node:dgram`, which the runtime does not report.
 */
export interface NodeQuirks {
  /** Features that do not work. */
  readonly features: readonly NetFeature[];
  /** Options that do not work. */
  readonly options: Readonly<Partial<Record<SocketKind, readonly SocketOptionName[]>>>;
  /** Reports whether a Unix socket's file has no listener. */
  readonly isDead: DeadTest;
  /**
   * Makes a TCP listener that silently stopped accepting after an error accept again; called for
   * every listener at an interval. Undefined if the runtime does not need it.
   */
  readonly relisten: ((server: Server, backlog: number) => unknown) | undefined;
  /** Whether a listener accepts all established connections in one turn, or one per turn. */
  readonly takesAll: boolean;
  /** Whether a connect that fails for lack of file descriptors is reported as refused. */
  readonly hidesDescriptorLimit: boolean;
  /** How many datagrams of one socket may be in flight to the system. */
  readonly maxSendsInFlight: number;
  /**
   * Calls `ready` once writing to an accepted TCP socket that has received nothing yet loses no
   * bytes. Undefined if that holds from the start.
   */
  readonly whenWritable: ((ready: () => void) => void) | undefined;
}

/** A runtime without defects. */
export const noQuirks: NodeQuirks = {
  features: [],
  options: {},
  isDead: isRefused,
  relisten: undefined,
  takesAll: false,
  hidesDescriptorLimit: false,
  maxSendsInFlight: 64,
  whenWritable: undefined,
};

/** Node before 22.12, which has no `reusePort`. */
export const oldNodeQuirks: NodeQuirks = { ...noQuirks, features: ["reusePort", "datagramReusePort"] };

/**
 * Bun 1.4: connecting to a live Unix socket that cannot accept now is reported as refused, like a
 * dead one; so is any connect that fails for lack of file descriptors.
 */
export const bunQuirks: NodeQuirks = { ...noQuirks, isDead: isRefusedOnBun, hidesDescriptorLimit: true };

/**
 * Deno 2.9, listeners: `ipv6Only` of TCP is ignored. A listener stops accepting after its first
 * error, such as a lack of file descriptors; a TCP one resumes when its handle listens again.
 *
 * Connections: bytes written before the event loop has polled are lost if the peer half-closes.
 *
 * Datagrams: buffer sizes are stored but not set; on an IPv6 socket `setTTL` sets the IPv4 TTL, and
 * `setMulticastTTL` none; a second socket with `reusePort` fails with `EADDRINUSE`; a connected
 * socket gets no ICMP errors; datagrams in flight together are sent in reverse order.
 */
export const denoQuirks: NodeQuirks = {
  features: ["ipv6Only", "datagramReusePort", "datagramErrors"],
  options: {
    tcpListener: ["IPV6_V6ONLY"],
    udp: ["SO_RCVBUF", "SO_SNDBUF", "IPV6_UNICAST_HOPS", "IPV6_MULTICAST_HOPS"],
  },
  isDead: isRefused,
  relisten: (server, backlog) => (server as unknown as ServerWithHandle)._handle?.listen?.(backlog),
  takesAll: true,
  hidesDescriptorLimit: false,
  maxSendsInFlight: 1,
  whenWritable: afterPoll,
};

interface ServerWithHandle {
  _handle?: { listen?(backlog: number): number } | null;
}
