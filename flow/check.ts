// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "./describe.ts";

/** Throws `TypeError` unless `value` has these methods: "Cannot make a source of 1: must be a ReadableStream". */
export function checkMethods(action: string, value: unknown, kind: string, ...methods: readonly string[]): void {
  const has = (method: string) => typeof (value as Record<string, unknown> | null | undefined)?.[method] === "function";
  if (!methods.every(has)) throw new TypeError(`Cannot ${action} of ${describe(value)}: must be ${kind}`);
}
