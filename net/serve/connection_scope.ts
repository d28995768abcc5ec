// Copyright 2026 the Sluice authors. MIT license.

import { hideClass } from "../../base/internal.ts";
import {
  currentScope,
  endForgotten,
  runIn,
  type Scope,
  type ScopeSwitch,
  type StrayListener,
  type Switch,
  switchOver,
} from "../../switch/internal.ts";

/** What a {@linkcode ConnectionHandler} can use while it runs. Costs nothing until used. */
export interface ConnectionScope {
  /**
   * The connection's own switch, for what the handler opens. When the handler ends, the switch
   * waits for its fibers, cancels its daemons and releases what was opened in it, newest first;
   * then the connection is closed. A failure in it cancels the handler. The first access throws a
   * `TypeError` if the handler has ended.
   */
  readonly sw: Switch;
  /** Aborted when the server is stopping, but never by {@linkcode acceptFork}. */
  readonly stopping: AbortSignal;
}

/** The stop signal that a server passes to its handlers. */
export class Stopping {
  /** The handler scopes whose signal is in use. */
  readonly #scopes: Set<HandlerScope> = new Set();
  #stopped = false;

  /** Whether the server is stopping. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Registers `scope`, to be aborted when the server stops. */
  add(scope: HandlerScope): void {
    this.#scopes.add(scope);
  }

  remove(scope: HandlerScope): void {
    this.#scopes.delete(scope);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const scope of this.#scopes) abortScope(scope);
    this.#scopes.clear();
  }
}

/**
 * Ends what a handler left behind: its switch, and calls that it did not await. Rejects with their
 * errors, including the handler's own `failure`; returns undefined if nothing is left.
 */
export let endScope: (
  scope: HandlerScope,
  failure: { readonly error: unknown } | undefined,
) => Promise<void> | undefined;

/** Aborts the signal of a handler, in the handler's own scope. */
let abortScope: (scope: HandlerScope) => void;

/** Returns the scope of a handler's fiber. */
export let fiberOf: (scope: HandlerScope) => Scope | undefined;

/** The {@linkcode ConnectionScope} of one handler, for the fiber that constructs it. */
export class HandlerScope implements ConnectionScope {
  static {
    endScope = (scope, failures) => scope.#end(failures);
    fiberOf = (scope) => scope.#fiber;
    abortScope = (scope) => scope.#abort();
    hideClass(this);
  }

  readonly #fiber: Scope | undefined = currentScope();
  readonly #stopping: Stopping;
  /** One controller per handler, so that its listeners are freed with the handler. */
  #controller: AbortController | undefined;
  #opened: ScopeSwitch | undefined;
  #ended = false;

  /** @param strays Receives errors of calls that the handler did not await. */
  constructor(stopping: Stopping, strays: StrayListener) {
    this.#stopping = stopping;
    if (this.#fiber !== undefined) this.#fiber.strayListener = strays;
    Object.freeze(this);
  }

  get sw(): Switch {
    if (this.#opened !== undefined) return this.#opened.sw;
    if (this.#ended || this.#fiber === undefined) {
      throw new TypeError("Cannot open a switch for the connection: its handler has ended");
    }
    this.#opened = switchOver(this.#fiber, "connection");
    return this.#opened.sw;
  }

  get stopping(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#stopping.stopped) this.#controller.abort();
      else if (!this.#ended) this.#stopping.add(this);
    }
    return this.#controller.signal;
  }

  /** Runs in the handler's scope, so that abort listeners inherit it. */
  #abort(): void {
    runIn(this.#fiber, () => this.#controller?.abort());
  }

  /** Returns undefined for most handlers, which use no switch and await every call. */
  #end(failure: { readonly error: unknown } | undefined): Promise<void> | undefined {
    this.#ended = true;
    if (this.#controller !== undefined) this.#stopping.remove(this);
    if (this.#opened !== undefined) return this.#opened.end(failure);
    const fiber = this.#fiber;
    return fiber?.hasForgotten ? endForgottenOf(fiber, failure) : undefined;
  }
}

async function endForgottenOf(fiber: Scope, failure: { readonly error: unknown } | undefined): Promise<void> {
  const failures = failure === undefined ? await endForgotten(fiber) : await endForgotten(fiber, failure.error);
  if (failures.any) throw failures.error;
}
