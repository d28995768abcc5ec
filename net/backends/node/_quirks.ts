// Copyright 2026 the Sluice authors. MIT license.

import type { Server } from "node:net";
import type { NetFeature, SocketOptionName } from "../../internal.ts";
import type { SocketKind } from "../../provider/internal.ts";
import { type DeadTest, isRefused, isRefusedOnBun } from "../unix/internal.ts";
import { afterPoll } from "./_deno_poll.ts";

/** What a runtime's `node:net` and `node:dgram` accept and do not do, or do wrong: measured, for they say nothing. */
export interface NodeQuirks {
  readonly features: readonly NetFeature[];
  readonly options: Readonly<Partial<Record<SocketKind, readonly SocketOptionName[]>>>;
  /** How to tell that nobody listens on a Unix path. */
  readonly isDead: DeadTest;
  /**
   * Makes a TCP listener accept again that has stopped for good, and without a word, at an error of accepting; done now and then to all. Undefined where none
   * does that.
   */
  readonly relisten: ((server: Server, backlog: number) => unknown) | undefined;
  /** Whether a listener takes from the system all connections there are in one turn, and not one in each. */
  readonly takesAll: boolean;
  /** Whether a connect for which no file is left is "refused". */
  readonly hidesLackOfFiles: boolean;
  /** How many datagrams of one socket it can be given at once. */
  readonly sendsAtOnce: number;
  /**
   * Calls `ready` once an accepted TCP socket on which nothing has arrived yet can be written to
   * without loss. Undefined where that is so from the start.
   */
  readonly whenWritable: ((ready: () => void) => void) | undefined;
}

/** A runtime that does what it says. */
export const noQuirks: NodeQuirks = {
  features: [],
  options: {},
  isDead: isRefused,
  relisten: undefined,
  takesAll: false,
  hidesLackOfFiles: false,
  sendsAtOnce: 64,
  whenWritable: undefined,
};

/** Node before 22.12: nobody asks for `reusePort`. */
export const oldNodeQuirks: NodeQuirks = { ...noQuirks, features: ["reusePort", "datagramReusePort"] };

/** Bun 1.4: a Unix socket that takes no connection just now is "refused" like a dead one, and so is any for which no file is left. */
export const bunQuirks: NodeQuirks = { ...noQuirks, isDead: isRefusedOnBun, hidesLackOfFiles: true };

/**
 * Deno 2.9: the sizes of buffers are only remembered; on an IPv6 socket `setTTL` sets that of IPv4, and `setMulticastTTL` none; TCP's `ipv6Only` is ignored; a
 * second UDP socket with `reusePort` is `EADDRINUSE`, a connected one hears no ICMP errors, and datagrams that are given at once go out in reverse. A
 * listener is deaf after the first error of accepting, as when descriptors run out; one of TCP hears again when its handle is told to listen once more. What
 * is written to a connection before the event loop has polled it is lost when the other side half-closes it.
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
  hidesLackOfFiles: false,
  sendsAtOnce: 1,
  whenWritable: afterPoll,
};

interface ServerWithHandle {
  _handle?: { listen?(backlog: number): number } | null;
}
