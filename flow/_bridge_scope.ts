// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../base/internal.ts";
import {
  bridge,
  CancelHook,
  Cancelled,
  checkSwitch,
  currentScope,
  currentSignal,
  macrotask,
  refused,
  registerOwnerHere,
  type Releasable,
  type ReleaseHook,
  runIn,
  runUnder,
  Scope,
  type Switch,
} from "../switch/internal.ts";

/**
 * The scope in which a bridge was made. The bridge does its I/O there, whoever calls the foreign stream, so that a
 * caller who gives up breaks nothing that others share.
 */
export class Home {
  readonly #scope: Scope | undefined;
  readonly #running: Map<Scope, Promise<unknown>> = new Map();
  #stopped: Cancelled | undefined;

  /**
   * The home is `owner`, or else the current scope.
   *
   * @throws {TypeError} When `owner` is no switch, or is finished.
   */
  constructor(owner?: Switch) {
    if (owner !== undefined) checkOwner(owner);
    this.#scope = owner === undefined ? currentScope() : runUnder(owner, currentScope);
  }

  /** Calls `fn` at home. */
  call<T>(fn: () => T): T {
    return runIn(this.#scope, fn);
  }

  /** Runs an operation at home, unless that is cancelled; {@linkcode Home.stop} cancels it. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    const scope = new Scope(this.call(currentScope), bridge);
    if (this.#stopped !== undefined) scope.cancel(this.#stopped);
    const running = runIn(scope, async () => await (refused() ?? operation()));
    this.#running.set(scope, running);
    try {
      return await running;
    } finally {
      this.#running.delete(scope);
      scope.finish();
    }
  }

  /**
   * Runs what ends the bridge, also when it is stopped. It may go on when the code that runs at home
   * has ended: it is governed by what is around that then.
   */
  async end<T>(fn: () => Promise<T>): Promise<T> {
    const scope = new Scope(this.call(currentScope), bridge);
    try {
      return await runIn(scope, fn);
    } finally {
      scope.finish();
    }
  }

  /** Cancels what runs and whatever would, and waits for it. */
  async stop(reason?: unknown): Promise<void> {
    this.#stopped ??= new Cancelled(reason);
    const ended = Promise.allSettled(this.#running.values());
    for (const scope of this.#running.keys()) scope.cancel(this.#stopped);
    await ended;
  }

  /** Registers what to do when the switch of the home ends, if there is one. */
  onRelease(resource: Releasable): ReleaseHook | undefined {
    return this.call(() => registerOwnerHere(resource));
  }

  /** Calls `stop` when the home is cancelled, at once if it is, until the answer is called. */
  onCancel(operation: string, stop: (reason: Cancelled) => void): () => void {
    return this.call(() => onCancel(operation, stop));
  }

  /** The same for a stream that nothing else may hold any more: see {@linkcode breakWith}. Not once the home has ended. */
  onCancelOf(stream: WritableStream, breakIt: (reason: unknown) => void): () => void {
    return breakWith(this.call(currentSignal), stream, breakIt);
  }
}

/** Calls `stop` when the current scope is cancelled, at once if it is, until the answer is called. */
export function onCancel(operation: string, stop: (reason: Cancelled) => void): () => void {
  const reason = currentScope()?.reason;
  if (reason !== undefined) {
    stop(reason);
    return () => {};
  }
  const hook = new CancelHook(operation, stop);
  return () => hook.remove();
}

/** A cancelled owner will do: what a bridge does there is refused. */
function checkOwner(owner: Switch): void {
  try {
    checkSwitch(owner, "make a bridge");
  } catch (error) {
    if (!isInstance(error, Cancelled)) throw error;
  }
}

/**
 * Streams that are to break when a signal is aborted. Nobody tells of one that is neither closed nor aborted, as after
 * `pipeTo()` with `preventClose`, so none may stay in memory only because it is listed here. One that is locked is held
 * all the same: somebody may wait for it by a promise, which holds nothing, and must be woken.
 */

/** How many streams are looked at whenever one is added: enough for a list of what has gone to become shorter. */
const looks = 4;

interface Entry {
  readonly stream: WeakRef<WritableStream>;
  /** The stream, if it was locked when it was last looked at. A new one is about to be. */
  locked: WritableStream | undefined;
}

type Breaker = (reason: unknown) => void;

const lists: WeakMap<AbortSignal, Set<Entry>> = new WeakMap();
/** A weak map, since what breaks a stream holds it. */
const breakers: WeakMap<WritableStream, Breaker> = new WeakMap();

/** Calls `breakIt` when the signal is aborted, at once if it is, until the answer is called or the stream is gone. */
export function breakWith(signal: AbortSignal, stream: WritableStream, breakIt: Breaker): () => void {
  if (signal.aborted) {
    breakIt(signal.reason);
    return () => {};
  }
  const list = listOf(signal);
  breakers.set(stream, breakIt);
  return addTo(list, { stream: new WeakRef(stream), locked: stream });
}

function listOf(signal: AbortSignal): Set<Entry> {
  const known = lists.get(signal);
  if (known !== undefined) return known;
  const list: Set<Entry> = new Set();
  lists.set(signal, list);
  signal.addEventListener("abort", () => breakAll(list, signal.reason), { once: true });
  return list;
}

function breakAll(list: Set<Entry>, reason: unknown): void {
  for (const { stream } of [...list]) {
    const there = stream.deref();
    if (there !== undefined) breakers.get(there)?.(reason);
  }
}

function addTo(list: Set<Entry>, entry: Entry): () => void {
  lookAtOldest(list);
  list.add(entry);
  return () => list.delete(entry);
}

/** Forgets those that are gone, lets go of those that are not locked, and puts them behind the others. */
function lookAtOldest(list: Set<Entry>): void {
  let left = looks;
  for (const entry of list) {
    if (left-- === 0) return;
    list.delete(entry);
    const stream = entry.stream.deref();
    if (stream === undefined) continue;
    entry.locked = stream.locked ? stream : undefined;
    list.add(entry);
  }
}

/**
 * The scope of callbacks that foreign code calls, such as the request listeners of `node:http`. What
 * they start is cancelled with the scope in which this was made, but does not end with it: nothing
 * there can await it, so it is not forgotten either. It is governed by the nearest live ancestor then.
 */
export class CallbackScope {
  readonly #scope: Scope = new Scope(currentScope(), bridge);

  /** Calls `fn`, and what it sets up, in the scope. */
  run<T>(fn: () => T): T {
    return runIn(this.#scope, fn);
  }

  /** No callbacks follow: the scope goes as soon as nothing is left in it. */
  end(): void {
    this.#scope.whenEmpty(() => {
      // What has just ended may start something else in this turn.
      macrotask(() => {
        if (this.#scope.isEmpty) this.#scope.finish();
        else this.end();
      });
    });
  }
}
