// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of pools. */
import { copyString, readExact, type Switch, type TwoWay } from "../../../mod.ts";
import { type PoolConnection, type PoolHandler, proceed, runPool, type RunPoolOptions } from "../../../net/pool/mod.ts";
import { textOf } from "../../_helpers.ts";
import { type Served, servingBy } from "../server/_limits.ts";

/** Runs a pool in memory while `fn` runs, and returns the reported errors. */
export function pooling<S>(
  handler: PoolHandler<S>,
  state: () => S,
  fn: (pool: Served, sw: Switch) => unknown,
  options: Partial<RunPoolOptions<S>> = {},
): Promise<unknown[]> {
  return servingBy((listener, onError) => runPool(listener, handler, { state, onError, ...options }), fn);
}

/** A handler that writes down what it is told, as one word each, and proceeds. */
export function recorder(
  events: string[],
  own: Partial<PoolHandler<undefined>> = {},
  connections: PoolConnection[] = [],
): PoolHandler<undefined> {
  const record = (event: string) => {
    events.push(event);
    return proceed();
  };
  return {
    connected(c) {
      connections.push(c);
      return record("connected");
    },
    received: (_, bytes) => record(`received ${textOf(bytes)}`),
    posted: (_, message) => record(`posted ${message}`),
    timedOut: () => record("timedOut"),
    ended: () => record("ended"),
    stopping: () => record("stopping"),
    failed: (_, error) => record(`failed ${error instanceof Error ? error.message : error}`),
    closed: () => record("closed"),
    ...own,
  };
}

/** No state. */
export const none = (): undefined => undefined;

/** Writes a text, and reads as many bytes. */
export async function talk(flow: TwoWay, text: string): Promise<string> {
  await copyString(text, flow);
  return await readText(flow, text.length);
}

/** Reads a text of `size` bytes. */
export async function readText(flow: TwoWay, size: number): Promise<string> {
  const answer = new Uint8Array(size);
  await readExact(flow, answer);
  return textOf(answer);
}
