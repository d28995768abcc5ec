// Copyright 2026 the Sluice authors. MIT license.

import { availableParallelism } from "node:os";
import { describe, hideClass } from "../../base/internal.ts";
import type { Net, UdpAddress } from "../mod.ts";

/**
 * The capability to run code in other threads, each with the whole system's network: `runWorkers`
 * uses it. Nothing of a thread is loaded before.
 *
 * Source: Eio's `Domain_manager`.
 */
export interface WorkerManager {
  /** How many threads the machine can run at once. */
  readonly parallelism: number;
}

/** One thread. Its events can come until {@linkcode ThreadEvents.exited}, which is the last. */
export interface Thread {
  /** Sends a message. Has no effect once the thread has ended. */
  post(message: unknown): void;
  /** Ends the thread, whatever it is doing. */
  terminate(): void;
}

/** What happens in a thread. */
export interface ThreadEvents {
  message(message: unknown): void;
  /** Nothing in the thread has caught an error, which ends it. */
  failed(error: unknown): void;
  exited(code: number): void;
}

/** What a {@linkcode WorkerManager} grants. */
export interface Threads {
  /** The network that each thread has too. */
  readonly net: Net;
  /** The servers by which it resolves names. */
  readonly nameServers: readonly UdpAddress[] | undefined;
  /**
   * Starts a thread.
   *
   * @param module The URL of the module that it runs.
   * @param data A value that can be cloned, which the module finds as `workerData`.
   */
  start(module: URL, data: unknown, events: ThreadEvents): Promise<Thread>;
}

/** Returns what `manager` grants. Throws `TypeError` for any other value, or after its `run`. */
export let threadsOf: (action: string, manager: unknown) => Threads;

class Manager implements WorkerManager {
  static {
    threadsOf = (action, manager) => {
      if (typeof manager === "object" && manager !== null && #open in manager) return manager.#open();
      throw new TypeError(`Cannot ${action} as workers must be env.workers: current value is ${describe(manager)}`);
    };
    hideClass(this);
  }

  readonly #open: () => Threads;

  constructor(open: () => Threads) {
    this.#open = open;
    Object.freeze(this);
  }

  get parallelism(): number {
    return availableParallelism();
  }
}

/** Makes a manager. `open` is called for each use, and can refuse it. */
export function createWorkerManager(open: () => Threads): WorkerManager {
  return new Manager(open);
}

/** Starts threads of the runtime, whose module for them is loaded with the first. */
export async function startThread(module: URL, data: unknown, events: ThreadEvents): Promise<Thread> {
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(module, { workerData: data });
  let hasExited = false;
  worker.on("message", (message) => events.message(message));
  worker.on("messageerror", (error) => events.failed(error));
  worker.on("error", (error) => events.failed(error));
  worker.on("exit", (code) => {
    hasExited = true;
    events.exited(code);
  });
  return {
    post: (message) => {
      if (!hasExited) worker.postMessage(message);
    },
    terminate: () => void worker.terminate(),
  };
}
