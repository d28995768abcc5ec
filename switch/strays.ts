// Copyright 2026 the Sluice authors. MIT license.

import { storedScope } from "./context.ts";
import type { StrayListener } from "./scope.ts";

/** How many listeners there may be rejections for. */
let count = 0;

/** The listener of the running code. In a process's `unhandledRejection` event, that is the code which rejected. */
export function strayListener(): StrayListener | undefined {
  for (let scope = storedScope(); scope !== undefined; scope = scope.parent) {
    if (scope.strayListener !== undefined) return scope.strayListener;
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
