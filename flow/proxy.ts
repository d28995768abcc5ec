// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../base/internal.ts";
import { asOperation, both, refused } from "../switch/internal.ts";
import { checkSink, checkSource } from "./_foreign.ts";
import { ignore, operation } from "./_operation.ts";
import { copy } from "./copy.ts";
import type { TwoWay } from "./types.ts";

/**
 * Copies both ways between two flows, passing the end of each direction on, until both have ended.
 * It closes neither flow.
 *
 * The end of one flow shuts down sending of the other. A failure, or a cancellation, aborts both
 * flows that have a method `abort`, as sockets do, with the error as the reason: no peer can
 * mistake the truncated data for the whole. A flow without one, such as a pipe, stays open, and
 * keeps what was not taken from it.
 *
 * @param a One flow.
 * @param b The other one.
 * @throws {MultipleErrors} If both directions fail. The first failure cancels the other direction,
 * and is thrown unchanged if it is the only one.
 * @throws {TypeError} If `a` or `b` is not a flow, or returns an invalid byte count.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example A connection through the middle
 * ```ts
 * import { copyString, pipe, proxy, readAll } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const [client, front] = pipe();
 * const [back, server] = pipe();
 * const proxying = proxy(front, back);
 * await copyString("ping", client);
 * await client.shutdown("send");
 * assertEquals(new TextDecoder().decode(await readAll(server)), "ping");
 * await server.close();
 * await proxying;
 * ```
 */
export function proxy(a: TwoWay, b: TwoWay): Promise<void> {
  return operation(async () => {
    for (const flow of [a, b]) checkFlow(flow);
    await refused();
    try {
      await asOperation("proxy", () => both(() => pass(a, b), () => pass(b, a)));
    } catch (error) {
      for (const flow of [a, b]) abort(flow, error);
      throw error;
    }
  });
}

function checkFlow(flow: TwoWay): void {
  checkSource("proxy", flow);
  checkSink("proxy", flow);
  if (typeof flow.shutdown !== "function") {
    throw new TypeError(`Cannot proxy ${describe(flow)}: it must have shutdown()`);
  }
}

async function pass(from: TwoWay, to: TwoWay): Promise<void> {
  await copy(from, to);
  await to.shutdown("send");
}

/**
 * Aborts a flow that can be aborted. An error of a foreign `abort` must not replace the failure.
 */
function abort(flow: TwoWay & { abort?(reason?: unknown): unknown }, reason: unknown): void {
  try {
    Promise.resolve(flow.abort?.(reason)).catch(ignore);
  } catch {
    // The failure is thrown.
  }
}
