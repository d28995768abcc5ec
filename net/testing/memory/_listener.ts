// Copyright 2026 the Sluice authors. MIT license.

import type { Attempt } from "../../internal.ts";
import type { ProviderListener, ProviderListenerEvents, ProviderStream } from "../../provider/internal.ts";
import type { StreamAddress } from "../../mod.ts";
import { MemoryStream } from "./_stream.ts";
import { systemError } from "./_system_error.ts";
import type { Turn } from "./_turn.ts";

/** A client that connects to a listener. */
interface PendingClient {
  /** The server's end of the connection. */
  readonly stream: MemoryStream;
  /** Called when the connection is established. */
  admitted(): void;
  /** Called when the listener closes before the connection was established. */
  refused(): void;
}

/**
 * A listener in memory: up to `backlog` established connections wait to be accepted, and further
 * clients wait to be connected.
 */
export class MemoryListener implements ProviderListener {
  readonly address: StreamAddress;
  readonly dropped = 0;
  readonly #backlog: number;
  readonly #release: () => void;
  /** Clients in FIFO order: the first `backlog` are connected. */
  readonly #clients: PendingClient[] = [];
  #events: ProviderListenerEvents | undefined;

  /** @param release Frees the address. */
  constructor(address: StreamAddress, backlog: number, release: () => void) {
    this.address = address;
    this.#backlog = backlog;
    this.#release = release;
  }

  /** Whether the backlog is full, so that a client must wait. */
  get isFull(): boolean {
    return this.#clients.length >= this.#backlog;
  }

  attach(events: ProviderListenerEvents): void {
    this.#events = events;
  }

  /**
   * Connects a client at `local`, now or once the backlog has space.
   *
   * @param release Frees the client's address.
   */
  connect(
    turn: Turn,
    local: StreamAddress,
    peer: StreamAddress,
    release: (client: MemoryStream) => void,
  ): Attempt<ProviderStream> & { readonly client: MemoryStream } {
    const [stream, other] = MemoryStream.pair(local, peer, turn);
    stream.onGone = () => release(stream);
    const result = new Promise<ProviderStream>((resolve, reject) => {
      const tryAgain = () => resolve(stream);
      this.#add({
        stream: other,
        admitted: () => {
          if (turn.admits({ tryAgain })) tryAgain();
        },
        refused: () => {
          stream.abort();
          reject(systemError("ECONNREFUSED", "connect", peer));
        },
      });
    });
    return { client: stream, result, cancel: () => stream.abort() };
  }

  #add(client: PendingClient): void {
    const full = this.isFull;
    this.#clients.push(client);
    client.stream.onGone = () => this.#remove(client);
    if (!full) this.#admit(client);
  }

  accept(): MemoryStream | undefined {
    const client = this.#clients[0];
    if (client === undefined) return undefined;
    client.stream.onGone = undefined;
    this.#remove(client);
    return client.stream;
  }

  close(): Promise<void> {
    this.#release();
    this.#clients.splice(0).forEach((client, index) => {
      if (index < this.#backlog) client.stream.abort();
      else client.refused();
    });
    return Promise.resolve();
  }

  #admit(client: PendingClient): void {
    client.admitted();
    this.#events?.acceptable();
  }

  #remove(client: PendingClient): void {
    const index = this.#clients.indexOf(client);
    if (index < 0) return;
    this.#clients.splice(index, 1);
    const next = this.#clients[this.#backlog - 1];
    if (index < this.#backlog && next !== undefined) this.#admit(next);
  }
}
