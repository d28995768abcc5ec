// Copyright 2026 the Sluice authors. MIT license.

import { describe, describeData } from "../switch/text.ts";

/** Throws `TypeError` unless `value` has these methods: "Cannot make a source of 1: must be a ReadableStream". */
export function checkMethods(action: string, value: unknown, kind: string, ...methods: readonly string[]): void {
  const has = (method: string) => typeof (value as Record<string, unknown> | null | undefined)?.[method] === "function";
  if (!methods.every(has)) throw new TypeError(`Cannot ${action} of ${describeData(value)}: must be ${kind}`);
}

/** The error for what does not say which directions to end, if it does not. */
export function howProblem(how: unknown): TypeError | undefined {
  if (how === "send" || how === "receive" || how === "all") return undefined;
  return new TypeError(`Cannot shut down ${describe(how)}: must be "send", "receive" or "all"`);
}
