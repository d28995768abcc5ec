// Copyright 2026 the Sluice authors. MIT license.

import { currentScope, longestTimer, runIn, type Timer, type TimeSource } from "../../../../switch/internal.ts";
import type { Engine } from "./engine.ts";
import type { QueuedEvent } from "./_event_queue.ts";

/**
 * The time of a simulation as the library's source of time: every timer and turn of the library is
 * an event. Callbacks run in the scope in which they were requested, as with timers of a runtime.
 */
export function virtualTime(engine: Engine): TimeSource {
  return {
    now: () => engine.now,
    startTimer: (ms, ring) => new VirtualTimer(engine, ms, ring),
    macrotask(fn) {
      const scope = currentScope();
      const event = engine.addTurn(() => runIn(scope, fn));
      return () => engine.cancel(event);
    },
  };
}

class VirtualTimer implements Timer {
  readonly #engine: Engine;
  readonly #ms: number;
  readonly #ring: () => void;
  #event: QueuedEvent;

  constructor(engine: Engine, ms: number, ring: () => void) {
    const scope = currentScope();
    this.#engine = engine;
    this.#ms = ms;
    this.#ring = () => {
      engine.wake();
      runIn(scope, ring);
    };
    this.#event = this.#start();
  }

  stop(): void {
    this.#engine.cancel(this.#event);
  }

  restart(): void {
    this.stop();
    this.#event = this.#start();
  }

  unref(): void {}

  /** The longest timer is a part of a longer one: nothing is due at its end. */
  #start(): QueuedEvent {
    return this.#engine.after(this.#ms, this.#ring, this.#ms >= longestTimer);
  }
}
