// Copyright 2026 the Sluice authors. MIT license.

import { setImmediate } from "node:timers";

/**
 * Deno's event loop is a tokio task. Tokio polls the system when idle, and at the latest after 61
 * tasks (its `event_interval`); one turn of `setImmediate` is one task. A timer would not do: after
 * a long computation it fires before the system is polled.
 */
const turnsToPoll = 64;

/** Pending calls, oldest first, each with the turn in which it is due. */
const pending: { readonly due: number; readonly call: () => void }[] = [];
let turn = 0;

/**
 * Calls `call` once Deno's event loop has polled the system after this call.
 *
 * Until then Deno does not know that a newly accepted TCP socket is writable, and queues what is
 * written. When it flushes that queue it reads first, and takes the end of input for a broken
 * connection: everything queued fails with `EPIPE`.
 */
export function afterPoll(call: () => void): void {
  pending.push({ due: turn + turnsToPoll, call });
  if (pending.length === 1) setImmediate(nextTurn);
}

function nextTurn(): void {
  turn++;
  while (pending.length > 0 && pending[0].due <= turn) pending.shift()?.call();
  if (pending.length > 0) setImmediate(nextTurn);
}
