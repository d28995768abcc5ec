// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../base/internal.ts";
import type { ServedListener, StreamAddress, StreamSocket } from "../internal.ts";

/** One connection, in a {@linkcode ServerMonitor}. */
export interface MonitoredConnection {
  /** Its number: the first connection that the monitor sees is 1. */
  readonly id: number;
  /** The peer's address: that of the client, once a PROXY header has named it. */
  readonly peer: StreamAddress;
  /** The local address, or the one in that header. */
  readonly local: StreamAddress;
  /** When it was accepted, by the clock of the listener's network. */
  readonly openedAt: number;
  /** How many bytes were read from the socket. */
  readonly bytesIn: number;
  /** How many bytes were written to the socket. */
  readonly bytesOut: number;
  /** What its fibers wait in, such as `"read tcp:127.0.0.1:40000"`; empty while its code runs. */
  readonly waiting: readonly string[];
}

/** How servers stopped, in a {@linkcode ServerMonitor}. */
export interface ServerReport {
  /** How many connections were accepted in all. */
  readonly served: number;
  /** How many connections ended by themselves after their server was told to stop. */
  readonly drained: number;
  /** How many connections were cancelled: after `grace`, or because their server failed. */
  readonly forced: number;
  /** How long stopping took, in milliseconds: of several servers, the slowest one. */
  readonly milliseconds: number;
}

/**
 * Observes servers, for a person, a probe and an exporter of metrics. Created by
 * {@linkcode serverMonitor}. The counts only grow, except `active`, and are sums over all servers.
 */
export interface ServerMonitor {
  /**
   * `"idle"` before the first server has started, `"serving"`, `"draining"` from when the first of
   * them was told to stop, and `"stopped"` when all of them have ended, however they did. A
   * readiness probe answers whether it is `"serving"`.
   */
  readonly state: "idle" | "serving" | "draining" | "stopped";
  /** How many connections were accepted. */
  readonly accepted: number;
  /** How many of them are open now. */
  readonly active: number;
  /**
   * How many connections failed: their handler threw an error that was reported. One that was reset
   * by {@linkcode perPeer}, or forced by the stop of the server, does not count.
   */
  readonly failed: number;
  /** How many connections were reset, by {@linkcode perPeer} or because a backlog was full. */
  readonly dropped: number;
  /** How many times accepting failed. */
  readonly acceptErrors: number;
  /** How many connections were lost because the worker that served them died: see `runWorkers`. */
  readonly lost: number;
  /**
   * Returns the connections that are open now, oldest first. Takes time for each connection, unlike
   * the counts.
   *
   * @returns A snapshot.
   */
  connections(): readonly MonitoredConnection[];
  /** How the servers stopped, once the state is `"stopped"`; `undefined` before. */
  readonly report: ServerReport | undefined;
}

/** What a server records of one connection. */
export interface ConnectionLog {
  /** The connection for the handler: one whose bytes are counted. */
  readonly connection: StreamSocket;
  /** Notes that its handler has failed. */
  failed(): void;
  /** Notes that it is closed, and its errors are reported. */
  ended(): void;
}

/** What a server records of itself. */
export interface ServerLog {
  /** Notes that `listener` accepts for the server. */
  listens(listener: ServedListener): void;
  /** Notes that a connection was accepted. Called in the fiber of its handler. */
  accepted(connection: StreamSocket): ConnectionLog;
  /** Notes that accepting has failed. */
  acceptFailed(): void;
  /** Notes that the server is stopping. */
  stopping(): void;
  /** Notes that the server has ended. */
  ended(): void;
}

/** What begins to record a server, by its monitor. A server without one loads nothing of it. */
const monitors: WeakMap<object, () => ServerLog> = new WeakMap();

/** Makes `monitor` one that a server may have. */
export function registerMonitor(monitor: object, startLog: () => ServerLog): void {
  monitors.set(monitor, startLog);
}

/** Begins to record a server. */
export function logServer(monitor: object): ServerLog {
  return (monitors.get(monitor) as () => ServerLog)();
}

/** Throws `TypeError` unless `monitor` is one that `serverMonitor` has made. */
export function checkMonitor(action: string, monitor: unknown): void {
  if (monitors.has(monitor as object)) return;
  throw new TypeError(
    `Cannot ${action} as monitor must be what serverMonitor() returns: current value is ${describe(monitor)}`,
  );
}
