// Copyright 2026 the Sluice authors. MIT license.

/**
 * The tree of scopes and the operations that wait in them. A scope is what can be cancelled: a
 * switch, a fiber, a branch of `first`, a shield. Cancelling marks the whole unshielded subtree
 * first and then wakes what waits in it, all in the same turn.
 */
import { escapeText, quoteText } from "../base/internal.ts";
import { storage } from "./_context.ts";
import { fieldOf, isOfAnotherCopy, type Linked, List, open, throwLater } from "../base/internal.ts";
import { macrotask } from "./_context.ts";
import { Cancelled, scopeEnded } from "./errors.ts";

/**
 * Every so many refusals in one scope, a refusal waits for the event loop, so that a loop that
 * swallows them starves nothing.
 */
const refusalsPerTurn = 32;

/**
 * The kind of a scope in which a stream does its I/O, whatever reads or writes it: see
 * `Scope.finish`.
 */
export const bridge = "bridge";

/** What is told of rejections that nothing handles, in code that runs in its scope. */
export interface StrayListener {
  /** Takes `error`, which then does not end the process. */
  stray(error: unknown): void;
}

/** One node of the tree. Internal: users see switches, fibers and signals. */
export class Scope {
  /**
   * Why this scope was cancelled; `undefined` while it is not. A plain field, for it is read at the
   * start of every operation.
   */
  reason: Cancelled | undefined;
  /** The nearest enclosing scope that is not finished, once this one is. */
  parent: Scope | undefined;
  /** No longer governs anything: code that still carries it is governed by `parent`. */
  finished = false;
  /** What it is, for `Switch.dump`. */
  readonly kind: string;
  /** Cancelling the parent does not reach it. */
  readonly shielded: boolean;
  /** The switch whose own scope this is. */
  owner: object | undefined;
  /** The promise of the call that runs in this scope, if it is one that its caller should await. */
  outcome: Promise<unknown> | undefined = undefined;
  /** What is told of the rejections in this scope that nothing handles, also when the scope is finished. */
  strayListener: StrayListener | undefined = undefined;
  /** Its neighbours under the parent. */
  newer: Scope | undefined;
  older: Scope | undefined;

  // Most scopes have no children, and many nothing that waits in them: what is not needed is not
  // made.
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
    if (parent === undefined) return;
    parent.#adopt(this);
    if (!shielded) this.reason = parent.reason;
  }

  /** Aborted when this scope is cancelled. Made only when something asks. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.reason !== undefined) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  /**
   * Cancels everything in this scope but what is shielded, oldest first. The first reason is kept;
   * cancelling a finished scope does nothing.
   */
  cancel(reason: Cancelled): void {
    if (this.finished || this.reason !== undefined) return;
    this.reason = reason;
    if (this.#children === undefined) return this.#wake(reason);
    const marked: Scope[] = [this];
    // It grows while it is read; a recursion would overflow in a deep tree.
    for (const scope of marked) {
      for (let child = scope.#children?.oldest; child !== undefined; child = child.newer) {
        if (child.shielded || child.reason !== undefined) continue;
        child.reason = reason;
        marked.push(child);
      }
    }
    for (const scope of marked) scope.#wake(reason);
  }

  /** A rejection for an operation that was begun in this cancelled scope. */
  refuse(): Promise<never> {
    const late = ++this.#refusals % refusalsPerTurn === 0;
    const refusal = new Promise<never>((_, reject) =>
      late ? macrotask(() => reject(this.reason)) : reject(this.reason)
    );
    refusal.catch(ignore);
    return refusal;
  }

  /**
   * Ends this scope. Operations that still wait in it are cancelled, because nothing awaits them.
   * What outlives it, such as the I/O of a stream that was made in it, is governed by the nearest
   * live ancestor from now on.
   */
  finish(): void {
    if (this.finished) return;
    this.finished = true;
    if (this.parent !== undefined) {
      this.parent.#children?.remove(this);
      this.parent.#emptied();
    }
    const heir = this.parent = liveScope(this.parent);
    for (let child = this.#children?.oldest; child !== undefined; child = this.#children?.oldest) {
      this.#children?.remove(child);
      child.parent = heir;
      if (heir === undefined) continue;
      heir.#adopt(child);
      if (heir.reason !== undefined && !child.shielded) child.cancel(heir.reason);
    }
    if (this.#waiters?.oldest !== undefined) this.#leave(this.#waiters, heir);
  }

  #leave(waiters: List<Waiting>, heir: Scope | undefined): void {
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
  }

  /** Takes away an operation that waits in this scope. */
  remove(waiter: Waiting): void {
    waiter.scope = undefined;
    this.#waiters?.remove(waiter);
    this.#emptied();
  }

  /** Calls `fn` as soon as nothing runs or waits in this scope, at once if so. Only the last one is called. */
  whenEmpty(fn: () => void): void {
    this.#onEmpty = fn;
    this.#emptied();
  }

  /** Whether nothing runs or waits in this scope. */
  get isEmpty(): boolean {
    return this.#children?.oldest === undefined && this.#waiters?.oldest === undefined;
  }

  #emptied(): void {
    if (this.#onEmpty === undefined || !this.isEmpty) return;
    const fn = this.#onEmpty;
    this.#onEmpty = undefined;
    fn();
  }

  /** Whether calls that their caller should have awaited still run right under this scope. */
  get hasForgotten(): boolean {
    for (let child = this.#children?.oldest; child !== undefined; child = child.newer) {
      if (child.outcome !== undefined) return true;
    }
    return false;
  }

  /** Those calls, oldest first. */
  forgotten(): Scope[] {
    return this.children().filter(({ outcome }) => outcome !== undefined);
  }

  /** The scopes right under this one, oldest first. */
  children(): Scope[] {
    return this.#children?.toArray() ?? [];
  }

  /** The names of the operations that wait in this scope itself, oldest first. */
  waiting(): string[] {
    const waiters = this.#waiters?.toArray() ?? [];
    return waiters.map(({ operation, subject }) => subject === undefined ? operation : `${operation} ${subject.label}`);
  }

  #adopt(child: Scope): void {
    (this.#children ??= new List()).add(child);
  }

  /**
   * Wakes the waiters, then the listeners of the signal, which are foreign code. Whatever they do,
   * the tree is marked already.
   */
  #wake(reason: Cancelled): void {
    for (let waiter = this.#waiters?.oldest; waiter !== undefined; waiter = this.#waiters?.oldest) {
      this.remove(waiter);
      waiter.cancel(reason);
    }
    this.#controller?.abort(reason);
  }
}

