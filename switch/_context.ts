// Copyright 2026 the Sluice authors. MIT license.

/**
 * The async context, which holds the scope of the running code, and macrotasks: the only file of
 * `switch/` that imports a runtime's modules. The context follows every `await`. On Deno it can be
 * lost in socket callbacks, so none of them reads it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { clearImmediate, clearTimeout, setImmediate, setTimeout } from "node:timers";

/** The scope in which the running code was started, finished or not. */
export const storage: AsyncLocalStorage<unknown> = new AsyncLocalStorage();

/** What one timer of a runtime can wait for at most: about 24 days. Set to more, it rings at once. */
export const longestTimer: number = 2 ** 31 - 1;

/** A timer that rings once. */
export interface Timer {
  /** Never rings again. */
  stop(): void;
  /** Starts the time again, also after the timer has rung. */
  restart(): void;
  /** Lets the process end although the timer has not rung. */
  unref(): void;
}

/** Where time comes from. */
export interface TimeSource {
  /** The real time: milliseconds since 1970, monotonic within the process. */
  now(): number;
  /** See {@linkcode startTimer}. */
  startTimer(ms: number, ring: () => void): Timer;
  /** See {@linkcode macrotask}. */
  macrotask(fn: () => void): () => void;
}

class SystemTimer implements Timer {
  readonly #handle: ReturnType<typeof setTimeout>;

  constructor(ms: number, ring: () => void) {
    this.#handle = setTimeout(ring, ms);
  }

  stop(): void {
    clearTimeout(this.#handle);
  }

  restart(): void {
    this.#handle.refresh();
  }

  unref(): void {
    this.#handle.unref();
  }
}

const systemTime: TimeSource = {
  now: () => performance.timeOrigin + performance.now(),
  startTimer: (ms, ring) => new SystemTimer(ms, ring),
  macrotask(fn) {
    const handle = setImmediate(fn);
    return () => clearImmediate(handle);
  },
};

let time = systemTime;

/** Takes time from elsewhere, or with `undefined` from the system again. */
export function useTime(other: TimeSource | undefined): void {
  time = other ?? systemTime;
}

/** The real time: milliseconds since 1970, monotonic within the process. */
export function realTime(): number {
  return time.now();
}

/** Calls `ring` once, after `ms` milliseconds, or {@linkcode longestTimer} if that is shorter. */
export function startTimer(ms: number, ring: () => void): Timer {
  return time.startTimer(Math.min(ms, longestTimer), ring);
}

/**
 * Calls `fn` in a later turn of the event loop, after pending input is processed. Returns a
 * function that cancels the call.
 */
export function macrotask(fn: () => void): () => void {
  return time.macrotask(fn);
}
