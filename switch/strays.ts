// Copyright 2026 the Sluice authors. MIT license.

import { storedScope } from "./context.ts";
import type { Scope } from "./scope.ts";

/** What is told of rejections that nothing handles, in code that runs in its scope. */
export interface StrayListener {
  /** Takes `error`, which is then no reason to end the process. */
  stray(error: unknown): void;
}

const listeners: WeakMap<Scope, StrayListener> = new WeakMap();

/** How many listeners there may be rejections for. */
let count = 0;

/** Tells `listener` of what is rejected in `scope`, now and when the scope has ended. */
export function listenForStrays(scope: Scope, listener: StrayListener): void {
  listeners.set(scope, listener);
}

/** The listener of the running code. In a process's `unhandledRejection` event, that is the code which rejected. */
export function strayListener(): StrayListener | undefined {
  for (let scope = storedScope(); scope !== undefined; scope = scope.parent) {
    const listener = listeners.get(scope);
    if (listener !== undefined) return listener;
  }
  return undefined;
}

/** Says that there may be strays of a server, until the answer is called: Bun does not say in which code one was. */
export function expectStrays(): () => void {
  count++;
  return () => {
    count--;
  };
}

/** Whether there may be strays of a server. */
export function mayBeStray(): boolean {
  return count > 0;
}
