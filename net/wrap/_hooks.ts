// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../base/internal.ts";

/**
 * Throws `TypeError` unless `hooks` is an object whose members in `names` are functions or absent.
 */
export function checkHooks<H extends object>(action: string, hooks: H, ...names: (keyof H & string)[]): void {
  if (typeof hooks !== "object" || hooks === null) {
    throw new TypeError(`Cannot ${action} as hooks must be an object: current value is ${describe(hooks)}`);
  }
  for (const name of names) {
    const hook: unknown = hooks[name];
    if (hook === undefined || typeof hook === "function") continue;
    throw new TypeError(`Cannot ${action} as ${name} must be a function: current value is ${describe(hook)}`);
  }
}
