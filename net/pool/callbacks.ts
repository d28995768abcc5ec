// Copyright 2026 the Sluice authors. MIT license.

import { checkMilliseconds, checkOptions, describe } from "../../base/internal.ts";
import type { PoolConnection } from "./pool_connection.ts";

/**
 * A protocol as a state machine: what happens on one connection calls one of these, with the state,
 * and each returns what comes next. They never overlap for one connection. Only `received` is
 * required.
 *
 * A callback that throws fails the connection: `failed`, then `onError`, then `closed` are called.
 *
 * @typeParam S The type of the state of a connection.
 *
 * @example A counter of bytes
 * ```ts
 * import { finish, type PoolHandler, proceed } from "@sluice/io/net/pool";
 *
 * const counter: PoolHandler<number> = {
 *   received: (_, bytes, count) => proceed({ state: count + bytes.length }),
 *   async ended(c, count) {
 *     await c.write(`${count}\n`);
 *     return finish();
 *   },
 * };
 * ```
 */
export interface PoolHandler<S> {
  /**
   * Called first. After `switchTo` it is called for the new handler.
   *
   * @default {() => proceed()}
   */
  connected?(c: PoolConnection, state: S): Next | Promise<Next>;
  /**
   * Called with input.
   *
   * @param c The connection.
   * @param bytes What has arrived, at most `maxBuffer`: memory of the callback's own.
   * @param state The state.
   */
  received(c: PoolConnection, bytes: Uint8Array<ArrayBuffer>, state: S): Next | Promise<Next>;
  /**
   * Called with each message that was posted. Messages and input take turns.
   *
   * @default {() => proceed()}
   */
  posted?(c: PoolConnection, message: unknown, state: S): Next | Promise<Next>;
  /**
   * Called when no input has arrived in time. Then the time starts again.
   *
   * @default {() => finish()}
   */
  timedOut?(c: PoolConnection, state: S): Next | Promise<Next>;
  /**
   * Called once when the peer has ended, and all input was read. Writing is still possible.
   *
   * @default {() => finish()}
   */
  ended?(c: PoolConnection, state: S): Next | Promise<Next>;
  /**
   * Called once when the server is told to stop.
   *
   * @default {() => finish()}
   */
  stopping?(c: PoolConnection, state: S): Next | Promise<Next>;
  /**
   * Called with the error of the connection: what a callback has thrown, or the peer's reset. Not
   * called for a cancellation. Its result is awaited.
   */
  failed?(c: PoolConnection, error: unknown, state: S): unknown;
  /**
   * Called last, exactly once, before the socket is closed. Shielded from cancellation. Its result
   * is awaited.
   */
  closed?(c: PoolConnection, state: S): unknown;
}

/** What comes next: made by {@linkcode proceed}, {@linkcode finish} or {@linkcode switchTo}. */
export interface Next {
  /** The function that has made it. */
  readonly next: "proceed" | "finish" | "switchTo";
}

/** Options for {@linkcode proceed}. */
export interface ProceedOptions {
  /**
   * The new state.
   *
   * @default {the same state}
   */
  state?: unknown;
  /**
   * How long the next wait for input may take, in milliseconds, instead of `receiveTimeout`.
   *
   * @default {undefined}
   */
  timeout?: number | undefined;
}

/** An answer as the pool reads it. */
export type Answer =
  | { readonly next: "proceed"; readonly state: unknown; readonly timeout: number | undefined }
  | { readonly next: "finish" }
  | { readonly next: "switchTo"; readonly handler: PoolHandler<unknown>; readonly state: unknown };

const kinds: readonly unknown[] = ["proceed", "finish", "switchTo"];

function answer(fields: Answer): Next {
  return Object.freeze(fields);
}

/**
 * Returns the answer of a callback that the connection goes on.
 *
 * @param options The new state, and a time limit for the next wait.
 * @returns What the callback returns.
 * @throws {RangeError} If `timeout` is negative or NaN.
 * @throws {TypeError} If `options` is not an object, or `timeout` not a number.
 *
 * @example A new state
 * ```ts
 * import { type PoolHandler, proceed } from "@sluice/io/net/pool";
 *
 * const handler: PoolHandler<number> = {
 *   received: (_, bytes, count) => proceed({ state: count + bytes.length, timeout: 1000 }),
 * };
 * ```
 */
export function proceed(options?: ProceedOptions): Next {
  const { state, timeout } = checkOptions<ProceedOptions>("proceed", options);
  if (timeout !== undefined) checkMilliseconds("proceed", "timeout", timeout);
  return answer({ next: "proceed", state, timeout });
}

/**
 * Returns the answer of a callback that the connection ends: `closed` is called, and the connection
 * is closed. What was written still goes out.
 *
 * @returns What the callback returns.
 *
 * @example One answer
 * ```ts
 * import { finish, type PoolHandler } from "@sluice/io/net/pool";
 *
 * const handler: PoolHandler<undefined> = {
 *   async received(c) {
 *     await c.write("goodbye\n");
 *     return finish();
 *   },
 * };
 * ```
 */
export function finish(): Next {
  return answer({ next: "finish" });
}

/**
 * Returns the answer of a callback that another handler takes the connection over: its `connected`
 * is called, input that was not read and messages that were posted go to it, and it is told again
 * that the peer has ended, or that the server is stopping. `closed` of the old handler is not
 * called.
 *
 * @typeParam T The type of the new handler's state.
 * @param handler The new handler.
 * @param state Its state.
 * @returns What the callback returns.
 * @throws {TypeError} If `handler` is not a handler.
 *
 * @example A login, then a shell
 * ```ts
 * import { type PoolHandler, proceed, switchTo } from "@sluice/io/net/pool";
 *
 * const shell: PoolHandler<{ user: string }> = { received: () => proceed() };
 * const login: PoolHandler<undefined> = {
 *   received: (_, bytes) => switchTo(shell, { user: new TextDecoder().decode(bytes).trim() }),
 * };
 * ```
 */
export function switchTo<T>(handler: PoolHandler<T>, state: T): Next {
  checkPoolHandler("switch to a handler", handler);
  return answer({ next: "switchTo", handler: handler as PoolHandler<unknown>, state });
}

/**
 * Returns what a callback has answered, perhaps by another copy of the library. Throws `TypeError`
 * if it is not an answer.
 */
export function readAnswer(callback: string, given: unknown): Answer {
  if (typeof given === "object" && given !== null && kinds.includes((given as Partial<Next>).next)) {
    return given as Answer;
  }
  throw new TypeError(
    `Cannot go on as ${callback} must return proceed(), finish() or switchTo(): current value is ${describe(given)}`,
  );
}

const optional = ["connected", "posted", "timedOut", "ended", "stopping", "failed", "closed"] as const;

/** Throws `TypeError` unless `handler` has a function `received`, and no callback that is not one. */
export function checkPoolHandler(action: string, handler: unknown): void {
  if (typeof handler !== "object" || handler === null) {
    throw new TypeError(`Cannot ${action} as handler must be an object: current value is ${describe(handler)}`);
  }
  const { received } = handler as Partial<PoolHandler<unknown>>;
  if (typeof received !== "function") {
    throw new TypeError(`Cannot ${action} as received must be a function: current value is ${describe(received)}`);
  }
  for (const name of optional) {
    const callback = (handler as Partial<PoolHandler<unknown>>)[name];
    if (callback === undefined || typeof callback === "function") continue;
    throw new TypeError(`Cannot ${action} as ${name} must be a function: current value is ${describe(callback)}`);
  }
}