/** What waits in a scope: an operation, which is cancelled with it. */
export interface Waiting extends Linked<Waiting> {
  /** What it does, for `Switch.dump`: "read". */
  readonly operation: string;
  /**
   * What it waits on, for `Switch.dump`: "tcp:127.0.0.1:80". Asked for only when a dump is made.
   */
  readonly subject: { readonly label: string } | undefined;
  /**
   * Whether the end of its scope, as opposed to a cancellation, hands it to the nearest live
   * ancestor.
   */
  readonly outlives?: boolean | undefined;
  /** The scope it waits in: kept by {@linkcode Scope}. */
  scope: Scope | undefined;
  /** Ends the wait. Called by the scope, which has let go of it already. */
  cancel(reason: Cancelled): void;
}

/**
 * What an operation does when it is cancelled while it waits. It must reject the waiter, now or
 * soon.
 */
export type OnCancel<T> = (waiter: Waiter<T>, reason: Cancelled) => void;

/**
 * One operation that waits. It settles once: with a value, with an error, or by the cancellation of
 * the scope in which it was begun, whichever comes first. Begin one only where {@linkcode refused}
 * returned nothing.
 */
export class Waiter<T> implements Waiting {
  /** What the operation's caller awaits. */
  readonly promise: Promise<T>;
  readonly operation: string;
  readonly subject: { readonly label: string } | undefined;
  scope: Scope | undefined;
  newer: Waiting | undefined;
  older: Waiting | undefined;

  readonly #onCancel: OnCancel<T> | undefined;
  #resolve!: (value: T | Promise<never>) => void;
  #reject!: (error: unknown) => void;
  #settled = false;

  /** The scope in which it waits is that of the running code, unless the caller knows it. */
  constructor(
    operation: string,
    onCancel?: OnCancel<T>,
    subject?: { readonly label: string },
    scope: Scope | undefined = currentScope(),
  ) {
    this.operation = operation;
    this.subject = subject;
    this.#onCancel = onCancel;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    open.operations++;
    scope?.add(this);
  }

