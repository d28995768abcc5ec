// Copyright 2026 the Sluice authors. MIT license.

import { open } from "../switch/counter.ts";
import type { Cancelled } from "../switch/errors.ts";
import { throwLater } from "../switch/late_error.ts";
import { currentScope, type Scope, type Waiting } from "../switch/scope.ts";
import type { StreamNames } from "./stream.ts";

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
