// Copyright 2026 the Sluice authors. MIT license.

/**
 * What becomes of calls that were not awaited and still run when the code that made them has ended.
 */
import { isInstance, quoteText } from "../base/internal.ts";
import { runIn, storedScope } from "./_scope.ts";
import { currentScope, Scope, type StrayListener } from "./_scope.ts";
import { Cancelled, Failures, scopeEnded } from "./errors.ts";

/** How many calls an error lists. */
const mostListed = 3;

/**
 * The kinds of scopes that belong to a call of the user. A scope of another kind is a part of an
 * operation of the library, which is cancelled without a report.
 */
const calls: ReadonlySet<string> = new Set([
  "switch",
  "protect",
  "all",
  "both",
  "any",
  "first",
  "nAny",
  "mapFibers",
  "filterFibers",
  "forEachFiber",
  "withTimeout",
  "retry",
]);

/**
 * What to say of `forgotten` calls in `scope`; undefined where all are parts of operations of the
 * library.
 */
export function reportOf(scope: Scope, forgotten: readonly Scope[]): Error | undefined {
  const names = forgotten.filter(({ kind }) => calls.has(kind)).map(nameOf);
  if (names.length === 0) return undefined;
  return new Error(`Cannot end a ${scope.kind}${quotedName(scope)}: ${listOf(names)} not awaited`);
}

/**
 * Cancels the calls that still run in `scope`, although its code has ended, and waits for them.
 * Resolves to what failed: what that code threw, or else a report that they were not awaited, and
 * what they threw.
 */
export async function endForgotten(scope: Scope, ...thrown: [error?: unknown]): Promise<Failures> {
  const failures = new Failures();
  for (const error of thrown) failures.add(error);
  for (let left = scope.forgotten(); left.length > 0; left = scope.forgotten()) {
    if (scope.reason === undefined) {
      if (!failures.any) {
        const report = reportOf(scope, left);
        if (report !== undefined) failures.add(report);
      }
      scope.cancel(failures.any ? new Cancelled(failures.error) : scopeEnded());
    }
    for (const outcome of await Promise.allSettled(left.map((child) => child.outcome))) {
      if (outcome.status === "rejected" && !isInstance(outcome.reason, Cancelled)) failures.add(outcome.reason);
    }
  }
  return failures;
}

/**
 * Runs an operation of the library that is made of calls like `Switch.run` or `withTimeout`. If its
 * caller does not await it, it is cancelled with its scope, like an operation that only waits.
 */
export function asOperation<T>(operation: string, fn: () => Promise<T>): Promise<T> {
  const scope = new Scope(currentScope(), operation);
  const promise = runIn(scope, async () => {
    try {
      const value = await fn();
      if (scope.hasForgotten) {
        const failures = await endForgotten(scope);
        if (failures.any) throw failures.error;
      }
      return value;
    } finally {
      scope.finish();
    }
  });
  scope.outcome = promise;
  return promise;
}

/** "a Switch.run, an all and 3 more were". */
function listOf(names: readonly string[]): string {
  const listed = names.slice(0, mostListed);
  const rest = names.length - listed.length;
  if (rest > 0) listed.push(`${rest} more`);
  const last = listed.pop();
  return listed.length === 0 ? `${last} was` : `${listed.join(", ")} and ${last} were`;
}

/** `a Switch.run "upload"`, with its article. */
function nameOf(scope: Scope): string {
  const name = scope.kind === "switch" ? `Switch.run${scope.shielded ? "Protected" : ""}` : scope.kind;
  return `${/^(all|any|nAny)$/.test(name) ? "an" : "a"} ${name}${quotedName(scope)}`;
}

function quotedName({ owner }: Scope): string {
  const { name } = (owner ?? {}) as { readonly name?: string };
  return name === undefined ? "" : ` ${quoteText(name)}`;
}

/** How many listeners there may be rejections for. */
let count = 0;

/** The listener of the running code. In a process's `unhandledRejection` event, that is the code which rejected. */
export function strayListener(): StrayListener | undefined {
  for (let scope = storedScope(); scope !== undefined; scope = scope.parent) {
    if (scope.strayListener !== undefined) return scope.strayListener;
  }
  return undefined;
}

/** Says that there may be strays of a server, until the answer is called: Bun does not say in which code one was. */
export function expectStrays(): () => void {
  count++;
  return () => {
    count--;
  };
}

/** Whether there may be strays of a server. */
export function mayBeStray(): boolean {
  return count > 0;
}
