// Copyright 2026 the Sluice authors. MIT license.

import { clearTimeout, setTimeout } from "node:timers";

/** Tells when nothing has happened for a while, once, and again after the next thing has happened. It keeps no process running. */
export class IdleTimer {
  readonly #ring: () => void;
  #ms = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** After how many milliseconds it rings; 0 is never. */
  get ms(): number {
    return this.#ms;
  }

  /** Sets that, from now on. */
  set(ms: number): void {
    this.stop();
    this.#ms = ms;
    if (ms > 0) this.#timer = setTimeout(this.#ring, ms).unref();
  }

  /** Something has happened. */
  touch(): void {
    this.#timer?.refresh();
  }

  /** Never rings again. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
