// Copyright 2026 the Sluice authors. MIT license.

import { setImmediate } from "node:timers";
import type { ProviderStream } from "../provider.ts";

/**
 * A runtime may take one connection from the system in each turn of the event loop: several turns in a row that bring none
 * mean that there is none. Under a load that never pauses, this is not waited for longer than so many turns.
 */
const quietTurns = 3;
const mostTurns = 200;

/** A connection that the system may have closed already. */
interface Waiting extends ProviderStream {
  readonly gone: boolean;
}

/** What a listener that accepts by itself has accepted and nobody has taken, up to the backlog. */
export class Unclaimed<S extends Waiting> {
  /** How many had no place, and were reset. */
  dropped = 0;
  readonly #backlog: number;
  #arrived = 0;
  #streams: S[] = [];

  constructor(backlog: number) {
    this.#backlog = backlog;
  }

  /** Keeps `stream`, or resets it where there is no place. Whether it was kept. */
  add(stream: S): boolean {
    this.#arrived++;
    // What the other side has reset meanwhile takes no place.
    if (this.#streams.length >= this.#backlog) this.#streams = this.#streams.filter(({ gone }) => !gone);
    if (this.#streams.length < this.#backlog) {
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

  /** Waits until the runtime brings no more for some turns. */
  async quiet(): Promise<void> {
    for (let turn = 0, quiet = 0; turn < mostTurns && quiet < quietTurns; turn++) {
      const before = this.#arrived;
      await new Promise<void>((resolve) => setImmediate(resolve));
      quiet = this.#arrived === before ? quiet + 1 : 0;
    }
  }

  /** Resets all. */
  abort(): void {
    for (const stream of this.#streams) stream.abort();
    this.#streams = [];
  }
}
