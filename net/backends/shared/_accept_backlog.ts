// Copyright 2026 the Sluice authors. MIT license.

import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { guard } from "../../../base/internal.ts";
import type { ProviderStream } from "../../provider/internal.ts";

/**
 * A runtime takes one connection from the system in each turn of the event loop, or all there are, now and then: so many
 * turns in a row that bring none mean that there is none. Under a load that never pauses, the wait has an end too.
 */
const quietTurns = { one: 3, all: 20 } as const;
const mostTurns = 50;

/** A connection that the system may have closed already. */
interface Waiting extends ProviderStream {
  readonly gone: boolean;
}

/** What a listener that accepts by itself has accepted and nobody has taken, up to the backlog. */
export class AcceptBacklog<S extends Waiting> {
  /** How many had no place, and were reset. */
  dropped = 0;
  readonly #capacity: number;
  #arrived = 0;
  #onArrival: (() => void) | undefined;
  #streams: S[] = [];

  constructor(backlog: number) {
    this.#capacity = backlog;
  }

  /** Keeps `stream`, or resets it where there is no place. Whether it was kept. */
  add(stream: S): boolean {
    this.#arrived++;
    this.#onArrival?.();
    // What the other side has reset meanwhile takes no place.
    if (this.#streams.length >= this.#capacity) this.#streams = this.#streams.filter(({ gone }) => !gone);
    if (this.#streams.length < this.#capacity) {
      this.#streams.push(stream);
      return true;
    }
    this.dropped++;
    stream.abort();
    return false;
  }

  /** Takes the one that came first. */
  take(): S | undefined {
    for (let stream = this.#streams.shift(); stream !== undefined; stream = this.#streams.shift()) {
      if (!stream.gone) return stream;
    }
    return undefined;
  }

  /**
   * Calls `stop` when the runtime is likely to have taken from the system all that there is: in the very turn, so that the
   * system has hardly any time to establish one more.
   *
   * @param takesAll Whether the runtime takes all there are in one turn: then the next arrival is the best moment. Otherwise
   * it is when some turns have brought nothing.
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
        if (quiet === quietTurns[takesAll ? "all" : "one"] || ++turns === mostTurns) done();
        else next();
      }, reject);
      let timer: NodeJS.Timeout;
      // A turn without time is over before any input is looked for, on Deno; and an immediate comes right after that.
      const next = () => timer = setTimeout(() => setImmediate(look), 1);
      next();
      if (takesAll) this.#onArrival = () => setImmediate(done);
    });
  }

  /** Resets all. */
  abort(): void {
    for (const stream of this.#streams) stream.abort();
    this.#streams = [];
  }
}
