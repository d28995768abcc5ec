// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of pools. */
import { copyString, readExact, type StreamSocket, Switch, tcp, type TwoWay } from "../../../mod.ts";
import { type PoolConnection, type PoolHandler, proceed, runPool, type RunPoolOptions } from "../../../net/pool/mod.ts";
import { memoryNet, type MockClock, mockClock } from "../../../net/testing/mod.ts";
import { textOf } from "../../_helpers.ts";
import { pass } from "../server/_limits.ts";

/** A pool in memory whose time is that of a mock clock. */
export interface Pool {
  readonly clock: MockClock;
  /** What `onError` was called with. */
  readonly errors: unknown[];
  /** Opens a connection to the pool. */
  connect(): Promise<StreamSocket>;
  /** Moves the clock, and lets everything run that can. */
  pass(ms: number): Promise<void>;
}

/** Runs a pool in memory while `fn` runs, and returns the reported errors. */
export async function pooling<S>(
  handler: PoolHandler<S>,
  state: () => S,
  fn: (pool: Pool, sw: Switch) => unknown,
  options: Partial<RunPoolOptions<S>> = {},
): Promise<unknown[]> {
  const clock = mockClock();
  const errors: unknown[] = [];
  const net = memoryNet({ clock });
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    sw.forkDaemon(() => runPool(listener, handler, { state, onError: (error) => errors.push(error), ...options }));
    await fn({ clock, errors, connect: () => net.connect(sw, listener.address), pass: (ms) => pass(clock, ms) }, sw);
  });
  return errors;
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