  /** Whether the operation has its outcome. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Settles with a value, if it has not settled yet. */
  resolve(value: T): void {
    if (this.#settle()) this.#resolve(value);
  }

  /** Settles with an error, if it has not settled yet. */
  reject(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  /**
   * {@linkcode Waiter.reject} with an error whose stack has the frames of the awaiting code, where
   * the engine can.
   */
  fail(make: () => unknown): void {
    if (this.#settle()) this.#resolve(throwLater(make));
  }

  /**
   * The same because this side has closed what it waits on: if nothing awaits the operation, that
   * is not an unhandled rejection.
   */
  failClosed(make: () => unknown): void {
    if (this.#settle()) this.#resolve(throwLater(make, () => this.promise.catch(ignore)));
  }

  /**
   * Called by the scope, which has let go of it already. A cancellation that nothing awaits is not
   * an unhandled rejection.
   */
  cancel(reason: Cancelled): void {
    this.promise.catch(ignore);
    if (this.#onCancel === undefined) this.reject(reason);
    else this.#onCancel(this, reason);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    open.operations--;
    this.scope?.remove(this);
    return true;
  }
}

/**
 * Calls a function when the current scope is cancelled. Unlike an operation it is not cancelled by
 * the end of the scope: the nearest live ancestor governs it then, and in the end none.
 */
export class CancelHook implements Waiting {
  readonly operation: string;
  readonly subject: undefined = undefined;
  readonly outlives: true = true;
  scope: Scope | undefined = undefined;
  newer: Waiting | undefined = undefined;
  older: Waiting | undefined = undefined;

  readonly #onCancel: (reason: Cancelled) => void;
  #removed = false;

  constructor(operation: string, onCancel: (reason: Cancelled) => void) {
    this.operation = operation;
    this.#onCancel = onCancel;
    open.operations++;
    currentScope()?.add(this);
  }

  /** Removes the hook. */
  remove(): void {
    if (this.#removed) return;
    this.#removed = true;
    open.operations--;
    this.scope?.remove(this);
  }

  cancel(reason: Cancelled): void {
    this.#onCancel(reason);
  }
}

/**
 * The scope that governs the running code: the stored one, or its nearest ancestor that is not
 * finished.
 */
export function currentScope(): Scope | undefined {
  return liveScope(storedScope());
}

/**
 * The check with which every operation starts: nothing where it may go on, else the promise to
 * return. Costs one look into the context and allocates nothing.
 */
export function refused(): Promise<never> | undefined {
  const scope = currentScope();
  return scope === undefined || scope.reason === undefined ? undefined : scope.refuse();
}

/** The switch that governs the code in `from`. */
export function ownerOf(from: Scope | undefined): object | undefined {
  let scope = from;
  while (scope !== undefined && scope.owner === undefined) scope = scope.parent;
  return scope?.owner;
}

/**
 * What `error` means in `scope`: an `AbortError` that foreign code made of our signal, or the
 * {@linkcode Cancelled} of another copy of the library, is that cancellation.
 */
export function failureIn(scope: Scope | undefined, error: unknown): unknown {
  if (scope?.reason === undefined) return error;
  const aborted = fieldOf(error, Error, "name") === "AbortError" || isOfAnotherCopy(error, Cancelled, "Cancelled");
  return aborted ? scope.reason : error;
}

/** `from`, or its nearest ancestor that is not finished. */
export function liveScope(from: Scope | undefined): Scope | undefined {
  let scope = from;
  while (scope !== undefined && scope.finished) scope = scope.parent;
  return scope;
}

function ignore(): void {}

/** The scope in which the running code was started, finished or not. */
export function storedScope(): Scope | undefined {
  return storage.getStore() as Scope | undefined;
}

/**
 * Calls `fn` with `args`, governed by `scope` up to its end, across every `await` in it. The
 * dearest step of a fiber on Deno and Node.
 */
export function runIn<A extends unknown[], T>(scope: Scope | undefined, fn: (...args: A) => T, ...args: A): T {
  return storage.run(scope, fn, ...args);
}

/** The most levels by which a line is indented. */
const deepest = 50;

/** How many characters of a label are shown. */
const longestLabel = 200;

/** The tree under `scope`: a line for each scope, operation and resource. */
export function dumpScope(scope: Scope, resources: (sw: object) => readonly string[]): string {
  const lines: string[] = [];
  // No recursion, which would overflow in a deep tree.
  const rest: { readonly scope: Scope; readonly depth: number }[] = [{ scope, depth: 0 }];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { scope, depth } = next;
    const indent = "  ".repeat(Math.min(depth, deepest));
    const add = (kind: string, label: string) => lines.push(`${indent}  ${kind}: ${escapeText(label, longestLabel)}`);
    lines.push(indent + titleOf(scope));
    for (const operation of scope.waiting()) add("waiting", operation);
    if (scope.owner !== undefined) { for (const label of resources(scope.owner)) add("resource", label); }
    for (const child of scope.children().reverse()) rest.push({ scope: child, depth: depth + 1 });
  }
  return lines.join("\n");
}

function titleOf({ kind, owner, reason }: Scope): string {
  const { name } = (owner ?? {}) as { readonly name?: string };
  return kind + (name === undefined ? "" : ` ${quoteText(name)}`) + (reason === undefined ? "" : " (cancelled)");
}
