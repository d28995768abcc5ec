// Copyright 2026 the Sluice authors. MIT license.

import { type Labelled, registerOwner, type Switch, type Waiter, WaitQueue } from "../../switch/internal.ts";

/** Frees a place. Further calls do nothing. */
export type Place = () => void;

/**
 * Places for sockets. An `accept` waits for one, in FIFO order; everything else takes a free one.
 */
export class Places {
  #free: number;
  readonly #waiting: WaitQueue<Place | undefined> = new WaitQueue();

  constructor(max: number) {
    this.#free = max;
  }

  /** Takes a place, or returns `undefined` if none is free. */
  take(): Place | undefined {
    if (this.#free === 0) return undefined;
    this.#free--;
    return this.#place();
  }

  /** Returns the `accept` calls of one listener. */
  acceptors(listener: Labelled): Acceptors {
    return new Acceptors(this.#waiting, listener);
  }

  #place(): Place {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      // A waiting call takes the place over.
      if (this.#waiting.empty) this.#free++;
      else this.#waiting.wakeOne(this.#place());
    };
  }
}

/** The `accept` calls of one listener that wait for a place. */
export class Acceptors {
  readonly #queue: WaitQueue<Place | undefined>;
  readonly #listener: Labelled;
  readonly #waiting: Set<Waiter<Place | undefined>> = new Set();

  constructor(queue: WaitQueue<Place | undefined>, listener: Labelled) {
    this.#queue = queue;
    this.#listener = listener;
  }

  /**
   * Waits for a place in the current scope.
   *
   * @returns The place, or `undefined` if the listener was closed, or `sw` has ended, meanwhile.
   */
  async wait(sw: Switch): Promise<Place | undefined> {
    let giveUp = () => {};
    const hook = registerOwner(sw, "accept", { release: () => giveUp(), label: this.#listener.label });
    const waiter = this.#queue.add("accept", undefined, this.#listener);
    giveUp = () => this.#giveUp(waiter);
    this.#waiting.add(waiter);
    try {
      return await waiter.promise;
    } finally {
      this.#waiting.delete(waiter);
      hook.remove();
    }
  }

  /** Ends the waits, because the listener is closed. */
  end(): void {
    for (const waiter of [...this.#waiting]) this.#giveUp(waiter);
  }

  #giveUp(waiter: Waiter<Place | undefined>): void {
    if (this.#queue.remove(waiter)) waiter.resolve(undefined);
  }
}
