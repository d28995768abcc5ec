// Copyright 2026 the Sluice authors. MIT license.

/** Throws `TypeError` unless `fn` is a function: "Cannot run a switch: 1 is not a function". */
export function checkFunction(action: string, fn: unknown): void {
  if (typeof fn !== "function") throw new TypeError(`Cannot ${action}: ${String(fn)} is not a function`);
}
