// Copyright 2026 the Sluice authors. MIT license.

/** What the library holds open now, by kind. Every count is 0 if nothing leaks. */
export interface OpenCounts {
  /** Running fibers. */
  fibers: number;
  /** Pending operations: a read, an accept, an `awaitCancel`. */
  operations: number;
  /** Armed timers of the real clock. */
  timers: number;
  /**
   * Sockets of networks made by `createNet`, whatever their provider, until the provider has closed
   * them: connections from when they are connected or accepted, and datagram sockets. A connection
   * that waits in the backlog belongs to its listener, and an attempt to connect is an operation.
   */
  sockets: number;
  /** Their listeners, until the provider has closed them. */
  listeners: number;
}

/**
 * The counts of this process. Code that opens something increments a count, and decrements it when
 * it is closed.
 */
export const open: OpenCounts = { fibers: 0, operations: 0, timers: 0, sockets: 0, listeners: 0 };

/** Returns a copy of the counts, for tests that assert that nothing leaks. */
export function openCounts(): OpenCounts {
  return { ...open };
}
