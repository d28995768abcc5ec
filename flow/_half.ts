// Copyright 2026 the Sluice authors. MIT license.

import { hideClass, open, throwLater } from "../base/internal.ts";
import type { Cancelled, Scope, Waiting } from "../switch/internal.ts";
import { ignore } from "./_operation.ts";
import type { StreamEnd, StreamEvents } from "./provider.ts";

/**
 * One attempt at an operation: `on` is the owner of the half, `argument` comes from the caller.
 * Returns `undefined` if it cannot be done yet. It throws for a failure of the underlying stream,
 * and returns a rejected promise for a mistake of the caller.
 */
export type HalfAttempt<S, A, T> = (on: S, argument: A) => T | Promise<T> | undefined;

/**
 * One half of a socket or pipe. It holds at most one operation, which is tried at once, and again
 * after each notification of its stream end. The half itself waits in the scope, so that a waiting
 * operation allocates only its promise.
 */
export class Half<S = undefined> implements Waiting {
  readonly operation: string;
  readonly subject: StreamNames;
  scope: Scope | undefined;
  newer: Waiting | undefined;
  older: Waiting | undefined;

  readonly #on: S;
  #pending: Pending<unknown> | undefined;
  #attempt: HalfAttempt<S, unknown, unknown> | undefined;
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

  /**
   * Returns the first result of `attempt` that is not `undefined`. An operation that is cancelled
   * while it waits, in `scope`, has had no effect.
   */
  perform<A, T>(scope: Scope | undefined, attempt: HalfAttempt<S, A, T>, argument: A): Promise<T> {
    const outcome = this.now(attempt, argument);
    if (outcome === undefined) return this.wait(scope, attempt, argument);
    return outcome instanceof Promise ? outcome : Promise.resolve(outcome);
  }

  /** Makes the first attempt. */
  now<A, T>(attempt: HalfAttempt<S, A, T>, argument: A): T | Promise<T> | undefined {
    try {
      return attempt(this.#on, argument);
    } catch (error) {
      return Promise.reject(this.subject.failure(this.operation, error));
    }
  }

  /** Waits in `scope` until an attempt succeeds. The caller has made the first one. */
  wait<A, T>(scope: Scope | undefined, attempt: HalfAttempt<S, A, T>, argument: A): Promise<T> {
    const pending = this.#pending = new Pending<unknown>();
    this.#attempt = attempt as HalfAttempt<S, unknown, unknown>;
    this.#argument = argument;
    open.operations++;
    scope?.add(this);
    return pending.promise as Promise<T>;
  }

  /** Retries the waiting operation. */
  retry(): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined; // re-entrancy guard: what it consumes may cause the next event at once
    try {
      const outcome = attempt(this.#on, this.#argument);
      if (outcome !== undefined) this.#settle(outcome);
      else if (this.busy) this.#attempt = attempt;
    } catch (error) {
      this.fail(() => this.subject.failure(this.operation, error));
    }
  }

  /**
   * Fails the waiting operation, if any, with an error whose stack has the frames of the awaiting
   * code.
   */
  fail(make: () => unknown): void {
    this.#end()?.resolve(throwLater(make));
  }

  /**
   * Like {@linkcode Half.fail}, after this side has closed the flow: if the operation is not
   * awaited, its rejection counts as handled.
   */
  failClosed(make: () => unknown): void {
    const pending = this.#end();
    pending?.resolve(throwLater(make, () => pending.promise.catch(() => {})));
  }

  cancel(reason: Cancelled): void {
    this.#pending?.promise.catch(() => {}); // an unawaited cancellation is not an unhandled rejection
    this.#end()?.reject(reason);
  }

  #settle(outcome: unknown): void {
    const pending = this.#end();
    if (pending !== undefined) pending.resolve(outcome);
    else if (outcome instanceof Promise) outcome.catch(ignore); // the operation was cancelled during the attempt
  }

  #end(): Pending<unknown> | undefined {
    const pending = this.#pending;
    if (pending === undefined) return undefined;
    this.#pending = this.#attempt = this.#argument = undefined;
    open.operations--;
    this.scope?.remove(this);
    return pending;
  }
}

/** A promise with its resolvers. */
export class Pending<T> {
  resolve!: (value: T | PromiseLike<T>) => void;
  reject!: (reason: unknown) => void;
  readonly promise: Promise<T> = new Promise((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

interface Watcher {
  readonly condition: () => boolean;
  readonly resolve: () => void;
}

/** Waits for states of a stream, outside any scope. */
export class Watchers {
  #watchers: Watcher[] = [];

  /** Waits until `condition` holds. {@linkcode Watchers.look} checks it. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => this.#watchers.push({ condition, resolve }));
  }

  /** Checks every condition again, after a change. */
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

/** What a stream is called, and how its failures are reported. */
export interface StreamNames {
  /** The name in errors and dumps: "tcp:127.0.0.1:80". Read only when one of these is made. */
  readonly label: string;
  /**
   * Returns the error to throw for a failure of the underlying stream; the operation is "read",
   * "write", "shutdown" or "receive".
   */
  failure(operation: string, cause: unknown): unknown;
  /** Called when the underlying stream is gone. */
  gone?(): void;
}

/** All notifications that a stream receives from its end. */
interface AllEvents extends StreamEvents {
  /** The underlying stream is gone. No other notification follows. */
  closed(): void;
}

/** What the end of a stream receives: the notifications, without access to the stream. */
class Events implements AllEvents {
  static {
    hideClass(this);
  }

  readonly #stream: AllEvents;

  constructor(stream: AllEvents) {
    this.#stream = stream;
    Object.freeze(this);
  }

  readable(): void {
    this.#stream.readable();
  }

  writable(): void {
    this.#stream.writable();
  }

  closed(): void {
    this.#stream.closed();
  }
}

/** Returns the notifications of a stream, to hand to an end that may be user code. */
export function eventsOf(stream: AllEvents): AllEvents {
  return new Events(stream);
}

/** The most that one write copies, in bytes. */
export const writeLimit: number = 64 * 1024;

/** The sending half of an end that only receives. */
export const noSink: Pick<StreamEnd, "write" | "give" | "end" | "drop" | "flushed"> = {
  write: () => 0,
  give: () => 0,
  end: () => {},
  drop: () => {},
  flushed: true,
};

/** The receiving half of an end that only sends. */
export const noSource: Pick<StreamEnd, "peek" | "consume" | "drop"> = {
  peek: () => null,
  consume: () => {},
  drop: () => {},
};

/** Recognises the ends of one class, by a private field that no other object can forge. */
type OwnerTest = (end: object) => boolean;

const ownerTests: OwnerTest[] = [];

/**
 * Registers a class of ends that own their memory: the runtime allocates it for one chunk, as plain
 * bytes, and no other code can reach it. They show what is written to them to the system alone. A
 * property cannot say so, because any provider could set it.
 */
export function registerOwners(test: OwnerTest): void {
  ownerTests.push(test);
}

/**
 * Reports whether only `end` and its borrowers can reach the memory that it lends, and only `end`
 * and the system what is written to it.
 */
export function ownsMemory(end: object): boolean {
  return ownerTests.some((test) => test(end));
}
