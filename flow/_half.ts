// Copyright 2026 the Sluice authors. MIT license.

import { hideClass, open, throwLater } from "../base/internal.ts";
import { type Cancelled, currentScope, type Scope, type Waiting } from "../switch/internal.ts";
import { ignore } from "./_operation.ts";
import type { StreamEnd, StreamEvents } from "./provider.ts";

/**
 * What is tried: with what the direction belongs to, and what the caller brought. `undefined` says that it cannot be done yet. What it throws is a failure
 * of what is under the flow; a mistake of the caller is a promise that rejects.
 */
export type Attempt<S, A, T> = (on: S, argument: A) => T | Promise<T> | undefined;

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

  /** Returns what `attempt` returns, as soon as that is not `undefined`. What is cancelled before has not been done. */
  perform<A, T>(attempt: Attempt<S, A, T>, argument: A): Promise<T> {
    const outcome = this.now(attempt, argument);
    if (outcome === undefined) return this.wait(attempt, argument);
    return outcome instanceof Promise ? outcome : Promise.resolve(outcome);
  }

  /** Makes the first attempt. */
  now<A, T>(attempt: Attempt<S, A, T>, argument: A): T | Promise<T> | undefined {
    try {
      return attempt(this.#on, argument);
    } catch (error) {
      return Promise.reject(this.subject.failure(this.operation, error));
    }
  }

  /** Waits in the current scope until an attempt succeeds, after the first has not. */
  wait<A, T>(attempt: Attempt<S, A, T>, argument: A): Promise<T> {
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
      const outcome = attempt(this.#on, this.#argument);
      if (outcome !== undefined) this.#settle(outcome);
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

  #settle(outcome: unknown): void {
    const pending = this.#end();
    if (pending !== undefined) pending.resolve(outcome);
    else if (outcome instanceof Promise) outcome.catch(ignore); // the operation was cancelled during the attempt
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

/** How a stream names itself and its failures. */
export interface StreamNames {
  /** What the stream is called in errors and dumps: "tcp:127.0.0.1:80". Asked for only when one is made. */
  readonly label: string;
  /** What is thrown for an error of what is under it; the operation is "read", "write", "receive". */
  failure(operation: string, cause: unknown): unknown;
  /** Called when what is under the stream is gone. */
  gone?(): void;
}

/** What is told of a stream's end, from the first notification to the last. */
interface Told extends StreamEvents {
  /** What is under it is gone. */
  closed(): void;
}

/** What the end of a stream is handed: its notifications, and no way to the stream. */
class Events implements Told {
  static {
    hideClass(this);
  }

  readonly #stream: Told;

  constructor(stream: Told) {
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

/** The notifications of a stream, to hand to an end that may be code of users. */
export function eventsOf(stream: Told): Told {
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

/** Tells the ends of one class, by a private field: no other object can pass for one. */
type Test = (end: object) => boolean;

const tests: Test[] = [];

/**
 * Registers a class of ends that lend only what the runtime has made for one chunk: plain bytes in
 * memory that nothing else can reach. It is not a property, which any provider could claim.
 */
export function registerOwners(test: Test): void {
  tests.push(test);
}

/** Whether only `end` and its borrowers can reach the memory of what it lends. */
export function ownsMemory(end: object): boolean {
  return tests.some((test) => test(end));
}
