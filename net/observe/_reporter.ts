// Copyright 2026 the Sluice authors. MIT license.

import { isPromise } from "../../base/internal.ts";
import { currentScope, macrotask, type Scope, type Switch } from "../../switch/internal.ts";
import type { NetAttributes, NetEvent, NetEventType } from "./net_event.ts";

/** The number of the last thing that was observed, in the whole process. */
let last = 0;

/** Returns a number for something new. */
export function nextId(): number {
  return ++last;
}

/**
 * Passes events to an observer. What the observer throws fails the switch around the construction,
 * once; if there is none, or it is finished, it is thrown in a task of its own.
 */
export class Reporter {
  readonly #observer: (event: NetEvent) => unknown;
  readonly #now: () => number;
  readonly #scope: Scope | undefined = switchScope(currentScope());
  #failed = false;

  constructor(observer: (event: NetEvent) => unknown, now: () => number) {
    this.#observer = observer;
    this.#now = now;
  }

  now(): number {
    return this.#now();
  }

  /** Reports an event, now. */
  report(type: NetEventType, id: number, attributes: NetAttributes): void {
    const observer = this.#observer; // called without `this`
    try {
      const result = observer(Object.freeze({ type, id, at: this.now(), ...attributes }));
      if (isPromise(result)) result.then(undefined, (error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#scope === undefined || this.#scope.finished) {
      macrotask(() => {
        throw error;
      });
    } else if (!this.#failed) {
      this.#failed = true;
      (this.#scope.owner as Switch).fail(error);
    }
  }
}

/** Returns the scope of the innermost switch around a scope. */
export function switchScope(scope: Scope | undefined): Scope | undefined {
  let at = scope;
  while (at !== undefined && (at.owner === undefined || at.finished)) at = at.parent;
  return at;
}
