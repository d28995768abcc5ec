// Copyright 2026 the Sluice authors. MIT license.

import { ignore, isSilent } from "../../flow/internal.ts";
import { hasEnded, type Labelled, type Switch, Waiter } from "../../switch/internal.ts";
import type { StreamSocket } from "../internal.ts";
import { discard } from "./_lifetime.ts";

/** A pending `accept` call, and the switch that will own its connection. */
interface Acceptor {
  readonly sw: Switch;
  readonly waiter: Waiter<StreamSocket>;
}

/** A connection that arrived after its caller was cancelled, and its owner. */
interface Late {
  readonly sw: Switch;
  readonly connection: StreamSocket;
}

/**
 * Pending `accept` calls of a wrapped listener. A wrapper takes some turns longer than the listener
 * inside: if a connection arrives after its caller was cancelled, it is kept for the next caller
 * with the same switch, so that none is lost.
 */
export class Accepting {
  readonly #accept: (sw: Switch) => Promise<StreamSocket>;
  readonly #subject: Labelled;
  readonly #waiting: Set<Acceptor> = new Set();
  readonly #late: Set<Late> = new Set();
  #closed = false;

  constructor(accept: (sw: Switch) => Promise<StreamSocket>, subject: Labelled) {
    this.#accept = accept;
    this.#subject = subject;
  }

  /** Waits for a connection in the current scope, which has not been cancelled. */
  next(sw: Switch): Promise<StreamSocket> {
    for (const late of this.#late) {
      if (late.sw !== sw) continue;
      this.#late.delete(late);
      return Promise.resolve(late.connection);
    }
    const waiter: Waiter<StreamSocket> = new Waiter("accept", (_, reason) => {
      this.#waiting.delete(acceptor);
      waiter.reject(reason);
    }, this.#subject);
    const acceptor: Acceptor = { sw, waiter };
    this.#waiting.add(acceptor);
    this.#accept(sw).then((connection) => this.#arrived(sw, connection), (error) => {
      this.#waiting.delete(acceptor);
      if (isSilent(error)) waiter.promise.catch(ignore);
      waiter.reject(error);
    });
    return waiter.promise;
  }

  /** Whether a connection that arrived late waits for a caller. */
  get hasLate(): boolean {
    return this.#late.size > 0;
  }

  /** Closes connections that no caller has taken. */
  close(): void {
    this.#closed = true;
    for (const { connection } of this.#late) discard(connection);
    this.#late.clear();
  }

  /** Passes a connection to the oldest caller with the same switch. */
  #arrived(sw: Switch, connection: StreamSocket): void {
    for (const acceptor of this.#waiting) {
      if (acceptor.sw !== sw) continue;
      this.#waiting.delete(acceptor);
      return acceptor.waiter.resolve(connection);
    }
    for (const late of this.#late) if (hasEnded(late.sw)) this.#late.delete(late); // closed by its switch
    if (this.#closed || hasEnded(sw)) discard(connection);
    else this.#late.add({ sw, connection });
  }
}
