// Copyright 2026 the Sluice authors. MIT license.

import { ByteQueue } from "../../../../base/internal.ts";
import { receiveCapacity, type TcpPiece } from "./_receiver.ts";

/** How many bytes may be taken without being acknowledged. */
const sendCapacity = 64 * 1024;

/** The bounds of the time before a retransmission, in milliseconds: those of Linux. */
const initialTimeout = 1000;
const leastTimeout = 200;
const mostTimeout = 120_000;

/** A piece that is not acknowledged. */
interface Sent extends TcpPiece {
  readonly end: number;
  readonly sentAt: number;
  /** Whether it was sent again. */
  resent: boolean;
  /** Whether the receiver has it, beyond a gap. */
  isEarly: boolean;
}

const none: readonly TcpPiece[] = [];

/** What an acknowledgement changes. */
export interface Acknowledged {
  /** Whether bytes or the end have arrived. */
  readonly progress: boolean;
  /** The pieces to send again. */
  readonly again: readonly TcpPiece[];
}

/**
 * The sending half of a TCP connection: what is taken, what is on its way, and when to repeat it.
 */
export class Sender {
  /** The time before a retransmission, in milliseconds. */
  timeout = initialTimeout;
  /** How often in a row the time has passed without an answer. */
  retries = 0;
  /** Whether the end follows what was taken, and whether it was sent. */
  ending = false;
  endSent = false;
  readonly #unsent: ByteQueue = new ByteQueue(sendCapacity);
  readonly #flight: Sent[] = [];
  #next = 0;
  #acked = 0;
  /** The first position that the receiver has no room for. */
  #edge: number = receiveCapacity;
  /** The position up to which a loss is being repaired. */
  #recovery = 0;
  #roundTrip: number | undefined;
  #deviation = 0;
  #full = false;

  /** How many bytes are taken and not acknowledged. */
  get size(): number {
    return this.#unsent.size + this.#flight.reduce((sum, { data }) => sum + data.length, 0);
  }

  /** Whether something is on its way. */
  get inFlight(): boolean {
    return this.#flight.length > 0;
  }

  /** Whether bytes wait because the receiver has no room. */
  get isBlocked(): boolean {
    return this.#unsent.size > 0;
  }

  /** Whether the end was sent and acknowledged. */
  get endAcked(): boolean {
    return this.endSent && !this.inFlight;
  }

  /** The position after what was sent. */
  get next(): number {
    return this.#next;
  }

  /** Returns how many of `wanted` bytes fit; once full, none until half is free. */
  room(wanted: number): number {
    const free = sendCapacity - this.#unsent.size - (this.#next - this.#acked);
    if (free >= sendCapacity / 2) this.#full = false;
    if (this.#full && free < wanted) return 0;
    const size = Math.max(0, Math.min(wanted, free));
    if (size < wanted) this.#full = true;
    return size;
  }

  /** Takes bytes, which must fit: a copy of them, or their own memory, which shows who still writes to it. */
  add(bytes: Uint8Array, given: boolean): void {
    if (given) this.#unsent.keep(bytes as Uint8Array<ArrayBuffer>);
    else this.#unsent.add(bytes);
  }

  /**
   * Returns the next piece to send, if there is one and the receiver has room.
   *
   * @param most Returns the most bytes of it.
   */
  take(now: number, most: () => number): TcpPiece | undefined {
    const bytes = this.#unsent.peek();
    if (bytes !== undefined) {
      const room = this.#edge - this.#next;
      if (room <= 0) return undefined;
      const data = bytes.subarray(0, Math.min(room, most()));
      this.#unsent.consume(data.length);
      return this.#launch(data, false, now);
    }
    if (!this.ending || this.endSent) return undefined;
    this.endSent = true;
    return this.#launch(new Uint8Array(0), true, now);
  }

  /**
   * Takes an acknowledgement of everything before `ack`, of `window` bytes of room, and of pieces
   * beyond a gap, by position.
   */
  acknowledge(ack: number, window: number, early: readonly number[], now: number): Acknowledged {
    this.#edge = Math.max(this.#edge, ack + window);
    const progress = ack > this.#acked;
    if (progress) {
      this.#acked = ack;
      this.retries = 0;
      for (let first = this.#flight[0]; first !== undefined && first.end <= ack; first = this.#flight[0]) {
        this.#flight.shift();
        if (!first.resent && !first.isEarly) this.#measure(now - first.sentAt);
      }
      this.#resetTimeout();
    }
    if (early.length > 0) this.#noteEarly(early);
    return { progress, again: this.#lost(early.length > 0, progress && ack < this.#recovery) };
  }

  /** Returns the first piece that is not acknowledged, to be sent again because no answer came. */
  repeat(): TcpPiece | undefined {
    this.#recovery = this.#next;
    for (const sent of this.#flight) sent.resent = false;
    const first = this.#flight[0];
    if (first !== undefined) first.resent = true;
    return first;
  }

  /** Notes that the connection is established, `roundTrip` milliseconds after the attempt began. */
  established(roundTrip: number): void {
    if (this.retries === 0) this.#measure(roundTrip);
    this.retries = 0;
    this.timeout = initialTimeout;
    this.#resetTimeout();
  }

  /** Doubles the time before the next retransmission. */
  backOff(): void {
    this.retries++;
    this.timeout = Math.min(mostTimeout, this.timeout * 2);
  }

  /** Forgets everything that is not acknowledged. */
  clear(): void {
    this.#unsent.clear();
    this.#flight.length = 0;
  }

  #launch(data: Uint8Array<ArrayBuffer>, fin: boolean, now: number): TcpPiece {
    const seq = this.#next;
    const end = this.#next = seq + data.length + (fin ? 1 : 0);
    const sent = { seq, data, fin, end, sentAt: now, resent: false, isEarly: false };
    this.#flight.push(sent);
    return sent;
  }

  #noteEarly(early: readonly number[]): void {
    let index = 0;
    for (const sent of this.#flight) {
      while (index < early.length && early[index] < sent.seq) index++;
      if (index === early.length) return;
      if (early[index] === sent.seq) sent.isEarly = true;
    }
  }

  /**
   * Returns the pieces that are lost, because three later ones have arrived, or, after a time
   * without an answer, because they were sent before it.
   */
  #lost(hasGap: boolean, recovers: boolean): readonly TcpPiece[] {
    if (!hasGap && !recovers) return none;
    let later = 0;
    let lost: Sent[] | undefined;
    for (let i = this.#flight.length - 1; i >= 0; i--) {
      const sent = this.#flight[i];
      if (sent.isEarly) later++;
      else if (!sent.resent && (later >= 3 || (recovers && sent.end <= this.#recovery))) (lost ??= []).push(sent);
    }
    if (lost === undefined) return none;
    for (const sent of lost) sent.resent = true;
    return lost.reverse();
  }

  /** RFC 6298. */
  #measure(sample: number): void {
    if (this.#roundTrip === undefined) {
      this.#roundTrip = sample;
      this.#deviation = sample / 2;
    } else {
      this.#deviation += (Math.abs(sample - this.#roundTrip) - this.#deviation) / 4;
      this.#roundTrip += (sample - this.#roundTrip) / 8;
    }
  }

  #resetTimeout(): void {
    if (this.#roundTrip === undefined) return;
    this.timeout = Math.min(mostTimeout, this.#roundTrip + Math.max(leastTimeout, 4 * this.#deviation));
  }
}
