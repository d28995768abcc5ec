// Copyright 2026 the Sluice authors. MIT license.

import { currentScope, runIn, type Timer, type TimeSource } from "../../../../switch/internal.ts";
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
      let isCancelled = false; // it may happen after the end of the engine
      const event = engine.addTurn(() => isCancelled || runIn(scope, fn));
      return () => {
        isCancelled = true;
        engine.cancel(event);
      };
    },
  };
}

class VirtualTimer implements Timer {
  readonly #engine: Engine;
  readonly #ms: number;
  readonly #ring: () => void;
  #event: QueuedEvent;
  #isStopped = false;

  constructor(engine: Engine, ms: number, ring: () => void) {
    const scope = currentScope();
    this.#engine = engine;
    this.#ms = ms;
    this.#ring = () => {
      if (this.#isStopped) return; // after the end of the engine
      engine.wake();
      runIn(scope, ring);
    };
    this.#event = engine.startTimer(ms, this.#ring);
  }

  stop(): void {
    this.#isStopped = true;
    this.#engine.cancel(this.#event);
  }

  restart(): void {
    this.stop();
    this.#isStopped = false;
    this.#event = this.#engine.startTimer(this.#ms, this.#ring);
  }

  unref(): void {}
}
