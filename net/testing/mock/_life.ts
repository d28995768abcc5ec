// Copyright 2026 the Sluice authors. MIT license.

import { open } from "../../../base/internal.ts";
import { type Closable, ClosedError } from "../../../flow/internal.ts";
import type { Hook } from "../../../switch/internal.ts";
import type { MockLog } from "./_mock_log.ts";

const lives: WeakMap<object, Life> = new WeakMap();

/** The life of a mock: it is open until it is closed, and may belong to switches. */
export class Life {
  readonly #log: MockLog;
  readonly #kind: "sockets" | "listeners";
  readonly #ended: () => void;
  readonly #hooks: Hook[] = [];
  #state: string | undefined;
  #options: ErrorOptions | undefined;

  /** `ended` is called when it is closed, to fail what waits. */
  constructor(mock: object, log: MockLog, kind: "sockets" | "listeners", ended: () => void) {
    this.#log = log;
    this.#kind = kind;
    this.#ended = ended;
    lives.set(mock, this);
  }

  /** Whether it was closed. */
  get isOver(): boolean {
    return this.#state !== undefined;
  }

  /** Returns the error of an operation after the end. */
  closedError(operation: string): ClosedError {
    return new ClosedError(operation, this.#state, { ...this.#options, flow: this.#log.label });
  }

  /** Makes `hook` release the mock, and counts it as open. */
  own(hook: Hook): void {
    if (this.isOver) return void hook.remove();
    hook.resource = { release: () => this.end("closed", "its switch has ended"), label: this.#log.label };
    if (this.#hooks.push(hook) === 1) open[this.#kind]++;
  }

  /** Closes the mock by its own `close`. */
  close(): Promise<void> {
    this.end("closed", "closed by this side");
    return Promise.resolve();
  }

  /** Ends it once, and logs the verb. */
  end(verb: "closed" | "aborted", state: string, options?: ErrorOptions): void {
    if (this.isOver) return;
    this.#state = state;
    this.#options = options;
    this.#log.note(verb);
    if (this.#hooks.length > 0) open[this.#kind]--;
    for (const hook of this.#hooks) hook.remove();
    this.#ended();
  }
}

/** Makes `hook` release what a mock network has opened, which may be any resource. */
export function ownBy<T extends Closable>(hook: Hook, resource: T, label: string): T {
  const life = lives.get(resource);
  if (life !== undefined) life.own(hook);
  else hook.resource = { release: () => resource.close(), label };
  return resource;
}
