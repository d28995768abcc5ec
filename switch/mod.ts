// Copyright 2026 the Sluice authors. MIT license.

/**
 * Structured concurrency: scopes that own fibers and resources, cancellation of every pending
 * operation, combinators, clocks, timeouts and synchronization.
 *
 * ```ts
 * import { awaitCancel, first, Switch } from "@sluice/io/switch";
 *
 * await Switch.run(async (sw) => {
 *   sw.forkDaemon(awaitCancel);
 *   await first(() => Promise.resolve(1), () => Promise.resolve(2));
 * });
 * ```
 *
 * @module
 */

export { all, both, type Results } from "./all.ts";
export { any, type AnyOptions, first, nAny } from "./any.ts";
export { awaitCancel, checkCancelled, currentSignal, interruptible, isCancelled, protect, yieldNow } from "./cancel.ts";
export { type Clock } from "./clock.ts";
export { Condition } from "./condition.ts";
export { Cancelled, MultipleErrors } from "./errors.ts";
export { type FiberListOptions, filterFibers, forEachFiber, mapFibers } from "./map_fibers.ts";
export { Queue } from "./queue.ts";
export { type ReleaseHook } from "./release_hook.ts";
export { retry, type RetryOptions, type RetryPolicy } from "./retry.ts";
export { type Permit, Semaphore } from "./semaphore.ts";
export { Switch, type SwitchOptions, type SwitchRunOptions } from "./switch.ts";
export { TimeoutError, withTimeout, type WithTimeoutOptions } from "./timeout.ts";
