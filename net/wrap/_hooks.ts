// Copyright 2026 the Sluice authors. MIT license.

import { checkShape, describe } from "../../base/internal.ts";
import type { ByteQuota } from "./byte_quota.ts";

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

/** Throws `TypeError` unless each of `names` in `hooks` is a {@linkcode ByteQuota} or absent. */
export function checkQuotas<H extends object>(action: string, hooks: H, ...names: (keyof H & string)[]): void {
  for (const name of names) {
    const quota: unknown = hooks[name];
    if (quota !== undefined) checkShape(action, name, "a ByteQuota", quota, "take", "giveBack");
  }
}

/**
 * Returns `count` if an operation can have moved that many of `most` bytes, and `most` otherwise.
 */
export function movedOf(count: unknown, most: number): number {
  return Number.isInteger(count) && count as number >= 0 && count as number <= most ? count as number : most;
}

/** Gives back the bytes that an operation has not moved. */
export function giveRest(quota: ByteQuota | undefined, taken: number, moved: number): void {
  if (taken > moved) quota?.giveBack(taken - moved);
}
