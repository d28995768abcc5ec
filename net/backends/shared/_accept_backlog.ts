// Copyright 2026 the Sluice authors. MIT license.

import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { guard, type Linked, List } from "../../../base/internal.ts";
import type { ProviderStream } from "../../provider/internal.ts";

/**
 * A runtime accepts one connection per turn of the event loop, or all of them every few turns.
 * After this many consecutive turns without a connection, the system has none left. The wait is
 * limited, as a steady load never pauses.
 */
const quietTurns = { one: 3, all: 20 } as const;
const maxTurns = 50;

/** A connection that the system may have closed already. */
interface Waiting extends ProviderStream {
  readonly gone: boolean;
}

/** The accepted connections of a listener that `accept()` has not taken yet, up to the backlog. */
export class AcceptBacklog<S extends Waiting & Linked<S>> {
  /** How many connections were reset because the backlog was full. */
  dropped = 0;
  readonly #capacity: number;
  #arrived = 0;
  #onArrival: (() => void) | undefined;
  readonly #streams: List<S> = new List();
  #size = 0;

  constructor(backlog: number) {
    this.#capacity = backlog;
  }

  /** Adds `stream`, or resets it if the backlog is full. Returns whether it was added. */
  add(stream: S): boolean {
    this.#arrived++;
    this.#onArrival?.();
    // Connections that the peer has reset in the meantime take no space.
    if (this.#size >= this.#capacity) this.#removeGone();
    if (this.#size < this.#capacity) {
      this.#streams.add(stream);
      this.#size++;
      return true;
    }
    this.dropped++;
    stream.abort();
    return false;
  }

  /** Removes and returns the oldest connection that is still open. */
  take(): S | undefined {
    for (let stream = this.#streams.oldest; stream !== undefined; stream = this.#streams.oldest) {
      this.#remove(stream);
      if (!stream.gone) return stream;
    }
    return undefined;
  }

  #removeGone(): void {
    for (const stream of this.#streams.toArray()) if (stream.gone) this.#remove(stream);
  }

  #remove(stream: S): void {
    this.#streams.remove(stream);
    this.#size--;
  }

  /**
   * Calls `stop` when the runtime has probably accepted every connection that the system has
   * established. It is called in the same turn, so that hardly any new one can be established.
   *
   * @param takesAll Whether the runtime accepts all connections in one turn: then the next
   * arrival is the best moment. Otherwise it is after a few turns without one.
   */
  whenTaken(takesAll: boolean, stop: () => void | Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      let before = this.#arrived;
      let turns = 0;
      let quiet = 0;
      const done = () => {
        this.#onArrival = undefined;
        clearTimeout(timer);
        try {
          resolve(stop());
        } catch (error) {
          reject(error);
        }
      };
      const look = guard(() => {
        quiet = this.#arrived === before ? quiet + 1 : 0;
        before = this.#arrived;
        if (quiet === quietTurns[takesAll ? "all" : "one"] || ++turns === maxTurns) done();
        else next();
      }, reject);
      let timer: NodeJS.Timeout;
      // Deno would run a bare immediate before it polls for input, and runs one set by a timer
      // right after.
      const next = () => timer = setTimeout(() => setImmediate(look), 1);
      next();
      if (takesAll) this.#onArrival = () => setImmediate(done);
    });
  }

  /** Resets all connections. */
  abort(): void {
    for (const stream of this.#streams.toArray()) {
      this.#remove(stream);
      stream.abort();
    }
  }
}
