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

/** What a {@linkcode ConnectionHandler} can use while it runs. It costs nothing before it is asked for something. */
export interface ConnectionScope {
  /**
   * The connection's own switch, in which a handler opens what it needs. When the handler ends, the switch waits for its
   * fibers, cancels its daemons and releases what was opened in it, newest first; then the connection is closed. What
   * fails in it cancels the handler. Asked for first when the handler has ended, it throws a `TypeError`.
   */
  readonly sw: Switch;
  /** Aborted when the server is told to stop: the time to end at the next opportunity. {@linkcode acceptFork} never aborts it. */
  readonly stopping: AbortSignal;
}

/** Tells the handlers of a server that it is to stop. */
export class Stopping {
  /** The scopes of the handlers that have asked for their signal. */
  readonly #told: Set<HandlerScope> = new Set();
  #stopped = false;

  /** Whether the server is to stop. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Tells `scope` when the time comes, until it is taken away. */
  add(scope: HandlerScope): void {
    this.#told.add(scope);
  }

  remove(scope: HandlerScope): void {
    this.#told.delete(scope);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const scope of this.#told) tellScope(scope);
    this.#told.clear();
  }
}

/**
 * Ends what a handler has left: its switch, and calls that it did not await. Rejects with what failed, the handler's own
 * `failure` included; undefined where nothing is left.
 */
export let endScope: (
  scope: HandlerScope,
  failure: { readonly error: unknown } | undefined,
) => Promise<void> | undefined;

/** Aborts the signal of the handler, in the handler's own scope. */
let tellScope: (scope: HandlerScope) => void;

/** The scope of the handler's fiber. */
export let fiberOf: (scope: HandlerScope) => Scope | undefined;

/** The scope of one handler, over the fiber in which it is made. */
export class HandlerScope implements ConnectionScope {
  static {
    endScope = (scope, failures) => scope.#end(failures);
    fiberOf = (scope) => scope.#fiber;
    tellScope = (scope) => scope.#tell();
    hideClass(this);
  }

  readonly #fiber: Scope | undefined = currentScope();
  readonly #stopping: Stopping;
  /** The handler's own, so that its listeners go when it ends. */
  #controller: AbortController | undefined;
  #opened: ScopeSwitch | undefined;
  #ended = false;

  /** `strays` is told of what the handler left running and nothing awaits. */
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

  /** What listeners start belongs to the handler. */
  #tell(): void {
    runIn(this.#fiber, () => this.#controller?.abort());
  }

  /** Most handlers have asked for no switch and left nothing running: then there is nothing to wait for. */
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
