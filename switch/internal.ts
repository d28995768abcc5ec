// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `switch/`. Not for users: see `mod.ts`. */
export { withCallerFrames } from "./_caller_frames.ts";
export { longestTimer, macrotask, startTimer, type Timer, type TimeSource, useTime } from "./_context.ts";
export { asOperation, endForgotten, expectStrays, mayBeStray, strayListener } from "./_forgotten.ts";
export {
  adopt,
  checkIsSwitch,
  checkSwitch,
  hasEnded,
  isSwitchCancelled,
  refusedFor,
  registerOwner,
  registerOwnerHere,
  runUnder,
  type ScopeSwitch,
  switchOver,
} from "./_ownership.ts";
export {
  bridge,
  CancelHook,
  currentScope,
  failureIn,
  liveScope,
  type OnCancel,
  refused,
  runIn,
  Scope,
  type StrayListener,
  Waiter,
  type Waiting,
} from "./_scope.ts";
export { WaitQueue } from "./_wait_queue.ts";
export { awaitCancel, checkCancelled, currentSignal, interruptible, isCancelled, yieldNow } from "./cancel.ts";
export { type Clock, sleepOn, systemClock } from "./clock.ts";
export { Cancelled, Failures, MultipleErrors, noLongerNeeded } from "./errors.ts";
export { any, both, branches, first } from "./fiber.ts";
export { Queue } from "./queue.ts";
export type { Hook, Labelled, Releasable, ReleaseHook } from "./release_hooks.ts";
export { type Permit, Semaphore } from "./semaphore.ts";
export { Switch } from "./switch.ts";
export { TimeoutError, withTimeout } from "./timeout.ts";
