// Copyright 2026 the Sluice authors. MIT license.

/** What the library holds open now, by kind. Every count is 0 if nothing leaks. */
export interface OpenCounts {
  /** Running fibers. */
  fibers: number;
  /** Pending operations: a read, an accept, an `awaitCancel`. */
  operations: number;
  /** Armed timers of the real clock. */
  timers: number;
  /** System sockets, accepted or still in a backlog, until the system has closed them. */
  sockets: number;
  /** Listening system sockets. */
  listeners: number;
}

/**
 * The counts of this process. Code that opens something increments a count, and decrements it when
 * the thing is gone.
 */
export const open: OpenCounts = { fibers: 0, operations: 0, timers: 0, sockets: 0, listeners: 0 };

/** Returns a copy of the counts, for tests that assert that nothing leaks. */
export function openCounts(): OpenCounts {
  return { ...open };
}
