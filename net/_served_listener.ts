// Copyright 2026 the Sluice authors. MIT license.

/**
 * How a server reaches the listeners of the library under the one that it was given. A listener that wraps another passes
 * on the switch that shall own the connection, and nothing else; so the switch is what tells them from whom they accept.
 */
import type { Clock, Switch } from "../switch/internal.ts";

/** What a server needs of a listener, and a user does not. */
export interface ServedListener {
  /** The clock of its network. */
  readonly clock: Clock;
  /** How many connections were reset because the backlog was full. */
  readonly dropped: number;
  /**
   * Waits until connections are being reset because the backlog is full: once for each burst, which lasts until a
   * connection is accepted.
   *
   * @throws {ClosedError} When the listener is closed, now or meanwhile.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  overflow(): Promise<void>;
  /**
   * Refuses new clients from now on, but lets the connections that the system has established so far be accepted, as far
   * as can be told. A server that stops does so before it closes the listener, which resets them.
   */
  stopListening(): Promise<void>;
}

type Notice = (listener: ServedListener) => void;

const servers: WeakMap<Switch, Notice> = new WeakMap();

/** Calls `accepts` with each listener of the library of which `sw` is to own a connection, at every call of its `accept`. */
export function onAccept(sw: Switch, accepts: Notice): void {
  servers.set(sw, accepts);
}

/** Tells the server whose switch `sw` is, if it is one's, that `listener` accepts for it. */
export function tellServer(sw: Switch, listener: ServedListener): void {
  servers.get(sw)?.(listener);
}

const served: WeakSet<object> = new WeakSet();

/** Notes that `listener` is one of the library: it knows the current scope, so that cancelling ends its `accept`. */
export function addServed(listener: ServedListener): void {
  served.add(listener);
}

/** Whether `listener` is one of the library. */
export function isServed(listener: object): boolean {
  return served.has(listener);
}
