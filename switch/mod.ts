// Copyright 2026 the Sluice authors. MIT license.

/**
 * Scopes that own fibers and resources, cancellation that reaches every waiting operation, and the
 * combinators, clocks and timeouts that go with them.
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

export { type SwitchOptions, type SwitchRunOptions } from "./_switch_options.ts";
export { awaitCancel, checkCancelled, currentSignal, interruptible, isCancelled, protect, yieldNow } from "./cancel.ts";
export { type Clock } from "./clock.ts";
export { Condition } from "./condition.ts";
export { Cancelled, MultipleErrors } from "./errors.ts";
export {
  all,
  any,
  type AnyOptions,
  both,
  type FiberListOptions,
  filterFibers,
  first,
  forEachFiber,
  mapFibers,
  nAny,
  type Results,
} from "./fiber.ts";
export { Queue } from "./queue.ts";
export { type ReleaseHook } from "./release_hooks.ts";
export { retry, type RetryOptions, type RetryPolicy } from "./retry.ts";
export { type Permit, Semaphore } from "./semaphore.ts";
export { Switch } from "./switch.ts";
export { TimeoutError, withTimeout, type WithTimeoutOptions } from "./timeout.ts";
