// Copyright 2026 the Sluice authors. MIT license.

import { open } from "../../../base/internal.ts";
import type { ProviderListener, ProviderListenerEvents } from "../../provider/internal.ts";
import type { StreamAddress } from "../../mod.ts";
import type { MemoryStream } from "./_stream.ts";

/** A client that connects. */
export interface Caller {
  /** The server's end of the connection. */
  readonly stream: MemoryStream;
  /** The connection is made. */
  admitted(): void;
  /** The listener has closed before it had room. */
  refused(): void;
}

/** A listener in memory: up to `backlog` connections wait to be accepted, and more clients wait to be connected. */
export class MemoryListener implements ProviderListener {
  readonly address: StreamAddress;
  readonly dropped = 0;
  readonly #backlog: number;
  readonly #release: () => void;
  /** In the order in which they came: the first `backlog` are connected. */
  readonly #callers: Caller[] = [];
  #events: ProviderListenerEvents | undefined;

  /** `release` frees the address. */
  constructor(address: StreamAddress, backlog: number, release: () => void) {
    open.listeners++;
    this.address = address;
    this.#backlog = backlog;
    this.#release = release;
  }

  /** Whether a client has to wait. */
  get isFull(): boolean {
    return this.#callers.length >= this.#backlog;
  }

  attach(events: ProviderListenerEvents): void {
    this.#events = events;
  }

  /** Lets a client in, now or as soon as there is room. */
  take(caller: Caller): void {
    const full = this.isFull;
    this.#callers.push(caller);
    caller.stream.onGone = () => this.#remove(caller);
    if (!full) this.#admit(caller);
  }

  accept(): MemoryStream | undefined {
    const caller = this.#callers[0];
    if (caller === undefined) return undefined;
    open.sockets++;
    caller.stream.onGone = () => open.sockets--;
    this.#remove(caller);
    return caller.stream;
  }

  close(): Promise<void> {
    open.listeners--;
    this.#release();
    this.#callers.splice(0).forEach((caller, index) => {
      if (index < this.#backlog) caller.stream.abort();
      else caller.refused();
    });
    return Promise.resolve();
  }

  #admit(caller: Caller): void {
    caller.admitted();
    this.#events?.acceptable();
  }

  #remove(caller: Caller): void {
    const index = this.#callers.indexOf(caller);
    if (index < 0) return;
    this.#callers.splice(index, 1);
    const next = this.#callers[this.#backlog - 1];
    if (index < this.#backlog && next !== undefined) this.#admit(next);
  }
}
