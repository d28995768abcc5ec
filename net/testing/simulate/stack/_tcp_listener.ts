// Copyright 2026 the Sluice authors. MIT license.

import { describeAddress } from "../../../internal.ts";
import { tcp, type TcpAddress } from "../../../mod.ts";
import type { ProviderListener, ProviderListenerEvents } from "../../../provider/internal.ts";
import type { Segment, System, TcpEnd } from "./_system.ts";
import { TcpConnection, type TcpOwner } from "./_tcp_connection.ts";
import { TcpSocket } from "./_tcp_socket.ts";

/** A simulated TCP listener, with a backlog of connections that are begun or established. */
export class TcpListener implements ProviderListener, TcpOwner {
  readonly address: TcpAddress;
  readonly addressText: string;
  readonly dropped = 0;
  readonly #system: System;
  readonly #backlog: number;
  readonly #release: () => void;
  readonly #begun: Set<TcpConnection> = new Set();
  readonly #ready: Set<TcpConnection> = new Set();
  #events: ProviderListenerEvents | undefined;
  #closed = false;

  /** @param release Frees the port. */
  constructor(system: System, address: TcpAddress, backlog: number, release: () => void) {
    this.#system = system;
    this.address = address;
    this.addressText = describeAddress(address);
    this.#backlog = backlog;
    this.#release = release;
  }

  /** How many connections wait to be accepted. */
  get waiting(): number {
    return this.#ready.size;
  }

  attach(events: ProviderListenerEvents): void {
    this.#events = events;
  }

  /** Begins a connection. While the backlog is full, it ignores the client, which tries again. */
  begin(segment: Segment, to: TcpAddress): void {
    const other = segment.from as TcpEnd;
    if (this.#begun.size + this.#ready.size >= this.#backlog) {
      return this.#system.record("drop SYN", segment.source, segment.target);
    }
    const local = tcp(to.ip, to.port);
    const terms = { remote: other.system, local, peer: other.local, owner: this, other };
    const connection = new TcpConnection(this.#system, terms);
    this.#begun.add(connection);
    this.#system.remember(connection);
  }

  established(connection: TcpConnection): void {
    if (!this.#begun.delete(connection)) return;
    this.#ready.add(connection);
    this.#system.tell(() => this.#events?.acceptable());
  }

  gone(connection: TcpConnection): void {
    this.#begun.delete(connection);
    this.#ready.delete(connection);
  }

  accept(): TcpSocket | undefined {
    this.#system.engine.touch();
    for (const connection of this.#ready) {
      this.#system.claim("accept", this.address);
      this.#ready.delete(connection);
      this.#system.record("accept", connection.peerText, connection.localText);
      return new TcpSocket(connection);
    }
    return undefined;
  }

  /** Closes without notifying the clients. */
  fail(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    this.#system.unclaim();
    this.#begun.clear();
    this.#ready.clear();
  }

  close(): Promise<void> {
    this.#system.engine.touch();
    const waiting = [...this.#begun, ...this.#ready];
    this.fail();
    for (const connection of waiting) connection.abort();
    return Promise.resolve();
  }
}
