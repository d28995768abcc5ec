// Copyright 2026 the Sluice authors. MIT license.

import { describeAddress } from "../../../internal.ts";
import { tcp, type TcpAddress } from "../../../mod.ts";
import type { ProviderListener, ProviderListenerEvents } from "../../../provider/internal.ts";
import type { Segment, System, TcpEnd } from "./_system.ts";
import { type TcpOwner, TcpSocket } from "./_tcp_socket.ts";

/** A simulated TCP listener, with a backlog of connections that are begun or established. */
export class TcpListener implements ProviderListener, TcpOwner {
  readonly address: TcpAddress;
  readonly addressText: string;
  readonly dropped = 0;
  readonly #system: System;
  readonly #backlog: number;
  readonly #release: () => void;
  readonly #begun: Set<TcpSocket> = new Set();
  readonly #ready: Set<TcpSocket> = new Set();
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

  /** Begins a connection. While the backlog is full, the client tries in vain. */
  begin(segment: Segment, to: TcpAddress): void {
    const other = segment.from as TcpEnd;
    if (this.#begun.size + this.#ready.size >= this.#backlog) {
      return this.#system.record("drop SYN", segment.source, segment.target);
    }
    const local = tcp(to.ip, to.port);
    const terms = { remote: other.system, local, peer: other.local, owner: this, other };
    const socket = new TcpSocket(this.#system, terms);
    this.#begun.add(socket);
    this.#system.remember(socket);
  }

  established(socket: TcpSocket): void {
    if (!this.#begun.delete(socket)) return;
    this.#ready.add(socket);
    this.#system.tell(() => this.#events?.acceptable());
  }

  gone(socket: TcpSocket): void {
    this.#begun.delete(socket);
    this.#ready.delete(socket);
  }

  accept(): TcpSocket | undefined {
    this.#system.engine.touch();
    for (const socket of this.#ready) {
      this.#system.claim("accept", this.address);
      socket.isClaimed = true;
      this.#ready.delete(socket);
      this.#system.record("accept", socket.peerText, socket.localText);
      return socket;
    }
    return undefined;
  }

  /** Closes without a word to the clients. */
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
    for (const socket of waiting) socket.abort();
    return Promise.resolve();
  }
}
