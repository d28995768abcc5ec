// Copyright 2026 the Sluice authors. MIT license.

import { rejection } from "../../flow/internal.ts";
import { refused } from "../../switch/internal.ts";
import { type HostAddress, literalOf, type StreamAddress } from "../internal.ts";

/** Returns the name that a connect to `target` looks up, or `undefined` if it looks up none. */
export function nameToLookUp(target: StreamAddress | HostAddress): string | undefined {
  return target.transport === "host" && isLookedUp(target.name) ? target.name : undefined;
}

/** Reports whether `name` is looked up: the literal of an IP address is not. */
export function isLookedUp(name: string): boolean {
  return literalOf(name) === undefined;
}

/**
 * Calls `ask` before the first answer of each iteration, unless the scope is cancelled. It may
 * throw.
 */
export function askedBy<T>(answers: AsyncIterable<T>, ask: () => void): AsyncIterable<T> {
  return Object.freeze({
    [Symbol.asyncIterator](): AsyncIterator<T> {
      const iterator = answers[Symbol.asyncIterator]();
      let asked = false;
      return Object.freeze({
        next(): Promise<IteratorResult<T>> {
          if (asked) return iterator.next();
          const refusal = refused();
          if (refusal !== undefined) return refusal;
          try {
            ask();
          } catch (error) {
            return rejection(error);
          }
          asked = true;
          return iterator.next();
        },
        return: async (): Promise<IteratorResult<T>> => await iterator.return?.() ?? { done: true, value: undefined },
      });
    },
  });
}
