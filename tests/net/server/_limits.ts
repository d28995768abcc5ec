// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of what stands around a handler. */
import {
  type ConnectionHandler,
  type ListeningSocket,
  runServer,
  type RunServerOptions,
  type StreamSocket,
  Switch,
} from "../../../mod.ts";
import { tcp, yieldNow } from "../../../mod.ts";
import { memoryNet, type MockClock, mockClock } from "../../../net/testing/mod.ts";
import { turn } from "../../_helpers.ts";

/** A server in memory whose time is that of a mock clock. */
export interface Served {
  readonly clock: MockClock;
  /** What `onError` was called with. */
  readonly errors: unknown[];
  /** Opens a connection to the server, from an address. */
  connect(from?: string): Promise<StreamSocket>;
  /** Moves the clock, and lets everything run that can. */
  pass(ms: number): Promise<void>;
}

/** Runs a server on a listener in memory while `fn` runs, and returns the reported errors. */
export async function servingBy(
  serve: (listener: ListeningSocket, onError: (error: unknown) => void, clock: MockClock) => Promise<never>,
  fn: (served: Served, sw: Switch) => unknown,
): Promise<unknown[]> {
  const clock = mockClock();
  const errors: unknown[] = [];
  const net = memoryNet({ clock });
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    sw.forkDaemon(() => serve(listener, (error) => errors.push(error), clock));
    const connect = (from = "127.0.0.2") => net.connect(sw, listener.address, { bindTo: tcp(from, 0) });
    await fn({ clock, errors, connect, pass: (ms) => pass(clock, ms) }, sw);
  });
  return errors;
}

/** Serves by a handler in memory while `fn` runs. */
export function serving(
  handlerOf: (clock: MockClock) => ConnectionHandler,
  fn: (served: Served, sw: Switch) => unknown,
  options: Partial<RunServerOptions<never>> = {},
): Promise<unknown[]> {
  return servingBy(
    (listener, onError, clock) => runServer(listener, handlerOf(clock), { onError, ...options }),
    fn,
  );
}

/** Moves the clock, and lets everything run that can. */
export async function pass(clock: MockClock, ms: number): Promise<void> {
  await settled();
  clock.setTime(clock.now() + ms);
  await settled();
}

/** Lets everything run that can, also after a timer that rang late. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await turn();
  for (let i = 0; i < 70; i++) await yieldNow();
}
