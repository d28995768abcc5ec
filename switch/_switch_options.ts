// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkName, checkOptions, describe, isSignal } from "../base/internal.ts";

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

/** Throws `TypeError` unless a switch can be run with these arguments. Returns the options, each of which is read once. */
export function checkRun(fn: unknown, options: SwitchRunOptions | undefined): SwitchRunOptions {
  checkFunction("run a switch", fn);
  checkOptions("run a switch", options);
  const { name, signal } = options ?? {};
  checkName("run a switch", name);
  if (signal === undefined || isSignal(signal)) return { name, signal };
  throw new TypeError(`Cannot run a switch as signal must be an AbortSignal: current value is ${describe(signal)}`);
}
