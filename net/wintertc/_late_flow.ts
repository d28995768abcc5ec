// Copyright 2026 the Sluice authors. MIT license.

import {
  type Borrower,
  cancellableSource,
  lend,
  type LendingSource,
  lends,
  type ShutdownHow,
  type TwoWay,
} from "../../flow/internal.ts";
import { interruptible } from "../../switch/internal.ts";
import type { Connection } from "../internal.ts";
import { socketErrorOf } from "./_failure.ts";

/** What a {@linkcode LateFlow} reports. */
export interface LateFlowEvents {
  /** A read found the end. */
  received(): void;
  /** Sending was shut down. */
  sent(): void;
  /** A read failed, with the error to report. */
  broke(failure: unknown, cause: unknown): void;
}

/**
 * A connection that is used before it has opened: each operation waits until then. Its errors are
 * those of the socket.
 */
export class LateFlow implements TwoWay, LendingSource {
  readonly #opening: Promise<Connection>;
  readonly #events: LateFlowEvents;
  #flow: Connection | undefined;
  #source: LendingSource | undefined;

  constructor(opening: Promise<Connection>, events: LateFlowEvents) {
    this.#opening = opening;
    this.#events = events;
  }

  /** Not called: the streams borrow. */
  async read(buffer: Uint8Array): Promise<number | null> {
    return await (await this.#open()).read(buffer);
  }

  async [lend](use: Borrower): Promise<number | null> {
    const flow = this.#flow ?? await this.#open();
    try {
      this.#source ??= lends(flow) ? flow : cancellableSource(flow);
      const count = await this.#source[lend](use);
      if (count === null) this.#events.received();
      return count;
    } catch (cause) {
      const failure = socketErrorOf(cause);
      this.#events.broke(failure, cause);
      throw failure;
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const flow = this.#flow ?? await this.#open();
    try {
      return await flow.write(bytes);
    } catch (cause) {
      throw socketErrorOf(cause);
    }
  }

  async shutdown(how: ShutdownHow): Promise<void> {
    const flow = this.#flow ?? await this.#open();
    try {
      await flow.shutdown(how);
      this.#events.sent();
    } catch (cause) {
      throw socketErrorOf(cause);
    }
  }

  async #open(): Promise<Connection> {
    return this.#flow = await interruptible(this.#opening);
  }
}
