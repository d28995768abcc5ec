// Copyright 2026 the Sluice authors. MIT license.

import { both } from "../switch/fiber.ts";
import { copy } from "./copy.ts";
import { checkSink, checkSource, nameOf } from "./foreign.ts";
import type { TwoWay } from "./types.ts";

/**
 * Copies both ways between two flows, passing on the end of each direction, until both have ended. It closes neither
 * flow.
 *
 * @param a One flow.
 * @param b The other one.
 * @throws {MultipleErrors} When both directions fail. The first failure cancels the other direction, and is thrown as
 * it is when it stays alone; as with {@linkcode copy}, what was not taken is still in its source.
 * @throws {TypeError} When one of them is no flow, or gives a count that cannot be.
 * @throws {Cancelled} When the current scope is cancelled.
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
export async function proxy(a: TwoWay, b: TwoWay): Promise<void> {
  for (const flow of [a, b]) checkFlow(flow);
  await both(() => pass(a, b), () => pass(b, a));
}

function checkFlow(flow: TwoWay): void {
  checkSource("proxy", flow);
  checkSink("proxy", flow);
  if (typeof flow.shutdown !== "function") throw new TypeError(`Cannot proxy ${nameOf(flow)}: it must have shutdown()`);
}

async function pass(from: TwoWay, to: TwoWay): Promise<void> {
  await copy(from, to);
  await to.shutdown("send");
}
