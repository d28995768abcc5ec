// Copyright 2026 the Sluice authors. MIT license.

import type { ProviderStream } from "../provider.ts";

/** A connection that the system may have closed already. */
interface Waiting extends ProviderStream {
  readonly gone: boolean;
}

/** What a listener that accepts by itself has accepted and nobody has taken, up to the backlog. */
export class Unclaimed<S extends Waiting> {
  /** How many had no place, and were reset. */
  dropped = 0;
  readonly #backlog: number;
  #streams: S[] = [];

  constructor(backlog: number) {
    this.#backlog = backlog;
  }

  /** Keeps `stream`, or resets it where there is no place. Whether it was kept. */
  add(stream: S): boolean {
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

  /** Resets all. */
  abort(): void {
    for (const stream of this.#streams) stream.abort();
    this.#streams = [];
  }
}
