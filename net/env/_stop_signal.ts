// Copyright 2026 the Sluice authors. MIT license.

import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { CancelHook, refused } from "../../switch/internal.ts";

/** The signals that end a program, with their numbers. */
const signals = { SIGINT: 2, SIGTERM: 15 } as const;

type SignalName = keyof typeof signals;

const names = Object.keys(signals) as SignalName[];

/** A subscription to the signals that end a program. */
export interface StopSignal {
  /** Waits for the first signal, until the current scope is cancelled. */
  wait(): Promise<string>;
  /** Unsubscribes. Pending waits stay pending. */
  close(): void;
}

/**
 * Subscribes to the signals that end a program. The first signal unsubscribes, so that a second one
 * ends the process by the system's default action. The first process of a container has no default
 * action: it stays subscribed, and exits explicitly.
 */
export function openStopSignal(): StopSignal {
  const waiting = new Set<{ readonly hook: CancelHook; resolve(name: string): void }>();
  // On Node a signal listener does not keep the process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  let received: string | undefined;
  const onSignal = (name: SignalName) => {
    if (received !== undefined) process.exit(128 + signals[name]); // as a shell reports a signal
    received = name;
    clearInterval(alive);
    if (process.pid !== 1) unsubscribe();
    for (const { hook, resolve } of waiting) {
      hook.remove();
      resolve(name);
    }
    waiting.clear();
  };
  const unsubscribe = () => names.forEach((name) => process.off(name, onSignal));
  names.forEach((name) => process.on(name, onSignal));
  return {
    wait: () => {
      const refusal = refused();
      if (refusal !== undefined) return refusal;
      if (received !== undefined) return Promise.resolve(received);
      const promise = new Promise<string>((resolve, reject) => {
        const hook = new CancelHook("stop", (reason) => {
          hook.remove();
          waiting.delete(waiter);
          reject(reason);
        });
        const waiter = { hook, resolve };
        waiting.add(waiter);
      });
      promise.catch(() => {}); // often passed on, and awaited late or never
      return promise;
    },
    close: () => {
      clearInterval(alive);
      unsubscribe();
      for (const { hook } of waiting) hook.remove();
    },
  };
}
