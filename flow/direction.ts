// Copyright 2026 the Sluice authors. MIT license.

import { Waiter } from "../switch/scope.ts";
import type { StreamNames } from "./stream.ts";

/** One direction of a socket or pipe: at most one operation, which is tried now, and again whenever the end says so. */
export class Direction {
  readonly #operation: string;
  readonly #names: StreamNames;
  #waiter: Waiter<unknown> | undefined;
  #attempt: (() => unknown) | undefined;

  constructor(operation: string, names: StreamNames) {
    this.#operation = operation;
    this.#names = names;
  }

  /** Whether an operation waits. */
  get busy(): boolean {
    return this.#waiter !== undefined;
  }

  /** Gives what `attempt` gives, as soon as that is not `undefined`. What is cancelled before has not been done. */
  perform<T>(attempt: () => T | undefined): Promise<T> {
    try {
      const given = attempt();
      if (given !== undefined) return Promise.resolve(given);
    } catch (error) {
      return Promise.reject(this.#names.failure(this.#operation, error));
    }
    const waiter: Waiter<T> = new Waiter(this.#operation, (_, reason) => this.refuse(reason), this.#names);
    this.#waiter = waiter as Waiter<unknown>;
    this.#attempt = attempt;
    return waiter.promise;
  }

  /** Tries the operation that waits once more. */
  retry(): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined; // for what it consumes may bring the next event at once
    try {
      const given = attempt();
      if (given !== undefined) this.#take()?.resolve(given);
      else if (this.busy) this.#attempt = attempt;
    } catch (error) {
      this.refuse(this.#names.failure(this.#operation, error));
    }
  }

  /** Fails the operation that waits. */
  refuse(reason: unknown): void {
    this.#take()?.reject(reason);
  }

  #take(): Waiter<unknown> | undefined {
    const waiter = this.#waiter;
    this.#waiter = this.#attempt = undefined;
    return waiter;
  }
}
