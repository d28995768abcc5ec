// Copyright 2026 the Sluice authors. MIT license.

/** Ownership of resources by a switch, for the rest of the library. */
import { describe, isOfAnotherCopy } from "../base/internal.ts";
import { currentScope, dumpScope, refused, runIn, Scope } from "./_scope.ts";
import type { Cancelled } from "./errors.ts";
import type { Hook, Releasable } from "./release_hook.ts";
import { internals, type Switch, Switch as SwitchClass } from "./switch.ts";

/**
 * Registers a release hook for a resource that is about to be opened. Unlike
 * {@linkcode Switch.onRelease}, it releases nothing if it throws.
 *
 * @throws {TypeError} If `sw` is not a switch, or is releasing or finished.
 */
export function registerOwner(sw: Switch, action: string, resource: Releasable): Hook {
  checkSwitch(sw, action);
  return internals.addHook(sw, action, resource);
}

/**
 * Registers a release hook with the innermost switch around the running code that still accepts
 * hooks. Returns `undefined` if there is none.
 */
export function registerOwnerHere(resource: Releasable): Hook | undefined {
  for (let scope = currentScope(); scope !== undefined; scope = scope.parent) {
    const sw = scope.owner as Switch | undefined;
    if (sw !== undefined && internals.takesHooks(sw)) return internals.addHook(sw, "register a release hook", resource);
  }
  return undefined;
}

/**
 * Throws unless resources may be opened under `sw`.
 *
 * @throws {TypeError} If `sw` is not a switch, or is finished.
 * @throws {Cancelled} If `sw` is cancelled.
 */
export function checkSwitch(sw: Switch, action: string): void {
  checkIsSwitch(sw, action);
  sw.check();
}

/** Throws `TypeError` unless `sw` is a switch, in any state. */
export function checkIsSwitch(sw: Switch, action: string): void {
  if (internals.scopeOf(sw) !== undefined) return;
  const what = isOfAnotherCopy(sw, SwitchClass, "Switch")
    ? "one of another copy of @sluice/io, so install the package once, or use both from the same copy"
    : describe(sw);
  throw new TypeError(`Cannot ${action} as sw must be a Switch: current value is ${what}`);
}

/** Reports whether `sw` is releasing or finished, so that nothing can be opened under it. */
export function hasEnded(sw: Switch): boolean {
  return !internals.takesHooks(sw);
}

/**
 * Checks whether an operation may open something under `sw`. Returns `undefined` if so, and
 * otherwise the rejection to return.
 *
 * @throws {TypeError} If `sw` is not a switch, or is finished.
 */
export function refusedFor(sw: Switch, action: string): Promise<never> | undefined {
  const scope = internals.scopeOf(sw);
  if (scope?.reason === undefined || scope.finished) checkSwitch(sw, action);
  return scope?.reason === undefined ? refused() : scope.refuse();
}

/** Reports whether `sw` has failed or was cancelled. */
export function isSwitchCancelled(sw: Switch): boolean {
  return internals.scopeOf(sw)?.reason !== undefined;
}

/**
 * Calls `fn` in the scope of `sw` instead of the caller's. If it returns a promise, the switch
 * waits for it before it ends; the caller handles its rejection.
 */
export function runUnder<T>(sw: Switch, fn: () => T): T {
  const scope = internals.scopeOf(sw);
  const result = runIn(scope, fn);
  if (scope?.finished === false && result instanceof Promise) adopt(sw, result.catch(() => {}));
  return result;
}

/**
 * Makes `sw` wait for `work` before it ends, as for a fiber. If `work` rejects, the switch fails. A
 * release hook may add work too: the next hooks do not wait for it, but the switch does, once all
 * hooks have run.
 *
 * `work` is cancelled with the scope in which it was begun. Begin it with {@linkcode runUnder} to
 * have it cancelled with `sw`: at once, if `sw` has already failed.
 *
 * @throws {TypeError} If `sw` is finished.
 */
export function adopt(sw: Switch, work: Promise<unknown>): void {
  internals.adopt(sw, work);
}

/** A switch that borrows the scope of a fiber. */
export interface ScopeSwitch {
  readonly sw: Switch;
  /**
   * Ends the switch, as {@linkcode Switch.run} does when its main function returns, or throws
   * `failure`: waits for its fibers, ends its daemons, runs its release hooks, and rejects with
   * what failed. Does not finish the scope.
   */
  end(failure?: { readonly error: unknown }): Promise<void>;
}

/**
 * Creates a switch in `scope`, the scope of a running fiber: failing or cancelling the switch
 * cancels the fiber, and cancelling the fiber cancels the switch. The fiber acts as the main
 * function of the switch, and must call `end` before it ends.
 */
export function switchOver(scope: Scope, name?: string): ScopeSwitch {
  const sw = internals.create(scope, name);
  const end = async (failure?: { readonly error: unknown }) => {
    await internals.runToEnd(sw, () => {
      if (failure !== undefined) throw failure.error;
    });
  };
  return { sw, end };
}

/** A switch that its creator ends. */
export interface ChildSwitch extends ScopeSwitch {
  /** Whether fibers run in the switch, or it has had daemons. */
  readonly hasFibers: boolean;
  /** Calls `fn` in the scope of the switch. */
  run<T>(fn: () => T): T;
  /** Cancels the switch, and everything in it. */
  cancel(reason: Cancelled): void;
}

/**
 * Creates a switch under `parent`. It is cancelled with `parent`, which does not wait for it: a
 * release hook of `parent` must end it.
 *
 * @param kind What it is, in dumps.
 */
export function switchUnder(parent: Switch, kind: string): ChildSwitch {
  const scope = new Scope(internals.scopeOf(parent), kind);
  const { sw, end } = switchOver(scope);
  return {
    sw,
    get hasFibers() {
      return scope.children().some(({ kind }) => kind === "fiber" || kind === "daemons");
    },
    run: (fn) => runIn(scope, fn),
    cancel: (reason) => scope.cancel(reason),
    end: (failure) => end(failure).finally(() => scope.finish()),
  };
}

/**
 * Fails the switch of `scope`. If the scope is not that of a switch, everything that waits in it
 * rejects with `error`.
 */
export function failScope(scope: Scope, error: Error): void {
  if (scope.owner === undefined) scope.cancel(error); // a reason that is not a cancellation is thrown like any error
  else (scope.owner as Switch).fail(error);
}

/** Returns what `Switch.dump` returns, for any scope. */
export function dumpOf(scope: Scope): string {
  return dumpScope(scope, internals.resources);
}
