// Copyright 2026 the Sluice authors. MIT license.

import { hideClass } from "../base/internal.ts";
import type { StreamEnd, StreamEvents } from "./provider.ts";

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

/** The most that one write copies, in bytes. */
export const writeLimit: number = 64 * 1024;

/** The sending half of an end that only receives. */
export const noSink: Pick<StreamEnd, "write" | "give" | "end" | "drop" | "flushed"> = {
  write: () => 0,
  give: () => 0,
  end: () => {},
  drop: () => {},
  flushed: true,
};

/** The receiving half of an end that only sends. */
export const noSource: Pick<StreamEnd, "peek" | "consume" | "drop"> = {
  peek: () => null,
  consume: () => {},
  drop: () => {},
};

/** Tells the ends of one class, by a private field: no other object can pass for one. */
type Test = (end: object) => boolean;

const tests: Test[] = [];

/**
 * Registers a class of ends that lend only what the runtime has made for one chunk: plain bytes in
 * memory that nothing else can reach. It is not a property, which any provider could claim.
 */
export function registerOwners(test: Test): void {
  tests.push(test);
}

/** Whether only `end` and its borrowers can reach the memory of what it lends. */
export function ownsMemory(end: object): boolean {
  return tests.some((test) => test(end));
}
