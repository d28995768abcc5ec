// Copyright 2026 the Sluice authors. MIT license.

import type { StreamEnd, StreamEvents } from "../flow/stream_end.ts";
import type { Clock } from "../switch/clock.ts";
import type { StreamAddress } from "./address.ts";
import type { IpAddress } from "./ip_address.ts";
import type { NetFeature } from "./types.ts";

/** Something under way in a provider, which may be given up. */
export interface Attempt<T> {
  /** What comes of it. Its rejection is the runtime's own error. */
  readonly result: Promise<T>;
  /**
   * Gives it up and frees what it holds, as far as the runtime can. `result` may settle or not; what it still gives is aborted by whoever called.
   */
  cancel(): void;
}

/** What {@linkcode NetProvider.connect} is told: all set, all checked. */
export interface ProviderConnectOptions {
  /** The local address to connect from. */
  readonly bindTo: StreamAddress | undefined;
}

/** What {@linkcode NetProvider.listen} is told: all set, all checked. */
export interface ProviderListenOptions {
  /** How many connections may wait to be accepted. */
  readonly backlog: number;
  /** Whether to remove a dead Unix socket's file first. */
  readonly reuseAddr: boolean;
  /** Whether to share the port. */
  readonly reusePort: boolean;
  /** The permissions of a Unix path. */
  readonly mode: number | undefined;
}

/** What a {@linkcode ProviderStream} tells its one user. */
export interface ProviderStreamEvents extends StreamEvents {
  /** The system has closed the socket; nothing follows. */
  closed(): void;
}

/** A connection, as a backend has it: a non-blocking {@linkcode StreamEnd} with two addresses. */
export interface ProviderStream extends StreamEnd {
  /** Our own address. */
  readonly local: StreamAddress;
  /** The other side's address; an IPv4-mapped one as plain IPv4. */
  readonly peer: StreamAddress;
  /** Tells whom to call. Called once; nothing is read ahead before that, beyond what the system itself does. */
  attach(events: ProviderStreamEvents): void;
  /** Gives the socket back to the system, without waiting for anything. {@linkcode ProviderStreamEvents.closed} follows. */
  close(): void;
  /** The same by a reset, where the transport has one. */
  abort(): void;
}

/** What a {@linkcode ProviderListener} tells its one user. */
export interface ProviderListenerEvents {
  /** {@linkcode ProviderListener.accept} has something new to give or to throw. */
  acceptable(): void;
  /** A connection was reset because nobody took it in time, and {@linkcode ProviderListener.dropped} counts it. */
  overflowing(): void;
}

/** A listening socket, as a backend has it. */
export interface ProviderListener {
  /** Where it listens, with the real port. */
  readonly address: StreamAddress;
  /** How many connections it had to reset because nobody took them in time. */
  readonly dropped: number;
  /** Tells whom to call. Called once. */
  attach(events: ProviderListenerEvents): void;
  /**
   * Takes a connection, or gives `undefined` while there is none (then {@linkcode ProviderListenerEvents.acceptable} follows).
   *
   * A backend that pulls starts accepting here, and holds at most the one connection that it has got.
   *
   * @throws The runtime's own error of accepting. The next call may succeed.
   */
  accept(): ProviderStream | undefined;
  /** Closes the socket, resets what nobody has taken, and removes the Unix path. Settles when the system has done so. */
  close(): Promise<void>;
}

/**
 * What a backend supplies, and `createNet` makes a `Net` of. It knows no switch, no cancellation scope, no names to race and no policy, and its
 * arguments have been checked.
 *
 * Everything that waits tells by an event when to try again; only opening and looking up, which happen once, are promises.
 */
export interface NetProvider {
  /** What this network can do. */
  readonly features: ReadonlySet<NetFeature>;
  /** What its timeouts run on. */
  readonly clock: Clock;
  /** Begins to connect. */
  connect(address: StreamAddress, options: ProviderConnectOptions): Attempt<ProviderStream>;
  /** Begins to listen. A failed attempt leaves nothing behind, and removes nobody's path. */
  listen(address: StreamAddress, options: ProviderListenOptions): Attempt<ProviderListener>;
  /** Asks the resolver for the addresses of a name, in the resolver's order. */
  lookup(name: string): Attempt<readonly IpAddress[]>;
}
