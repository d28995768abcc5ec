// Copyright 2026 the Sluice authors. MIT license.

import { type Linked, List } from "../../../base/internal.ts";
import type { ProviderStream } from "../../provider/internal.ts";
import { AcceptWatch } from "./_accept_watch.ts";

/** A connection that the system may have closed already. */
interface Waiting extends ProviderStream {
  readonly gone: boolean;
}

/** The accepted connections of a listener that `accept()` has not taken yet, up to the backlog. */
export class AcceptBacklog<S extends Waiting & Linked<S>> {
  /** How many connections were reset because the backlog was full. */
  dropped = 0;
  readonly #capacity: number;
  readonly #watch: AcceptWatch = new AcceptWatch();
  readonly #streams: List<S> = new List();
  #size = 0;

  constructor(backlog: number) {
    this.#capacity = backlog;
  }

  /** Adds `stream`, or resets it if the backlog is full. Returns whether it was added. */
  add(stream: S): boolean {
    this.#watch.arrived();
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

  /** See {@linkcode AcceptWatch.whenTaken}. */
  whenTaken(takesAll: boolean, stop: () => void | Promise<void>): Promise<void> {
    return this.#watch.whenTaken(takesAll, stop);
  }

  /** Resets all connections. */
  abort(): void {
    for (const stream of this.#streams.toArray()) {
      this.#remove(stream);
      stream.abort();
    }
  }
}
