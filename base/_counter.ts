// Copyright 2026 the Sluice authors. MIT license.

/** What the library holds open right now, by kind. Each number is 0 when nothing is left behind. */
export interface OpenCounts {
  /** Fibers that have started and not ended. */
  fibers: number;
  /** Operations that wait: a read, an accept, an `awaitCancel`. */
  operations: number;
  /** Timers of the real clock. */
  timers: number;
  /** Sockets of the system, claimed or not, until the system has closed them. */
  sockets: number;
  /** Listening sockets of the system. */
  listeners: number;
}

/**
 * The process's one counter. What opens a thing adds one, and takes it away when the thing is
 * really gone.
 */
export const open: OpenCounts = { fibers: 0, operations: 0, timers: 0, sockets: 0, listeners: 0 };

/** A copy of the counter, for tests that assert that nothing is left open. */
export function openCounts(): OpenCounts {
  return { ...open };
}
