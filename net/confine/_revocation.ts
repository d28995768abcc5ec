// Copyright 2026 the Sluice authors. MIT license.

import { isOfKind, throwLater } from "../../base/internal.ts";
import { type Closable, ignore, isSilent, operation, silent } from "../../flow/internal.ts";
import { Cancelled, currentScope, runIn, Scope } from "../../switch/internal.ts";
import { type Address, type HostAddress, NetError } from "../internal.ts";

/** The target of an operation, for its error. */
type Target = Address | HostAddress | string | undefined;

/** A resource that can be closed at once. */
interface Abortable extends Closable {
  abort?(reason?: unknown): void;
}

/** Stops a pending operation, or closes a resource. */
type Stop = (reason: unknown) => void;

/** The state of a revocable network, and everything that a revocation stops. */
export class Revocation {
  #revoked: { readonly reason: unknown } | undefined;
  readonly #stops: Set<Stop> = new Set();

  /** Stops everything, in the order in which it began. Further calls do nothing. */
  revoke(reason: unknown): void {
    if (this.#revoked !== undefined) return;
    this.#revoked = { reason };
    const stops = [...this.#stops];
    this.#stops.clear();
    for (const stop of stops) {
      try {
        stop(reason);
      } catch {
        // A foreign resource that cannot be closed must not keep the others open.
      }
    }
  }

  /**
   * Throws if the network is revoked.
   *
   * @throws {NetError} `permission_denied`, with the reason as its cause.
   */
  check(operation: string, target: Target): void {
    if (this.#revoked !== undefined) throw this.#denied(operation, target);
  }

  /**
   * Returns the error to throw for `error`: once revoked, that of the revocation, except for a
   * cancellation.
   */
  failure(error: unknown, operation: string, target: Target): unknown {
    if (this.#revoked === undefined || isOfKind(error, "Cancelled")) return error;
    const denied = this.#denied(operation, target);
    return isSilent(error) ? silent(denied) : denied;
  }

  /**
   * Runs an operation. A revocation rejects it at once, whatever `fn` does, and cancels `fn`. If
   * the operation is not awaited, that rejection counts as handled.
   */
  run<T>(operation: string, target: Target, fn: () => Promise<T>): Promise<T> {
    this.check(operation, target);
    const scope = new Scope(currentScope(), operation);
    const outcome = new Promise<T>((resolve, reject) => {
      const forget = this.#onRevoke((reason) => {
        const denied = throwLater(() => silent(this.#denied(operation, target)), () => outcome.catch(ignore));
        resolve(denied);
        scope.cancel(new Cancelled(reason));
        scope.finish(); // what ignores the cancellation must not keep the caller's switch waiting
      });
      const done = () => {
        forget();
        scope.finish();
      };
      runIn(scope, async () => await fn()).then(
        (value) => (done(), resolve(value)),
        (error) => (done(), reject(error)),
      );
    });
    scope.outcome = outcome;
    return outcome;
  }

  /**
   * Opens a resource, which a revocation closes. `fn` is called with the function to call when the
   * resource is gone. The caller must close what `fn` has opened if this rejects.
   */
  async open<T extends Abortable>(
    operation: string,
    target: Target,
    fn: (gone: () => void) => Promise<T>,
  ): Promise<T> {
    let isGone = false;
    let forget = ignore;
    const resource = await this.run(operation, target, () =>
      fn(() => {
        isGone = true;
        forget();
      }));
    if (this.#revoked !== undefined) throw silent(this.#denied(operation, target)); // in the meantime
    if (!isGone) forget = this.#onRevoke((reason) => closeNow(resource, reason));
    return resource;
  }

  /** Iterates over answers to a lookup of `name`. A revocation rejects a `next`, and ends it. */
  iterate<T>(name: string, answers: () => AsyncIterable<T>): AsyncIterable<T> {
    return Object.freeze({
      [Symbol.asyncIterator]: (): AsyncIterator<T> => {
        let iterator: AsyncIterator<T> | undefined;
        let forget = ignore;
        const start = () => {
          const started = answers()[Symbol.asyncIterator]();
          forget = this.#onRevoke(() => void leave(started).catch(ignore));
          return started;
        };
        const next = async (): Promise<IteratorResult<T>> => {
          try {
            this.check("lookup", name);
            const current = iterator ??= start();
            const result = await this.run("lookup", name, () => current.next());
            if (result.done === true) forget();
            return result;
          } catch (error) {
            forget();
            throw error;
          }
        };
        const end = async (): Promise<IteratorResult<T>> => {
          forget();
          if (iterator !== undefined && this.#revoked === undefined) await leave(iterator);
          return { done: true, value: undefined };
        };
        return Object.freeze({ next: () => operation(next), return: end });
      },
    });
  }

  /** Calls `stop` on revocation. Returns a function that removes it. */
  #onRevoke(stop: Stop): () => void {
    this.#stops.add(stop);
    return () => void this.#stops.delete(stop);
  }

  #denied(operation: string, target: Target): NetError {
    return new NetError("permission_denied", { operation, address: target, cause: this.#revoked?.reason });
  }
}

function closeNow(resource: Abortable, reason: unknown): void {
  if (typeof resource.abort === "function") resource.abort(reason);
  else Promise.resolve(resource.close()).catch(ignore);
}

/** Ends an iteration early. */
async function leave(iterator: AsyncIterator<unknown>): Promise<void> {
  await iterator.return?.();
}
