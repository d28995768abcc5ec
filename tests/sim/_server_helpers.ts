// Copyright 2026 the Sluice authors. MIT license.

/** What the scenarios of servers have in common. */
import { assert, assertEquals } from "@std/assert";
import {
  Cancelled,
  type ConnectionHandler,
  isCancelled,
  MultipleErrors,
  type runServer,
  type RunServerOptions,
} from "../../mod.ts";

/** `runServer`, or a careless server in its place. */
export type Serve = (
  listener: Parameters<typeof runServer>[0],
  handler: ConnectionHandler,
  options: RunServerOptions<unknown>,
) => Promise<unknown>;

/** What the handlers of one server throw, and what `onError` hears of it. */
export class Failures {
  readonly #thrown: unknown[] = [];
  readonly #heard: unknown[] = [];
  #wasCancelled = false;

  /** Returns a new error that is to be thrown. */
  planned(text: string): Error {
    const error = new Error(text);
    this.#thrown.push(error);
    return error;
  }

  /** Returns a handler whose errors are noted. */
  of(handler: ConnectionHandler): ConnectionHandler {
    return async (flow, peer, scope) => {
      try {
        await handler(flow, peer, scope);
      } catch (error) {
        if (!(error instanceof Cancelled) && !this.#thrown.includes(error)) this.#thrown.push(error);
        throw error;
      }
    };
  }

  /** Notes what `onError` hears; its scope is cancelled with the handlers, when `mayBeCancelled`. */
  hear(error: unknown, mayBeCancelled = false): void {
    this.#wasCancelled ||= isCancelled() && !mayBeCancelled;
    this.#heard.push(...error instanceof MultipleErrors ? error.errors : [error]);
  }

  /** Checks that each was heard once, and nothing else but the errors of closing. */
  check(): void {
    const missing = this.#thrown.filter((error) => !this.#heard.includes(error));
    assertEquals(missing, [], "onError was not called");
    assertEquals(this.#heard.length, new Set(this.#heard).size, "onError was called twice");
    const others = this.#heard.filter((error) => !this.#thrown.includes(error));
    assertEquals(others, [], "onError was called with another error");
    assert(!this.#wasCancelled, "onError was called in a cancelled scope");
  }
}
