// Copyright 2026 the Sluice authors. MIT license.

import { setImmediate } from "node:timers";

/**
 * Deno's event loop is a task of tokio, which asks the system for events when it has nothing to do,
 * and at the latest when 61 tasks have run (its `event_interval`). A turn of `setImmediate` is one
 * task. No timer serves: after a handler that computes for long it runs before the system is asked.
 */
const turnsToPoll = 64;

/** What waits, oldest first, and the turn in which it is called. */
const waiting: { readonly due: number; readonly call: () => void }[] = [];
let turn = 0;

/**
 * Calls `call` once Deno's event loop has asked the system for events since now.
 *
 * Until then Deno does not know that a TCP socket which it has just accepted is writable, so it
 * queues what is written. When it comes to what is queued it looks for input first, and takes the
 * end of input for a broken connection: all that is queued fails with `EPIPE`.
 */
export function afterPoll(call: () => void): void {
  waiting.push({ due: turn + turnsToPoll, call });
  if (waiting.length === 1) setImmediate(nextTurn);
}

function nextTurn(): void {
  turn++;
  while (waiting.length > 0 && waiting[0].due <= turn) waiting.shift()?.call();
  if (waiting.length > 0) setImmediate(nextTurn);
}
