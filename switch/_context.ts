// Copyright 2026 the Sluice authors. MIT license.

/**
 * The async context, which holds the scope of the running code, and the source of time, which tests
 * can replace: all code outside the backends uses it for delays and turns of the event loop. No
 * other file of `switch/` imports a runtime's modules. The context follows every `await`. Socket
 * callbacks do not read it, because Deno can lose it there.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { clearImmediate, clearTimeout, setImmediate, setTimeout } from "node:timers";

/** The scope in which the running code was started, finished or not. */
export const storage: AsyncLocalStorage<unknown> = new AsyncLocalStorage();

/** The longest delay of a runtime's timer, about 24 days. With a longer one, it fires at once. */
export const longestTimer: number = 2 ** 31 - 1;

/** A one-shot timer. */
export interface Timer {
  /** Stops the timer for good. */
  stop(): void;
  /** Restarts the delay, even if the timer has fired. */
  restart(): void;
  /** Lets the process exit while the timer is armed. */
  unref(): void;
}

/** A source of time. */
export interface TimeSource {
  /** See {@linkcode realTime}. */
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
    let due = true;
    macrotasks++;
    const take = () => {
      if (!due) return false;
      due = false;
      macrotasks--;
      return true;
    };
    const handle = setImmediate(() => {
      if (take()) fn();
    });
    return () => {
      if (take()) clearImmediate(handle);
    };
  },
};

let macrotasks = 0;

let time = systemTime;

/**
 * Replaces the source of time; `undefined` restores the system's. Returns the one that was
 * replaced.
 */
export function useTime(replacement: TimeSource | undefined): TimeSource {
  const replaced = time;
  time = replacement ?? systemTime;
  return replaced;
}

/** Reports whether the source of time is the system's. */
export function isSystemTime(): boolean {
  return time === systemTime;
}

/** Returns the milliseconds since the Unix epoch, monotonic within the process. */
export function realTime(): number {
  return time.now();
}

/** Calls `ring` once, after `ms` milliseconds, but at most {@linkcode longestTimer}. */
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

/** Reports whether calls of {@linkcode macrotask} are pending in the real event loop. */
export function hasMacrotasks(): boolean {
  return macrotasks > 0;
}
