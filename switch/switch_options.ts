// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkName, checkOptions, isInstance } from "./check.ts";
import { describe } from "./text.ts";

/** Options for {@linkcode Switch.runProtected}. */
export interface SwitchOptions {
  /** A name for {@linkcode Switch.dump}. */
  name?: string | undefined;
}

/** Options for {@linkcode Switch.run}. */
export interface SwitchRunOptions extends SwitchOptions {
  /**
   * Cancels the switch when it is aborted. The cause of the {@linkcode Cancelled} is the signal's
   * reason.
   */
  signal?: AbortSignal | undefined;
}

/** Throws `TypeError` unless a switch can be run with these arguments. */
export function checkRun(fn: unknown, options: SwitchRunOptions | undefined): void {
  checkFunction("run a switch", fn);
  checkOptions("run a switch", options);
  checkName("run a switch", options?.name);
  const signal = options?.signal;
  if (signal === undefined || isInstance(signal, AbortSignal)) return;
  throw new TypeError(`Cannot run a switch as signal must be an AbortSignal: current value is ${describe(signal)}`);
}
