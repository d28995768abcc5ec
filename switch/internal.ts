// Copyright 2026 the Sluice authors. MIT license.

/** What other folders of the library use of `switch/`. Private: users import `mod.ts`. */
export {
  hasMacrotasks,
  isSystemTime,
  longestTimer,
  macrotask,
  startTimer,
  type Timer,
  type TimeSource,
  useTime,
} from "./_context.ts";
export { branches } from "./_fiber.ts";
export {
  adopt,
  checkIsSwitch,
  checkSwitch,
  type ChildSwitch,
  dumpOf,
  failScope,
  hasEnded,
  isSwitchCancelled,
  refusedFor,
  registerOwner,
  registerOwnerHere,
  runUnder,
  type ScopeSwitch,
  switchOver,
  switchUnder,
} from "./_ownership.ts";
export {
  asOperation,
  bridge,
  currentScope,
  endForgotten,
  expectStrays,
  failureIn,
  liveScope,
  mayBeStray,
  observeScopes,
  operationsIn,
  refused,
  refusedIn,
  runIn,
  Scope,
  type StrayListener,
  strayListener,
  type Waiting,
} from "./_scope.ts";
export { CancelHook, type OnCancel, Waiter, WaitQueue } from "./_waiter.ts";
export { both } from "./all.ts";
export { any, first } from "./any.ts";
export { awaitCancel, checkCancelled, currentSignal, interruptible, isCancelled, yieldNow } from "./cancel.ts";
export { type Clock, sleepOn, systemClock } from "./clock.ts";
export { avoidErrors, Cancelled, Failures, MultipleErrors, noLongerNeeded } from "./errors.ts";
export { Queue } from "./queue.ts";
export type { Hook, Labelled, Releasable, ReleaseHook } from "./release_hook.ts";
export { type Permit, Semaphore } from "./semaphore.ts";
export { Switch } from "./switch.ts";
export { TimeoutError, withTimeout } from "./timeout.ts";
