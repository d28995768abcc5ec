// Copyright 2026 the Sluice authors. MIT license.

import { open } from "../../../base/internal.ts";
import { type Datagram, sameAddress, type UdpAddress } from "../../mod.ts";
import type { ProviderDatagram, ProviderDatagramEvents } from "../../provider/internal.ts";
import { systemError } from "./_system_error.ts";
import type { Later, Turn } from "./_turn.ts";

/** How much a socket keeps until it is received, as the real ones do. */
const mostDatagrams = 1024;
const mostBytes = 1 << 20;

/**
 * Brings a datagram to what is bound at `to`.
 *
 * @returns Whether anything is.
 * @throws What the system says.
 */
export type Carry = (data: Uint8Array<ArrayBuffer>, to: UdpAddress) => boolean;

/** A UDP socket in memory. */
export class MemoryDatagram implements ProviderDatagram, Later {
  readonly local: UdpAddress;
  readonly remote: UdpAddress | undefined;
  /** Datagrams for which there was no room. */
  dropped = 0;
  readonly #carry: Carry;
  readonly #turn: Turn;
  readonly #release: () => void;
  readonly #arrived: Datagram[] = [];
  #bytes = 0;
  #error: Error | undefined;
  #events: ProviderDatagramEvents | undefined;
  #closed = false;

  /** `release` frees the address. */
  constructor(
    local: UdpAddress,
    remote: UdpAddress | undefined,
    { carry, turn, release }: { carry: Carry; turn: Turn; release: () => void },
  ) {
    open.sockets++;
    this.local = local;
    this.remote = remote;
    this.#carry = carry;
    this.#turn = turn;
    this.#release = release;
  }

  get queued(): number {
    return this.#arrived.length;
  }

  attach(events: ProviderDatagramEvents): void {
    this.#events = events;
  }

  /** Whether it receives what `from` sends. */
  hears(from: UdpAddress): boolean {
    return this.remote === undefined || sameAddress(this.remote, from);
  }

  /** A datagram arrives. It is dropped when the queue is full. */
  receive(datagram: Datagram): void {
    const { length } = datagram.data;
    const full = this.queued === mostDatagrams || (this.queued > 0 && this.#bytes + length > mostBytes);
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

  send(data: readonly Uint8Array[], to: UdpAddress | undefined, done: (error?: unknown) => void): boolean {
    this.#throwError();
    const target = to ?? this.remote as UdpAddress;
    if (!this.#turn.admits(this)) return false;
    const carried = this.#carry(joined(data), target);
    if (!carried && this.remote !== undefined) {
      this.#error = systemError("ECONNREFUSED", "recvmsg", target);
      this.#events?.receivable();
    }
    queueMicrotask(() => {
      if (!this.#closed) done();
    });
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    open.sockets--;
    this.#arrived.length = 0;
    this.#release();
    queueMicrotask(() => this.#events?.closed());
  }

  /** The next turn has come. */
  again(): void {
    if (!this.#closed) this.#events?.sendable();
  }

  #throwError(): void {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
  }
}

/** A copy, for what was sent belongs to the sender. */
function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
