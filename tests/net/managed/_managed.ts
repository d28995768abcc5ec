// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of managed connections. */
import { type StreamSocket, Switch, type TwoWay } from "../../../mod.ts";
import { type ManagedConnection, managedConnection, managedOf, type ManagedOptions } from "../../../net/managed/mod.ts";
import { type MockClock, mockClock, socketPair } from "../../../net/testing/mod.ts";
import { pass, settled } from "../server/_limits.ts";
import { type Signal, signal } from "../_helpers.ts";

/** A managed connection over sockets in memory, and its peer. */
export interface Managed {
  readonly c: ManagedConnection<string>;
  readonly peer: StreamSocket;
  readonly clock: MockClock;
  readonly sw: Switch;
  /** Moves the clock, and lets everything run that can. */
  pass(ms: number): Promise<void>;
}

type Options = Partial<ManagedOptions<string>>;

/** Runs `fn` with a connection that is connected. */
export function managed(options: Options, fn: (managed: Managed) => unknown): Promise<void> {
  return Switch.run(async (sw) => {
    const clock = mockClock();
    const [near, peer] = socketPair();
    const ends = { source: near, sink: near, peer: near.peer };
    const c = managedOf(sw, ends, { clock, data: "data", ...options });
    await fn({ c, peer, clock, sw, pass: (ms) => pass(clock, ms) });
  });
}

/** A connection that connects when `opening` settles. */
export interface Connecting extends Managed {
  readonly opening: Signal<TwoWay>;
  readonly near: StreamSocket;
}

/** Runs `fn` with a connection that is connecting. */
export function connecting(options: Options, fn: (managed: Connecting) => unknown): Promise<void> {
  return Switch.run(async (sw) => {
    const clock = mockClock();
    const [near, peer] = socketPair();
    const opening = signal<TwoWay>();
    const c = managedConnection(sw, () => opening.promise, { clock, data: "data", ...options });
    await fn({ c, peer, clock, sw, pass: (ms) => pass(clock, ms), opening, near });
  });
}

/** Lets everything run that can. */
export const settle: () => Promise<void> = settled;

/** Reads what has arrived, as text; null at the end. */
export async function readSome(flow: TwoWay, size = 1000): Promise<string | null> {
  const buffer = new Uint8Array(size);
  const count = await flow.read(buffer);
  return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
}

/** Reports whether a promise settles without anything else happening. */
export async function settles(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => void (settled = true);
  promise.then(note, note);
  await settle();
  return settled;
}
