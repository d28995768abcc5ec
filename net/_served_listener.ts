// Copyright 2026 the Sluice authors. MIT license.

/**
 * How a server finds the library's listeners beneath the one that it was given. A wrapper passes on
 * only the switch that will own the connection, so a listener finds the server by that switch.
 */
import type { Clock, Switch } from "../switch/internal.ts";

/** What a server, but not a user, needs of a listener. */
export interface ServedListener {
  /** The clock of its network. */
  readonly clock: Clock;
  /** The number of connections reset because the backlog was full. */
  readonly dropped: number;
  /**
   * Waits until connections are reset because the backlog is full: once for each burst, which lasts
   * until a connection is accepted.
   *
   * @throws {ClosedError} If the listener is closed.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  overflow(): Promise<void>;
  /**
   * Refuses new clients, but lets connections that the system has established so far be accepted,
   * as far as it can tell. A stopping server does so before it closes the listener, which resets
   * them.
   */
  stopListening(): Promise<void>;
}

type Notice = (listener: ServedListener) => void;

const servers: WeakMap<Switch, Notice> = new WeakMap();

/** Calls `accepts` at each `accept(sw)` of one of the library's listeners. */
export function onAccept(sw: Switch, accepts: Notice): void {
  servers.set(sw, accepts);
}

/** Notifies the server of `sw`, if there is one, that `listener` accepts for it. */
export function tellServer(sw: Switch, listener: ServedListener): void {
  servers.get(sw)?.(listener);
}

/**
 * Watches a listener, or something else that changes. Calls `wake` when it has something new: at
 * once if a connection waits to be accepted already, which stays there; and when it is closed.
 *
 * @returns A function that ends the watch; `undefined`, without a watch, if nothing new can come.
 */
export type Watch = (wake: () => void) => (() => void) | undefined;

const watches: WeakMap<object, Watch> = new WeakMap();

/** Makes `subject` one that can be watched. A wrapper of a listener passes on the watch inside. */
export function addWatch(subject: object, watch: Watch): void {
  watches.set(subject, watch);
}

/** Returns how to watch `subject`, or `undefined` if it cannot be watched. */
export function watchOf(subject: object): Watch | undefined {
  return watches.get(subject);
}

/** The watches of a listener, or of something else that changes. */
export class Watches {
  /** Begins a watch. */
  readonly watch: Watch;
  readonly #wakes: Set<() => void> = new Set();

  /**
   * Makes `subject` one that can be watched, as long as `canChange` returns true.
   *
   * @param begun Called when a watch has begun. It wakes the watch if there is something already.
   */
  constructor(subject: object, canChange: () => boolean, begun?: (wake: () => void) => unknown) {
    this.watch = (wake) => {
      if (!canChange()) return undefined;
      this.#wakes.add(wake);
      begun?.(wake);
      return () => this.#wakes.delete(wake);
    };
    addWatch(subject, this.watch);
  }

  /** Whether there is a watch. */
  get any(): boolean {
    return this.#wakes.size > 0;
  }

  /** Wakes all watches. */
  wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }
}

const served: WeakSet<object> = new WeakSet();

/** Marks `listener` as one of the library: cancelling the current scope ends its `accept`. */
export function addServed(listener: ServedListener): void {
  served.add(listener);
}

/** Reports whether `listener` is one of the library. */
export function isServed(listener: object): boolean {
  return served.has(listener);
}
