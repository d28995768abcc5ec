// Copyright 2026 the Sluice authors. MIT license.

import { type Clock, currentScope, type Scope, systemClock } from "../../switch/internal.ts";

/** The clocks of servers, by the scope of their handlers. */
const clocks: WeakMap<Scope, Clock> = new WeakMap();

/** Records that a server, whose handlers run under `scope`, accepts from a network with `clock`. */
export function recordClock(scope: Scope | undefined, clock: Clock): void {
  if (scope !== undefined && !clocks.has(scope)) clocks.set(scope, clock);
}

/**
 * Returns the clock of the network of the server whose handler runs now: the system's outside a
 * server, and if the listener is foreign.
 */
export function serverClock(): Clock {
  for (let scope = currentScope(); scope !== undefined; scope = scope.parent) {
    const clock = clocks.get(scope);
    if (clock !== undefined) return clock;
  }
  return systemClock;
}
