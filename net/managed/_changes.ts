// Copyright 2026 the Sluice authors. MIT license.

import { type Labelled, refused, WaitQueue } from "../../switch/internal.ts";
import { addWatch } from "../internal.ts";

/** The changes of a connection or a set, for `changed` and for `waitAny`. */
export class Changes {
  readonly #waits: WaitQueue<void> = new WaitQueue();
  readonly #wakes: Set<() => void> = new Set();
  readonly #canChange: () => boolean;

  /** Makes `subject` one that can be watched, until it can change no more. */
  constructor(subject: object, canChange: () => boolean) {
    this.#canChange = canChange;
    addWatch(subject, (wake) => {
      if (!canChange()) return undefined;
      this.#wakes.add(wake);
      return () => this.#wakes.delete(wake);
    });
  }

  /** Waits for the next change, unless none can come. */
  next(subject: Labelled): Promise<void> {
    return refused() ?? (this.#canChange() ? this.#waits.wait("changed", undefined, subject) : Promise.resolve());
  }

  /** Notifies what waits. */
  note(): void {
    this.#waits.wakeAll();
    for (const wake of [...this.#wakes]) wake();
  }
}
