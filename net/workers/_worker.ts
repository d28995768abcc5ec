// Copyright 2026 the Sluice authors. MIT license.

import type { Thread, Threads } from "../env/internal.ts";
import { errorFrom } from "./_errors.ts";
import type { Command, Notice, SentConnection } from "./_messages.ts";
import type { WorkerStart } from "./_thread.ts"; // its code runs in the thread only

/** What happens in a worker, for the crew that it belongs to. */
export interface WorkerEvents {
  wanted(worker: Worker): void;
  freed(): void;
  /** A handler has failed. The worker is told when that has been reported. */
  error(worker: Worker, notice: Notice & { readonly type: "error" }): void;
  connections(worker: Worker, list: readonly SentConnection[]): void;
  /** The thread has ended. Comes last. */
  exited(worker: Worker, exit: Exit): void;
}

/** How a worker ended. */
export interface Exit {
  /** Why it died; `undefined` if its server ended as it was told to. */
  readonly error: unknown;
  readonly drained: number;
  readonly forced: number;
}

/** The module of the thread, beside this one: a source, or a file of the package. */
const threadModule: URL = new URL(`./_thread${/\.ts$/.test(import.meta.url) ? ".ts" : ".js"}`, import.meta.url);

/** The main thread's side of a worker. */
export class Worker {
  readonly index: number;
  /** The address on which it listens. Rejects if it ends before. */
  readonly listening: Promise<string>;
  readonly exited: Promise<Exit>;
  readonly #events: WorkerEvents;
  #thread: Thread | undefined;
  #resolveListening: (address: string) => void = () => {};
  #rejectListening: (error: unknown) => void = () => {};
  #resolveExited: (exit: Exit) => void = () => {};
  #isListening = false;
  #isTerminated = false;
  #hasAnswered = false;
  #exit: Exit | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(index: number, events: WorkerEvents) {
    this.index = index;
    this.#events = events;
    this.listening = new Promise((resolve, reject) => {
      this.#resolveListening = resolve;
      this.#rejectListening = reject;
    });
    this.listening.catch(() => {}); // of a replacement, nothing waits for it
    this.exited = new Promise((resolve) => this.#resolveExited = resolve);
  }

  /** Whether it has listened, so that it can have connections. */
  get isListening(): boolean {
    return this.#isListening;
  }

  /** Whether it has received that it is to stop. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** Starts the thread. Never rejects: a thread that cannot start is one that has ended. */
  async start(threads: Threads, start: WorkerStart): Promise<void> {
    const failed = (error: unknown) => {
      this.#failure ??= { error };
    };
    const exited = (code: number) => this.#exited(code);
    try {
      const message = (notice: unknown) => this.#received(notice as Notice);
      this.#thread = await threads.start(threadModule, start, { message, failed, exited });
    } catch (error) {
      failed(error);
      exited(1);
    }
    if (this.#isTerminated) this.#thread?.terminate();
  }

  tell(command: Command): void {
    this.#thread?.post(command);
  }

  /** Ends the thread, whatever it is doing. `reason` is why, if that is worth a report. */
  terminate(reason?: Error): void {
    if (reason !== undefined) this.#failure ??= { error: reason };
    this.#isTerminated = true;
    this.#thread?.terminate();
  }

  #received(notice: Notice): void {
    switch (notice.type) {
      case "listening":
        this.#isListening = true;
        return this.#resolveListening(notice.address);
      case "wanted":
        return this.#events.wanted(this);
      case "freed":
        return this.#events.freed();
      case "error":
        return this.#events.error(this, notice);
      case "connections":
        return this.#events.connections(this, notice.list);
      case "stopping":
        this.#hasAnswered = true;
        return;
      case "ended": {
        const { drained, forced, error } = notice;
        this.#exit = { drained, forced, error: error && errorFrom(error) };
        return this.terminate();
      }
    }
  }

  #exited(code: number): void {
    const error = this.#failure === undefined ? new Error(`The thread exited with code ${code}`) : this.#failure.error;
    const exit = this.#exit ?? { error, drained: 0, forced: 0 };
    this.#events.exited(this, exit);
    this.#rejectListening(exit.error ?? new Error("Cannot start a worker: it was told to stop"));
    this.#resolveExited(exit);
  }
}
