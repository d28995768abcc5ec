// Copyright 2026 the Sluice authors. MIT license.

/** Pending operations: {@linkcode Waiter}, queues of them, and hooks that run on cancellation. */
import { type Linked, List, open, throwLater } from "../base/internal.ts";
import { currentScope, type Scope, type Waiting } from "./_scope.ts";
import type { Cancelled } from "./errors.ts";

/** Called when a pending operation is cancelled. It must reject the waiter, now or soon. */
export type OnCancel<T> = (waiter: Waiter<T>, reason: Cancelled) => void;

/**
 * A pending operation. It settles once: with a value, with an error, or by cancellation of the
 * scope in which it began, whichever comes first. Create one only if `refused` returned
 * `undefined`.
 */
export class Waiter<T> implements Waiting {
  /** What the operation's caller awaits. */
  readonly promise: Promise<T>;
  readonly operation: string;
  readonly subject: { readonly label: string } | undefined;
  /** Data of the queue that it is in, for the code that wakes it. */
  payload: unknown;
  /** Its place in that queue. */
  place: Place<T> | undefined;
  scope: Scope | undefined;
  newer: Waiting | undefined;
  older: Waiting | undefined;

  readonly #onCancel: OnCancel<T> | undefined;
  #resolve!: (value: T | Promise<never>) => void;
  #reject!: (error: unknown) => void;
  #settled = false;

  /** Begins an operation, by default in the current scope. */
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

  /** Whether the operation has settled. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Settles with a value, unless settled. */
  resolve(value: T): void {
    if (this.#settle()) this.#resolve(value);
  }

  /** Settles with an error, unless settled. */
  reject(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  /** Rejects with an error whose stack has the frames of the awaiting code, on V8. */
  fail(make: () => unknown): void {
    if (this.#settle()) this.#resolve(throwLater(make));
  }

  /**
   * Like {@linkcode Waiter.fail}, after this side has closed what the operation waits on: if the
   * operation is not awaited, its rejection counts as handled.
   */
  failClosed(make: () => unknown): void {
    if (this.#settle()) this.#resolve(throwLater(make, () => this.promise.catch(ignore)));
  }

  /** Called by the scope. If the operation is not awaited, its rejection counts as handled. */
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

/** A place in a {@linkcode WaitQueue}. The links of the operation itself are those of its scope. */
class Place<T> implements Linked<Place<T>> {
  readonly waiter: Waiter<T>;
  /** The list of the queue. */
  list: List<Place<T>>;
  newer: Place<T> | undefined = undefined;
  older: Place<T> | undefined = undefined;

  constructor(waiter: Waiter<T>, list: List<Place<T>>) {
    this.waiter = waiter;
    this.list = list;
  }
}

/** An operation in a {@linkcode WaitQueue}. */
interface QueuedWaiter<T, P> extends Waiter<T> {
  readonly payload: P;
}

/**
 * A FIFO queue of pending operations. A cancelled operation leaves the queue without using up a
 * wake-up.
 */
export class WaitQueue<T, P = undefined> {
  readonly #places: List<Place<T>> = new List();
  readonly #left: ((payload: P) => void) | undefined;

  /** `left` is called with the payload of an operation that is cancelled or failed. */
  constructor(left?: (payload: P) => void) {
    this.#left = left;
  }

  /**
   * Appends an operation, with a payload for the code that wakes it. Call it only if `refused`
   * returned `undefined`.
   *
   * @param subject What the operation waits on, for dumps.
   */
  wait(operation: string, payload: P, subject?: { readonly label: string }): Promise<T> {
    return this.add(operation, payload, subject).promise;
  }

  /** Appends an operation, and returns its waiter, with which it alone can be failed or removed. */
  add(operation: string, payload: P, subject?: { readonly label: string }): Waiter<T> {
    const waiter = new Waiter<T>(operation, this.#cancel, subject);
    waiter.payload = payload;
    this.#places.add(waiter.place = new Place(waiter, this.#places));
    return waiter;
  }

  /**
   * Moves an operation from this queue to the end of another one. There, cancelling it has no
   * effect.
   */
  moveTo(other: WaitQueue<T, P>, waiter: Waiter<T>): void {
    const { place } = waiter;
    if (place?.list !== this.#places) return;
    this.#places.remove(place);
    place.list = other.#places;
    other.#places.add(place);
  }

  /** Whether no operation waits. */
  get empty(): boolean {
    return this.#places.oldest === undefined;
  }

  /** The first operation, or `undefined` if none waits. */
  get oldest(): QueuedWaiter<T, P> | undefined {
    return this.#places.oldest?.waiter as QueuedWaiter<T, P> | undefined;
  }

  /** Wakes the first operation, and returns its payload, or `undefined` if none waits. */
  wakeOne(value: T): { readonly payload: P } | undefined {
    const next = this.oldest;
    if (next === undefined) return undefined;
    this.remove(next);
    next.resolve(value);
    return next;
  }

  /** Wakes all operations that wait now. */
  wakeAll(value: T): void {
    const waiters = this.#waiting();
    for (const waiter of waiters) this.remove(waiter);
    for (const waiter of waiters) waiter.resolve(value);
  }

  /** Wakes the operations whose payload passes `test`, in FIFO order. */
  wakeIf(test: (payload: P) => boolean, value: T): void {
    for (let place = this.#places.oldest; place !== undefined;) {
      const { waiter, newer } = place;
      if (test(waiter.payload as P) && this.remove(waiter)) waiter.resolve(value);
      place = newer;
    }
  }

  /**
   * Fails an operation after this side has closed what it waits on: if it is not awaited, its
   * rejection counts as handled. Does nothing if it is not in the queue.
   */
  fail(waiter: Waiter<T>, make: () => unknown): void {
    if (this.#leave(waiter)) waiter.failClosed(make);
  }

  /** Fails all operations that wait now, like {@linkcode WaitQueue.fail}. */
  failAll(make: () => unknown): void {
    for (const waiter of this.#waiting()) this.fail(waiter, make);
  }

  /**
   * Removes an operation without settling it, and reports whether it was in the queue. The caller
   * must settle it, even if it is cancelled.
   */
  remove(waiter: Waiter<T>): boolean {
    const { place } = waiter;
    if (place?.list !== this.#places) return false;
    this.#places.remove(place);
    waiter.place = undefined;
    return true;
  }

  #waiting(): Waiter<T>[] {
    return this.#places.toArray().map(({ waiter }) => waiter);
  }

  readonly #cancel = (waiter: Waiter<T>, reason: Cancelled): void => {
    if (this.#leave(waiter)) waiter.reject(reason);
  };

  #leave(waiter: Waiter<T>): boolean {
    if (!this.remove(waiter)) return false;
    this.#left?.(waiter.payload as P);
    return true;
  }
}

/**
 * Calls a function when the current scope is cancelled. Unlike an operation it survives the end of
 * that scope: it moves to the nearest live ancestor, if there is one.
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

function ignore(): void {}
