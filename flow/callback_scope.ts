// Copyright 2026 the Sluice authors. MIT license.

import { macrotask, runIn } from "../switch/context.ts";
import { bridge, currentScope, Scope } from "../switch/scope.ts";

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
