// Copyright 2026 the Sluice authors. MIT license.

import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { CancelHook, refused } from "../../switch/internal.ts";

/** The signals that end a program, and their numbers. */
const signals = { SIGINT: 2, SIGTERM: 15 } as const;

type SignalName = keyof typeof signals;

const names = Object.keys(signals) as SignalName[];

/** What hears the signals that end a program. */
export interface StopSignal {
  /** Waits for the first one, but not longer than the current scope lives. */
  wait(): Promise<string>;
  /** Stops listening. Nothing wakes those that still wait. */
  close(): void;
}

/**
 * Listens for the signals that end a program, until the first one: the second one ends the process
 * at once, by the system's own way. That is not there for the first process of a container, so that
 * one exits by itself.
 */
export function openStopSignal(): StopSignal {
  const waiting = new Set<{ readonly hook: CancelHook; resolve(name: string): void }>();
  const alive = setInterval(() => {}, 2 ** 30); // on Node waiting for a signal alone keeps no program running
  let heard: string | undefined;
  const hear = (name: SignalName) => {
    if (heard !== undefined) process.exit(128 + signals[name]); // as a shell reports a signal
    heard = name;
    clearInterval(alive);
    if (process.pid !== 1) forget();
    for (const { hook, resolve } of waiting) {
      hook.remove();
      resolve(name);
    }
    waiting.clear();
  };
  const forget = () => names.forEach((name) => process.off(name, hear));
  names.forEach((name) => process.on(name, hear));
  return {
    wait: () => {
      const refusal = refused();
      if (refusal !== undefined) return refusal;
      if (heard !== undefined) return Promise.resolve(heard);
      const promise = new Promise<string>((resolve, reject) => {
        const hook = new CancelHook("stop", (reason) => {
          hook.remove();
          waiting.delete(waiter);
          reject(reason);
        });
        const waiter = { hook, resolve };
        waiting.add(waiter);
      });
      promise.catch(() => {}); // often handed on, and awaited late or never
      return promise;
    },
    close: () => {
      clearInterval(alive);
      forget();
      for (const { hook } of waiting) hook.remove();
    },
  };
}
