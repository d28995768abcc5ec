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
 * The scope in which a bridge was made. The bridge does its I/O there, whichever code calls the
 * foreign stream, so that cancelling one caller does not break what others share.
 */
export class BridgeScope {
  readonly #scope: Scope | undefined;
  readonly #running: Map<Scope, Promise<unknown>> = new Map();
  #stopped: Cancelled | undefined;

  /**
   * Binds the bridge to `owner`, or else to the current scope.
   *
   * @throws {TypeError} If `owner` is not a `Switch`, or has finished.
   */
  constructor(owner?: Switch) {
    if (owner !== undefined) checkOwner(owner);
    this.#scope = owner === undefined ? currentScope() : runUnder(owner, currentScope);
  }

  /** Calls `fn` in the scope of the bridge. */
  call<T>(fn: () => T): T {
    return runIn(this.#scope, fn);
  }

  /**
   * Runs an operation in the scope of the bridge, unless that is cancelled.
   * {@linkcode BridgeScope.stop} cancels it.
   */
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
   * Runs `fn`, which closes the bridge, even after {@linkcode BridgeScope.stop}. It may outlive the
   * scope of the bridge; the nearest live ancestor governs it then.
   */
  async end<T>(fn: () => Promise<T>): Promise<T> {
    const scope = new Scope(this.call(currentScope), bridge);
    try {
      return await runIn(scope, fn);
    } finally {
      scope.finish();
    }
  }

  /** Cancels the running operations, waits for them, and refuses new ones. */
  async stop(reason?: unknown): Promise<void> {
    this.#stopped ??= new Cancelled(reason);
    const ended = Promise.allSettled(this.#running.values());
    for (const scope of this.#running.keys()) scope.cancel(this.#stopped);
    await ended;
  }

  /** Registers `resource` with the switch of the bridge, if there is one. */
  onRelease(resource: Releasable): ReleaseHook | undefined {
    return this.call(() => registerOwnerHere(resource));
  }

  /**
   * Calls `stop` when the bridge is cancelled, at once if it is already. The returned function
   * unregisters `stop`.
   */
  onCancel(operation: string, stop: (reason: Cancelled) => void): () => void {
    return this.call(() => onCancel(operation, stop));
  }

  /**
   * Like `onCancel`, without keeping the stream in memory: see {@linkcode abortWith}. Not called
   * once the scope of the bridge has finished.
   */
  onCancelOf(stream: WritableStream, abort: (reason: unknown) => void): () => void {
    return abortWith(this.call(currentSignal), stream, abort);
  }
}

/**
 * Calls `stop` when the current scope is cancelled, at once if it is already. The returned function
 * unregisters `stop`.
 */
export function onCancel(operation: string, stop: (reason: Cancelled) => void): () => void {
  const reason = currentScope()?.reason;
  if (reason !== undefined) {
    stop(reason);
    return () => {};
  }
  const hook = new CancelHook(operation, stop);
  return () => hook.remove();
}

/**
 * Throws unless `owner` is a running or cancelled switch. A cancelled one refuses the operations of
 * the bridge later.
 */
function checkOwner(owner: Switch): void {
  try {
    checkSwitch(owner, "make a bridge");
  } catch (error) {
    if (!isInstance(error, Cancelled)) throw error;
  }
}

/**
 * The abort registry: streams to abort when a signal fires. A stream that is neither closed nor
 * aborted, as after `pipeTo()` with `preventClose`, is never unregistered, so entries hold their
 * streams weakly. A locked stream is held strongly: code may await it through a promise, which does
 * not hold it, and must be woken.
 */

/**
 * How many of the oldest entries each registration sweeps: more than one, so that stale entries
 * become fewer.
 */
const sweepSize = 4;

interface Entry {
  readonly stream: WeakRef<WritableStream>;
  /** The stream, if it was locked when last swept. A new stream is about to be locked. */
  locked: WritableStream | undefined;
}

type Abort = (reason: unknown) => void;

const registries: WeakMap<AbortSignal, Set<Entry>> = new WeakMap();
/** Weak, because the callback of a stream holds the stream. */
const aborts: WeakMap<WritableStream, Abort> = new WeakMap();

/**
 * Calls `abort` when `signal` fires, at once if it has already, unless the stream was collected.
 * The returned function unregisters it.
 */
export function abortWith(signal: AbortSignal, stream: WritableStream, abort: Abort): () => void {
  if (signal.aborted) {
    abort(signal.reason);
    return () => {};
  }
  const registry = registryOf(signal);
  aborts.set(stream, abort);
  return register(registry, { stream: new WeakRef(stream), locked: stream });
}

function registryOf(signal: AbortSignal): Set<Entry> {
  const known = registries.get(signal);
  if (known !== undefined) return known;
  const registry: Set<Entry> = new Set();
  registries.set(signal, registry);
  signal.addEventListener("abort", () => abortAll(registry, signal.reason), { once: true });
  return registry;
}

function abortAll(registry: Set<Entry>, reason: unknown): void {
  for (const { stream } of [...registry]) {
    const live = stream.deref();
    if (live !== undefined) aborts.get(live)?.(reason);
  }
}

function register(registry: Set<Entry>, entry: Entry): () => void {
  sweepOldest(registry);
  registry.add(entry);
  return () => registry.delete(entry);
}

/** Removes collected streams, releases unlocked ones, and moves the swept entries to the back. */
function sweepOldest(registry: Set<Entry>): void {
  let left = sweepSize;
  for (const entry of registry) {
    if (left-- === 0) return;
    registry.delete(entry);
    const stream = entry.stream.deref();
    if (stream === undefined) continue;
    entry.locked = stream.locked ? stream : undefined;
    registry.add(entry);
  }
}

/**
 * The scope of callbacks that foreign code calls, such as the request listeners of `node:http`.
 * What they start is cancelled with the scope in which this was made, but may outlive it, because
 * nothing there can await it. The nearest live ancestor governs it then.
 */
export class CallbackScope {
  readonly #scope: Scope = new Scope(currentScope(), bridge);

  /** Calls `fn` in the scope. */
  run<T>(fn: () => T): T {
    return runIn(this.#scope, fn);
  }

  /** Declares that no callbacks follow: the scope finishes as soon as it is empty. */
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
