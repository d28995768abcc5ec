// Copyright 2026 the Sluice authors. MIT license.

/** How the rest of the library opens things under a switch. */
import { describe, isOfAnotherCopy } from "../base/internal.ts";
import { runIn } from "./_scope.ts";
import { currentScope, refused, type Scope } from "./_scope.ts";
import type { Hook, Releasable } from "./release_hooks.ts";
import { internals, type Switch, Switch as SwitchClass } from "./switch.ts";

/**
 * Registers a release hook for what is about to be opened. Unlike {@linkcode Switch.onRelease} it
 * releases nothing when it is too late.
 *
 * @throws {TypeError} When `sw` is not a switch, or is releasing or finished.
 */
export function registerOwner(sw: Switch, action: string, resource: Releasable): Hook {
  checkSwitch(sw, action);
  return internals.addHook(sw, action, resource);
}

/**
 * Registers a release hook with the switch that governs the running code, or the nearest one around
 * it that still takes hooks; `undefined` where there is none.
 */
export function registerOwnerHere(resource: Releasable): Hook | undefined {
  for (let scope = currentScope(); scope !== undefined; scope = scope.parent) {
    const sw = scope.owner as Switch | undefined;
    if (sw !== undefined && internals.takesHooks(sw)) return internals.addHook(sw, "register a release hook", resource);
  }
  return undefined;
}

/**
 * Throws unless `sw` is a switch under which something may be opened: `TypeError`, or {@linkcode
 * Cancelled}.
 */
export function checkSwitch(sw: Switch, action: string): void {
  checkIsSwitch(sw, action);
  sw.check();
}

/** Throws `TypeError` unless `sw` is a switch, whatever its state. */
export function checkIsSwitch(sw: Switch, action: string): void {
  if (internals.scopeOf(sw) !== undefined) return;
  const what = isOfAnotherCopy(sw, SwitchClass, "Switch")
    ? "one of another copy of @sluice/io, so install the package once, or use both from the same copy"
    : describe(sw);
  throw new TypeError(`Cannot ${action} as sw must be a Switch: current value is ${what}`);
}

/** Whether `sw` has ended, or is about to: nothing can be opened under it any more. */
export function hasEnded(sw: Switch): boolean {
  return !internals.takesHooks(sw);
}

/**
 * The check with which everything starts that opens something under `sw`: nothing where it may go
 * on, else the promise to return.
 *
 * @throws {TypeError} When `sw` is not a switch, or is finished.
 */
export function refusedFor(sw: Switch, action: string): Promise<never> | undefined {
  const scope = internals.scopeOf(sw);
  if (scope?.reason === undefined || scope.finished) checkSwitch(sw, action);
  return scope?.reason === undefined ? refused() : scope.refuse();
}

/** Whether `sw` has failed or was cancelled. */
export function isSwitchCancelled(sw: Switch): boolean {
  return internals.scopeOf(sw)?.reason !== undefined;
}

/**
 * Calls `fn`, governed by `sw` instead of by the caller's scope. If it returns a promise, the
 * switch does not end before that is settled, but what it is rejected with is the business of the
 * caller.
 */
export function runUnder<T>(sw: Switch, fn: () => T): T {
  const scope = internals.scopeOf(sw);
  const result = runIn(scope, fn);
  if (scope?.finished === false && result instanceof Promise) adopt(sw, result.catch(() => {}));
  return result;
}

/**
 * Leaves `work` to `sw`, which waits for it before it ends, as for a fiber. A release hook may
 * leave work too: the hooks after it do not wait for that, but the switch does, once all hooks have
 * run. If `work` rejects, the switch fails.
 *
 * What `work` does is governed by the scope in which it was begun: use {@linkcode runUnder} to
 * begin it under `sw`. So begun, it is cancelled with `sw`, at once if `sw` has failed already.
 *
 * @throws {TypeError} When `sw` is finished.
 */
export function adopt(sw: Switch, work: Promise<unknown>): void {
  internals.adopt(sw, work);
}

/** A switch that lives in the scope of a fiber. */
export interface ScopeSwitch {
  readonly sw: Switch;
  /**
   * Ends the switch: the main function has ended, by throwing where there is a `failure`. Waits for
   * its fibers, ends its daemons and runs its release hooks, and rejects with what failed, as
   * {@linkcode Switch.run} does. The scope goes on.
   */
  end(failure?: { readonly error: unknown }): Promise<void>;
}

/**
 * Makes a switch of `scope`, the scope of a fiber that runs: what fails or cancels the switch
 * cancels that fiber, and the other way round. The fiber itself is the main function of the switch,
 * and must call `end` before it ends.
 */
export function switchOver(scope: Scope, name?: string): ScopeSwitch {
  const sw = internals.over(scope, name);
  const end = async (failure?: { readonly error: unknown }) => {
    await internals.live(sw, () => {
      if (failure !== undefined) throw failure.error;
    });
  };
  return { sw, end };
}
