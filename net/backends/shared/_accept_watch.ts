// Copyright 2026 the Sluice authors. MIT license.

import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { guard } from "../../../base/internal.ts";

/**
 * A runtime accepts one connection per turn of the event loop, or all of them every few turns.
 * After this many consecutive turns without a connection, the system has none left. The wait is
 * limited, as a steady load never pauses.
 */
const quietTurns = { one: 3, all: 20 } as const;
const maxTurns = 50;

/** Tells when a listener has accepted what the system has established. */
export class AcceptWatch {
  #arrivals = 0;
  #onArrival: (() => void) | undefined;

  /** Notes that a connection was accepted. */
  arrived(): void {
    this.#arrivals++;
    this.#onArrival?.();
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
      let before = this.#arrivals;
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
        quiet = this.#arrivals === before ? quiet + 1 : 0;
        before = this.#arrivals;
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
}
