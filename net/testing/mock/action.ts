// Copyright 2026 the Sluice authors. MIT license.

/**
 * What one call of a mock does: returns a value, throws, waits for a promise, lets other code run
 * first, or calls a function. An action that waits is cancelled with its call, as a real operation
 * would be.
 *
 * A function is called when the action's turn has come, in the scope of the call, so that what it
 * waits for is cancelled too.
 *
 * Source: Eio's `Eio_mock.Action`.
 *
 * @typeParam T The type of the value.
 *
 * @example All kinds
 * ```ts
 * import { type Action, mockFlow } from "@sluice/io/net/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const actions: Action<string>[] = [
 *   { return: "a" },
 *   { throw: new Error("Cannot read") },
 *   { await: Promise.resolve("b") },
 *   { yieldThen: { return: "c" } },
 *   { run: () => "d" },
 * ];
 * const flow = mockFlow("client");
 * flow.onRead(...actions);
 * const read = () => flow.read(new Uint8Array(8));
 * assertEquals(await read(), 1);
 * await assertRejects(read, Error, "Cannot read");
 * for (const _ of "bcd") assertEquals(await read(), 1);
 * assertEquals(await read(), null);
 * ```
 */
export type Action<T> =
  | { return: T }
  | { throw: unknown }
  | { await: Promise<T> }
  | { yieldThen: Action<T> }
  | { run: () => T | Promise<T> };
