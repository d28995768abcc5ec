// Copyright 2026 the Sluice authors. MIT license.

/** The tree of scopes: cancellation, pending operations, forgotten calls, and dumps. */
import { escapeText, fieldOf, isInstance, isOfAnotherCopy, type Linked, List, quoteText } from "../base/internal.ts";
import { macrotask, storage } from "./_context.ts";
import { Cancelled, cancelledBy, Failures, scopeEnded } from "./errors.ts";

/**
 * Every 32nd refusal in one scope waits for the event loop, so that a loop that ignores refusals
 * does not starve other code.
 */
const refusalsPerTurn = 32;

/** The kind of a scope in which a stream bridge does its I/O, apart from the code that calls it. */
export const bridge = "bridge";

/** Observer of all scopes. */
export interface ScopeObserver {
  /** Called when an outermost scope begins. */
  began(root: Scope): void;
  /** Called when an operation begins to wait in a scope. */
  waits(): void;
}

let observer: ScopeObserver | undefined;

/** Sets the observer of all scopes: a clock of tests, which advances when all code waits. */
export function observeScopes(by: ScopeObserver): void {
  observer = by;
}

/** Receiver of strays: the unhandled rejections of code that runs in a scope. */
export interface StrayListener {
  /** Handles `error`, which then does not end the process. */
  stray(error: unknown): void;
}

/**
 * A node of the tree, which can be cancelled: a switch, a fiber, a branch of `first`, a shield.
 * Cancelling marks the unshielded subtree, and then wakes what waits in it, all in the same turn.
 */
export class Scope {
  /**
   * Why this scope is cancelled; `undefined` if it is not. A plain field, because every operation
   * reads it first.
   */
  reason: Cancelled | undefined;
  /** The enclosing scope; once this scope has finished, the nearest ancestor that was live then. */
  parent: Scope | undefined;
  /** Whether it has ended: code that still runs in it is governed by `parent`. */
  finished = false;
  /** The kind of call, for `Switch.dump`. */
  readonly kind: string;
  /** Whether it is shielded from cancellation of its parent. */
  readonly shielded: boolean;
  /** The switch of this scope, if it is the scope of one. */
  owner: object | undefined;
  /** The promise of the call that runs in this scope, if the caller must await it. */
  outcome: Promise<unknown> | undefined = undefined;
  /** Receives the unhandled rejections in this scope, even after it is finished. */
  strayListener: StrayListener | undefined = undefined;
  /** The links to its siblings. */
  newer: Scope | undefined;
  older: Scope | undefined;

  // Created on demand: most scopes have no children, and many no waiters.
  #children: List<Scope> | undefined;
  #waiters: List<Waiting> | undefined;
  #controller: AbortController | undefined;
  #refusals = 0;
  #onEmpty: (() => void) | undefined;

  constructor(parent: Scope | undefined, kind: string, shielded = false, owner?: object) {
    this.kind = kind;
    this.shielded = shielded;
    this.owner = owner;
    this.parent = parent;
    if (parent === undefined) {
      observer?.began(this);
      return;
    }
    parent.#adopt(this);
    if (!shielded) this.reason = parent.reason;
  }

