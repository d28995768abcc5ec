// Copyright 2026 the Sluice authors. MIT license.

import { open, throwLater } from "../base/internal.ts";
import { type Cancelled, currentScope, type Scope, Waiter, type Waiting } from "../switch/internal.ts";

/**
 * What is tried: with what the direction belongs to, and what the caller brought. `undefined` says that it cannot be done yet. What it throws is a failure
 * of what is under the flow; a mistake of the caller is a promise that rejects.
 */
export type Attempt<S, A, T> = (on: S, argument: A) => T | Promise<never> | undefined;

/**
 * One direction of a socket or pipe: at most one operation, which is tried now, and again whenever the end says so. It waits in the scope itself, again and
 * again, so that an operation that waits makes its promise and nothing else.
 */
export class Direction<S = undefined> implements Waiting {
  readonly operation: string;
  readonly subject: StreamNames;
  scope: Scope | undefined;
  newer: Waiting | undefined;
  older: Waiting | undefined;

  readonly #on: S;
  #pending: Pending | undefined;
  #attempt: Attempt<S, unknown, unknown> | undefined;
  #argument: unknown;

  constructor(operation: string, names: StreamNames, on: S) {
    this.operation = operation;
    this.subject = names;
    this.#on = on;
  }

  /** Whether an operation waits. */
  get busy(): boolean {
    return this.#pending !== undefined;
  }

  /** Gives what `attempt` gives, as soon as that is not `undefined`. What is cancelled before has not been done. */
  perform<A, T>(attempt: Attempt<S, A, T>, argument: A): Promise<T> {
    try {
      const given = attempt(this.#on, argument);
      if (given !== undefined) return Promise.resolve(given);
    } catch (error) {
      return Promise.reject(this.subject.failure(this.operation, error));
    }
    const pending = this.#pending = new Pending();
    this.#attempt = attempt as Attempt<S, unknown, unknown>;
    this.#argument = argument;
    open.operations++;
    currentScope()?.add(this);
    return pending.promise as Promise<T>;
  }

  /** Tries the operation that waits once more. */
  retry(): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined; // for what it consumes may bring the next event at once
    try {
      const given = attempt(this.#on, this.#argument);
      if (given !== undefined) this.#end()?.resolve(given);
      else if (this.busy) this.#attempt = attempt;
    } catch (error) {
      this.fail(() => this.subject.failure(this.operation, error));
    }
  }

  /** Fails the operation that waits, if there is one, with an error whose stack has the frames of the awaiting code. */
  fail(make: () => unknown): void {
    this.#end()?.resolve(throwLater(make));
  }

  /** The same because this side has closed the flow: then it is not an unhandled rejection either. */
  failClosed(make: () => unknown): void {
    const pending = this.#end();
    pending?.resolve(throwLater(make, () => pending.promise.catch(() => {})));
  }

  cancel(reason: Cancelled): void {
    this.#pending?.promise.catch(() => {}); // a cancellation that nobody awaits is no unhandled rejection
    this.#end()?.reject(reason);
  }

  #end(): Pending | undefined {
    const pending = this.#pending;
    if (pending === undefined) return undefined;
    this.#pending = this.#attempt = this.#argument = undefined;
    open.operations--;
    this.scope?.remove(this);
    return pending;
  }
}

/** A promise, and what settles it. */
class Pending {
  resolve!: (value: unknown) => void;
  reject!: (reason: unknown) => void;
  readonly promise: Promise<unknown> = new Promise((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

interface Watcher {
  readonly condition: () => boolean;
  readonly resolve: () => void;
}

/** What waits in no scope for a stream to come to some state. */
export class Watchers {
  #watchers: Watcher[] = [];

  /** Waits until `condition` holds, which is looked at in {@linkcode Watchers.look}. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => this.#watchers.push({ condition, resolve }));
  }

  /** Something has changed. */
  look(): void {
    if (this.#watchers.length === 0) return;
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) {
      if (watcher.condition()) watcher.resolve();
      else this.#watchers.push(watcher);
    }
  }
}

/** Operations that wait until all that a stream has taken has been passed on. */
export class Flushers {
  readonly #names: StreamNames;
  readonly #waiters: Set<Waiter<void>> = new Set();

  constructor(names: StreamNames) {
    this.#names = names;
  }

  /** Waits for it in the current scope. */
  wait(): Promise<void> {
    const waiter: Waiter<void> = new Waiter("shutdown", (_, reason) => {
      this.#waiters.delete(waiter);
      waiter.reject(reason);
    }, this.#names);
    this.#waiters.add(waiter);
    return waiter.promise;
  }

  /** It has come to that, or will never, for the reason that `failure` makes. */
  done(failure?: () => unknown): void {
    for (const waiter of this.#waiters) failure === undefined ? waiter.resolve() : waiter.fail(failure);
    this.#waiters.clear();
  }
}

/** How a stream names itself and its failures. */
export interface StreamNames {
  /** What the stream is called in errors and dumps: "tcp:127.0.0.1:80". Asked for only when one is made. */
  readonly label: string;
  /** What is thrown for an error of what is under it; the operation is "read", "write", "receive". */
  failure(operation: string, cause: unknown): unknown;
  /** Called when what is under the stream is gone. */
  gone?(): void;
}
