// Copyright 2026 the Sluice authors. MIT license.

import { Waiter } from "../switch/scope.ts";
import type { StreamNames } from "./stream.ts";

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

/** Operations that wait until all that a stream has taken has been passed on. */
export class Flushers {
  readonly #names: StreamNames;
  readonly #waiters: Set<Waiter<void>> = new Set();

  constructor(names: StreamNames) {
    this.#names = names;
  }

  /** Waits for it in the current scope. */
  wait(): Promise<void> {
    const waiter: Waiter<void> = new Waiter("shutdown", (_, reason) => {
      this.#waiters.delete(waiter);
      waiter.reject(reason);
    }, this.#names);
    this.#waiters.add(waiter);
    return waiter.promise;
  }

  /** It has come to that, or will never, for the reason that `failure` makes. */
  done(failure?: () => unknown): void {
    for (const waiter of this.#waiters) failure === undefined ? waiter.resolve() : waiter.fail(failure);
    this.#waiters.clear();
  }
}