  /** Aborted when this scope is cancelled. Created on demand. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.reason !== undefined) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /**
   * Cancels this scope and everything in it that is not shielded, oldest first. Does nothing if the
   * scope is finished or cancelled already.
   */
  cancel(reason: Cancelled): void {
    if (this.finished || this.reason !== undefined) return;
    this.reason = reason;
    if (this.#children === undefined) return this.#wake(reason);
    const marked: Scope[] = [this];
    // The list grows during the loop; recursion would overflow the stack in a deep tree.
    for (const scope of marked) {
      for (let child = scope.#children?.oldest; child !== undefined; child = child.newer) {
        if (child.shielded || child.reason !== undefined) continue;
        child.reason = reason;
        marked.push(child);
      }
    }
    for (const scope of marked) scope.#wake(reason);
  }

  /** Returns the rejection of an operation that begins in this scope, which is cancelled. */
  refuse(): Promise<never> {
    const late = ++this.#refusals % refusalsPerTurn === 0;
    const refusal = new Promise<never>((_, reject) =>
      late ? macrotask(() => reject(this.reason)) : reject(this.reason)
    );
    refusal.catch(ignore);
    return refusal;
  }

  /**
   * Ends this scope, and cancels the operations that still wait in it, because nothing awaits them.
   * Whatever outlives it, such as the I/O of a stream that was made in it, moves to the nearest
   * live ancestor.
   */
  finish(): void {
    if (this.finished) return;
    this.finished = true;
    if (this.parent !== undefined) {
      this.parent.#children?.remove(this);
      this.parent.#notifyIfEmpty();
    }
    const heir = this.parent = liveScope(this.parent);
    for (let child = this.#children?.oldest; child !== undefined; child = this.#children?.oldest) {
      this.#children?.remove(child);
      child.parent = heir;
      if (heir === undefined) continue;
      heir.#adopt(child);
      if (heir.reason !== undefined && !child.shielded) child.cancel(heir.reason);
    }
    if (this.#waiters?.oldest !== undefined) this.#endWaiters(this.#waiters, heir);
  }

  #endWaiters(waiters: List<Waiting>, heir: Scope | undefined): void {
    const reason = this.reason ?? scopeEnded();
    for (let waiter = waiters.oldest; waiter !== undefined; waiter = waiters.oldest) {
      this.remove(waiter);
      if (waiter.outlives !== true) waiter.cancel(reason);
      else if (heir?.reason === undefined) heir?.add(waiter);
      else waiter.cancel(heir.reason);
    }
  }

  /** Adds an operation that waits in this scope. */
  add(waiter: Waiting): void {
    waiter.scope = this;
    (this.#waiters ??= new List()).add(waiter);
    observer?.waits();
  }

  /** Removes an operation that waits in this scope. */
  remove(waiter: Waiting): void {
    waiter.scope = undefined;
    this.#waiters?.remove(waiter);
    this.#notifyIfEmpty();
  }

  /**
   * Calls `fn` once nothing runs or waits in this scope, which may be now. A second call replaces
   * the first.
   */
  whenEmpty(fn: () => void): void {
    this.#onEmpty = fn;
    this.#notifyIfEmpty();
  }

  /** Whether nothing runs or waits in this scope. */
  get isEmpty(): boolean {
    return this.#children?.oldest === undefined && this.#waiters?.oldest === undefined;
  }

  #notifyIfEmpty(): void {
    if (this.#onEmpty === undefined || !this.isEmpty) return;
    const fn = this.#onEmpty;
    this.#onEmpty = undefined;
    fn();
  }

  /** Whether calls are forgotten: they must be awaited, and still run directly under this scope. */
  get hasForgotten(): boolean {
    for (let child = this.#children?.oldest; child !== undefined; child = child.newer) {
      if (child.outcome !== undefined) return true;
    }
    return false;
  }

  /** Returns the scopes of the forgotten calls, oldest first. */
  forgotten(): Scope[] {
    return this.children().filter(({ outcome }) => outcome !== undefined);
  }

  /** Returns the scopes directly under this one, oldest first. */
  children(): Scope[] {
    return this.#children?.toArray() ?? [];
  }

  /** Whether an operation waits in this scope itself. Hooks do not count. */
  get hasOperation(): boolean {
    return this.#waiters?.toArray().some(({ outlives }) => outlives !== true) ?? false;
  }

  /** Returns the names of the operations that wait in this scope itself, oldest first. */
  waiting(): string[] {
    const waiters = this.#waiters?.toArray() ?? [];
    return waiters.map(({ operation, subject }) => subject === undefined ? operation : `${operation} ${subject.label}`);
  }

  #adopt(child: Scope): void {
    (this.#children ??= new List()).add(child);
  }

  /** Wakes the waiters, then the signal's listeners: foreign code, which finds the tree marked. */
  #wake(reason: Cancelled): void {
    for (let waiter = this.#waiters?.oldest; waiter !== undefined; waiter = this.#waiters?.oldest) {
      this.remove(waiter);
      waiter.cancel(reason);
    }
    this.#controller?.abort(reason);
  }
}

/** An operation that waits in a scope, and is cancelled with it. */
export interface Waiting extends Linked<Waiting> {
  /** Its name, for `Switch.dump`: "read". */
  readonly operation: string;
  /** What it waits on. Only `Switch.dump` reads its label, such as "tcp:127.0.0.1:80". */
  readonly subject: { readonly label: string } | undefined;
  /** Whether it survives the end of its scope and moves to the nearest live ancestor. */
  readonly outlives?: boolean | undefined;
  /** The scope in which it waits. Maintained by {@linkcode Scope}. */
  scope: Scope | undefined;
  /** Ends the wait. Called by the scope, which has removed it already. */
  cancel(reason: Cancelled): void;
}

/** Returns the scope that governs the running code. */
export function currentScope(): Scope | undefined {
  return liveScope(storedScope());
}

/**
 * Checks whether an operation may begin in the current scope. Returns `undefined` if so, and
 * otherwise the rejection to return. Costs one context lookup and no allocation.
 */
export function refused(): Promise<never> | undefined {
  return refusedIn(currentScope());
}

/** Like {@linkcode refused}, in the scope that the caller has looked up. */
export function refusedIn(scope: Scope | undefined): Promise<never> | undefined {
  return scope === undefined || scope.reason === undefined ? undefined : scope.refuse();
}

/** Returns the switch that governs the code in `from`. */
export function ownerOf(from: Scope | undefined): object | undefined {
  let scope = from;
  while (scope !== undefined && scope.owner === undefined) scope = scope.parent;
  return scope?.owner;
}

/**
 * Translates an error that was thrown in `scope`: if the scope is cancelled, an `AbortError` of
 * foreign code or the {@linkcode Cancelled} of another copy of the library becomes its reason.
 */
export function failureIn(scope: Scope | undefined, error: unknown): unknown {
  if (scope?.reason === undefined) return error;
  const aborted = fieldOf(error, Error, "name") === "AbortError" || isOfAnotherCopy(error, Cancelled, "Cancelled");
  return aborted ? scope.reason : error;
}

/** Returns `from`, or its nearest ancestor that is not finished. */
export function liveScope(from: Scope | undefined): Scope | undefined {
  let scope = from;
  while (scope !== undefined && scope.finished) scope = scope.parent;
  return scope;
}

function ignore(): void {}

/** Returns the scope in which the running code was started, finished or not. */
export function storedScope(): Scope | undefined {
  return storage.getStore() as Scope | undefined;
}

/**
 * Calls `fn` with `args` in `scope`, which governs it across every `await`. On Deno and Node, this
 * is the most expensive step of a fiber.
 */
export function runIn<A extends unknown[], T>(scope: Scope | undefined, fn: (...args: A) => T, ...args: A): T {
  return storage.run(scope, fn, ...args);
}

/** The maximum number of forgotten calls that an error lists. */
const mostListed = 3;

/**
 * The kinds of scopes of calls by the user. A scope of another kind is part of an operation of the
 * library, which is cancelled without a report.
 */
const reported: ReadonlySet<string> = new Set([
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
 * Returns the error for forgotten calls in `scope`, or `undefined` if all of them are parts of
 * operations of the library.
 */
export function reportOf(scope: Scope, forgotten: readonly Scope[]): Error | undefined {
  const names = forgotten.filter(({ kind }) => reported.has(kind)).map(nameOf);
  if (names.length === 0) return undefined;
  return new Error(`Cannot end a ${scope.kind}${quotedName(scope)}: ${listOf(names)} not awaited`);
}

/**
 * Cancels the forgotten calls in `scope` after its code has ended, and waits for them. Resolves to
 * the failures: what the code threw, or else the report of the calls, and what the calls threw.
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
      scope.cancel(failures.any ? cancelledBy(failures.error) : scopeEnded());
    }
    for (const outcome of await Promise.allSettled(left.map((child) => child.outcome))) {
      if (outcome.status === "rejected" && !isInstance(outcome.reason, Cancelled)) failures.add(outcome.reason);
    }
  }
  return failures;
}

/**
 * Runs an operation of the library that is composed of calls such as `Switch.run`. If its caller
 * does not await it, it is cancelled with its scope and without a report, like a simple operation.
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

/** Joins names for a report: "a Switch.run, an all and 3 more were". */
function listOf(names: readonly string[]): string {
  const listed = names.slice(0, mostListed);
  const rest = names.length - listed.length;
  if (rest > 0) listed.push(`${rest} more`);
  const last = listed.pop();
  return listed.length === 0 ? `${last} was` : `${listed.join(", ")} and ${last} were`;
}

/** Names a call, with an article: `a Switch.run "upload"`. */
function nameOf(scope: Scope): string {
  const name = scope.kind === "switch" ? `Switch.run${scope.shielded ? "Protected" : ""}` : scope.kind;
  return `${/^(all|any|nAny)$/.test(name) ? "an" : "a"} ${name}${quotedName(scope)}`;
}

/** Returns a space and the quoted name of the switch of a scope, if it has a name. */
function quotedName({ owner }: Scope): string {
  const { name } = (owner ?? {}) as { readonly name?: string };
  return name === undefined ? "" : ` ${quoteText(name)}`;
}

/**
 * Returns the stray listener of the running code. In a handler of the process's
 * `unhandledRejection` event, that is the code whose promise was rejected.
 */
export function strayListener(): StrayListener | undefined {
  for (let scope = storedScope(); scope !== undefined; scope = scope.parent) {
    if (scope.strayListener !== undefined) return scope.strayListener;
  }
  return undefined;
}

let servers = 0;

/**
 * Registers a server whose code may leave unhandled rejections, and returns a function that
 * unregisters it. Bun does not tell which code an unhandled rejection comes from.
 */
export function expectStrays(): () => void {
  servers++;
  return () => {
    servers--;
  };
}

/** Reports whether an unhandled rejection may come from a server. */
export function mayBeStray(): boolean {
  return servers > 0;
}

/** Returns the names of the operations that wait in `scope` and in what runs in it. */
export function operationsIn(scope: Scope): string[] {
  const scopes = [scope]; // recursion would overflow the stack in a deep tree
  for (const next of scopes) scopes.push(...next.children());
  return scopes.flatMap((next) => next.waiting()).map((operation) => escapeText(operation, longestLabel));
}

/** The maximum indentation of a dump, in levels. */
const deepest = 50;

/** The maximum length of a label in a dump, in characters. */
const longestLabel = 200;

/** Formats the tree under `scope`: a line for each scope, operation and resource. */
export function dumpScope(scope: Scope, resources: (sw: object) => readonly string[]): string {
  const lines: string[] = [];
  // Recursion would overflow the stack in a deep tree.
  const rest: { readonly scope: Scope; readonly depth: number }[] = [{ scope, depth: 0 }];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { scope, depth } = next;
    const indent = "  ".repeat(Math.min(depth, deepest));
    const add = (kind: string, label: string) => lines.push(`${indent}  ${kind}: ${escapeText(label, longestLabel)}`);
    lines.push(indent + scope.kind + quotedName(scope) + (scope.reason === undefined ? "" : " (cancelled)"));
    for (const operation of scope.waiting()) add("waiting", operation);
    if (scope.owner !== undefined) { for (const label of resources(scope.owner)) add("resource", label); }
    for (const child of scope.children().reverse()) rest.push({ scope: child, depth: depth + 1 });
  }
  return lines.join("\n");
}
