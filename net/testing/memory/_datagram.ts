// Copyright 2026 the Sluice authors. MIT license.

import { type Datagram, sameAddress, type UdpAddress } from "../../mod.ts";
import type { ProviderDatagram, ProviderDatagramEvents } from "../../provider/internal.ts";
import { systemError } from "./_system_error.ts";
import type { Deferred, Turn } from "./_turn.ts";

/** Bounds of the receive queue, the same as those of real sockets. */
const maxDatagrams = 1024;
const maxBytes = 1 << 20;

/**
 * Delivers a datagram to the socket bound at `to`.
 *
 * @returns Whether there is one.
 * @throws The system's error.
 */
export type Deliver = (data: Uint8Array<ArrayBuffer>, to: UdpAddress) => boolean;

/** A UDP socket in memory. */
export class MemoryDatagram implements ProviderDatagram, Deferred {
  readonly local: UdpAddress;
  readonly remote: UdpAddress | undefined;
  /** How many datagrams were dropped because the queue was full. */
  dropped = 0;
  readonly #deliver: Deliver;
  readonly #turn: Turn;
  readonly #release: () => void;
  readonly #arrived: Datagram[] = [];
  #bytes = 0;
  #error: Error | undefined;
  #events: ProviderDatagramEvents | undefined;
  #closed = false;

  /** @param release Frees the address. */
  constructor(
    local: UdpAddress,
    remote: UdpAddress | undefined,
    { deliver, turn, release }: { deliver: Deliver; turn: Turn; release: () => void },
  ) {
    this.local = local;
    this.remote = remote;
    this.#deliver = deliver;
    this.#turn = turn;
    this.#release = release;
  }

  get queued(): number {
    return this.#arrived.length;
  }

  attach(events: ProviderDatagramEvents): void {
    this.#events = events;
  }

  /** Reports whether it accepts datagrams from `from`. */
  accepts(from: UdpAddress): boolean {
    return this.remote === undefined || sameAddress(this.remote, from);
  }

  /** Queues a datagram, or drops it if the queue is full. */
  receive(datagram: Datagram): void {
    if (this.#closed) return;
    const { length } = datagram.data;
    const full = this.queued === maxDatagrams || (this.queued > 0 && this.#bytes + length > maxBytes);
    if (full) {
      this.dropped++;
      return;
    }
    this.#arrived.push(datagram);
    this.#bytes += length;
    this.#events?.receivable();
  }

  take(): Datagram | undefined {
    const datagram = this.#arrived.shift();
    if (datagram === undefined) this.#throwError();
    else this.#bytes -= datagram.data.length;
    return datagram;
  }

  /** Reports to a connected socket that nothing is bound at `target`, its peer. */
  refuse(target: UdpAddress): void {
    if (this.remote === undefined || this.#closed) return;
    this.#error = systemError("ECONNREFUSED", "recvmsg", target);
    this.#events?.receivable();
  }

  send(data: readonly Uint8Array[], to: UdpAddress | undefined, done: (error?: unknown) => void): boolean {
    this.#throwError();
    const target = to ?? this.remote as UdpAddress;
    if (!this.#turn.admits(this)) return false;
    const delivered = this.#deliver(joined(data), target);
    if (!delivered) this.refuse(target);
    queueMicrotask(() => {
      if (!this.#closed) done();
    });
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#arrived.length = 0;
    this.#release();
    queueMicrotask(() => this.#events?.closed());
  }

  /** Called in the next turn of the event loop. */
  tryAgain(): void {
    if (!this.#closed) this.#events?.sendable();
  }

  #throwError(): void {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
  }
}

/** Returns a copy: the sender may reuse its buffers. */
function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
