// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../switch/check.ts";
import { currentSignal } from "../switch/cancel.ts";
import { runIn } from "../switch/context.ts";
import { Cancelled } from "../switch/errors.ts";
import { bridge, CancelHook, currentScope, refused, Scope } from "../switch/scope.ts";
import type { Releasable, ReleaseHook } from "../switch/release_hooks.ts";
import { checkSwitch, ownHere, runUnder, type Switch } from "../switch/switch.ts";
import { breakWith } from "./breaking.ts";

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
    return this.call(() => ownHere(resource));
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
