// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../../base/internal.ts";
import { ignore } from "../../flow/internal.ts";
import {
  adopt,
  Cancelled,
  currentScope,
  type Hook,
  noLongerNeeded,
  registerOwner,
  runIn,
  runUnder,
  Scope,
  Switch,
} from "../../switch/internal.ts";

/**
 * The fiber of a managed connection, which a switch owns as it owns a socket: the switch does not wait for it, but closes it
 * together with its other resources.
 */
export class OwnedFiber {
  #scope: Scope | undefined;
  #ended: Promise<void> = Promise.resolve();

  /** Settles once it has ended. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /**
   * Starts it, up to its first wait. Its errors are ignored, and fibers that `run` has left running
   * are cancelled when it returns. If `sw` fails, it is cancelled.
   *
   * @param close Makes `run` return soon. Called when `sw` ends, and if it is cancelled already.
   * @throws {TypeError} If `sw` has ended.
   */
  start(sw: Switch, close: () => void, run: (own: Switch) => Promise<void>): void {
    const release = () => {
      close();
      adopt(sw, this.#ended);
    };
    let hook: Hook;
    try {
      hook = registerOwner(sw, "manage a connection", { release, label: "a managed connection" });
    } catch (error) {
      if (!isInstance(error, Cancelled)) throw error;
      return close();
    }
    const scope = this.#scope = runUnder(sw, () => new Scope(currentScope(), "managed connection"));
    const main = async (own: Switch) => {
      await run(own);
      if (currentScope()?.children().some(({ kind }) => kind === "fiber")) this.cancel();
    };
    const running = runIn(scope, () => Switch.run(main));
    this.#ended = running.catch(ignore).then(() => {
      hook.remove();
      scope.finish();
    });
  }

  /** Cancels it. */
  cancel(): void {
    this.#scope?.cancel(noLongerNeeded());
  }
}
