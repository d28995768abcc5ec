// Copyright 2026 the Sluice authors. MIT license.

import { hideClass } from "../switch/freeze.ts";
import type { StreamEvents } from "./stream_end.ts";

/** What is told of a stream's end, from the first notification to the last. */
interface Told extends StreamEvents {
  /** What is under it is gone. */
  closed(): void;
}

/** What the end of a stream is handed: its notifications, and no way to the stream. */
class Events implements Told {
  static {
    hideClass(this);
  }

  readonly #stream: Told;

  constructor(stream: Told) {
    this.#stream = stream;
    Object.freeze(this);
  }

  readable(): void {
    this.#stream.readable();
  }

  writable(): void {
    this.#stream.writable();
  }

  closed(): void {
    this.#stream.closed();
  }
}

/** The notifications of a stream, to hand to an end that may be code of users. */
export function eventsOf(stream: Told): Told {
  return new Events(stream);
}
