// Copyright 2026 the Sluice authors. MIT license.

import { writeLimit } from "../../../../flow/internal.ts";
import { describeAddress } from "../../../internal.ts";
import type { SocketOptionName, SocketOptionValue, TcpAddress } from "../../../mod.ts";
import type { ProviderStream, ProviderStreamEvents } from "../../../provider/internal.ts";
import { systemError } from "../../memory/internal.ts";
import type { ScheduledEvent } from "../engine/internal.ts";
import { KeepAlive } from "./_keep_alive.ts";
import { Receiver, type TcpPiece } from "./_receiver.ts";
import { Sender } from "./_sender.ts";
import type { SimSocketState } from "./socket_info.ts";
import type { Segment, SegmentKind, System, TcpEnd } from "./_system.ts";

/** How often a segment is repeated before the connection breaks, as on Linux. */
const synRetries = 6;
const synAckRetries = 5;
const dataRetries = 15;

/** How long a connection that this side has closed first is remembered, in milliseconds. */
const timeWait = 60_000;

/** What a TCP socket reports to whoever has opened it. */
export interface TcpOwner {
  /** The connection is established. */
  established(socket: TcpSocket): void;
  /** The connection has ended or failed, and its port is free. */
  gone(socket: TcpSocket, error: Error | undefined): void;
}

/** One end of a simulated TCP connection. */
export class TcpSocket implements ProviderStream, TcpEnd {
  readonly system: System;
  /** The host of the other end. */
  readonly remote: System;
  readonly local: TcpAddress;
  readonly peer: TcpAddress;
  readonly localText: string;
  readonly peerText: string;
  /** Always true: what is written is in the hands of the system. */
  readonly flushed = true;
  /** The other end, once it is known. */
  other: TcpEnd | undefined;
  /** Whether it counts as an open socket of its host. */
  isClaimed = false;
  readonly #headers: number;
  readonly #begunAt: number;
  readonly #owner: TcpOwner;
  readonly #sender: Sender = new Sender();
  readonly #receiver: Receiver = new Receiver();
  readonly #options: Map<SocketOptionName, SocketOptionValue> = new Map([["TCP_NODELAY", true]]);
  readonly #keepAlive: KeepAlive = new KeepAlive(this);
  #phase: "SYN_SENT" | "SYN_RECEIVED" | "OPEN" | "TIME_WAIT" | "CLOSED";
  #events: ProviderStreamEvents | undefined;
  #error: Error | undefined;
  /** Whether this side has ended first. */
  #endedFirst = false;
  /** Whether the user has closed it, so that nothing can be read any more. */
  #isOrphan = false;
  /** Whether the user has none of it any more. */
  #isReleased = false;
  #timer: ScheduledEvent | undefined;
  #pendingAck: ScheduledEvent | undefined;

  /** Creates a client's end, or, with the `other` end, that of a server. */
  constructor(
    system: System,
    { remote, local, peer, owner, other }: {
      remote: System;
      local: TcpAddress;
      peer: TcpAddress;
      owner: TcpOwner;
      other?: TcpEnd | undefined;
    },
  ) {
    this.system = system;
    this.remote = remote;
    this.local = local;
    this.peer = peer;
    this.localText = describeAddress(local);
    this.peerText = describeAddress(peer);
    this.other = other;
    this.#headers = peer.ip.version === 4 ? 40 : 60;
    this.#owner = owner;
    this.#begunAt = system.engine.now;
    this.#phase = other === undefined ? "SYN_SENT" : "SYN_RECEIVED";
    this.#greet();
    this.#arm();
  }

  attach(events: ProviderStreamEvents): void {
    this.#events = events;
    if (this.#isReleased) queueMicrotask(() => events.closed());
  }

  get state(): SimSocketState {
    if (this.#phase !== "OPEN") return this.#phase;
    const { ending, endAcked } = this.#sender;
    const { ended } = this.#receiver;
    if (!ending) return ended ? "CLOSE_WAIT" : "ESTABLISHED";
    if (!ended) return endAcked ? "FIN_WAIT_2" : "FIN_WAIT_1";
    return this.#endedFirst ? "CLOSING" : "LAST_ACK";
  }

  get isClosed(): boolean {
    return this.#phase === "CLOSED";
  }

  get window(): number {
    return this.#receiver.window;
  }

  /** How many bytes have arrived and are not read. */
  get unread(): number {
    return this.#receiver.arrived.size;
  }

  /** How many bytes were written and are not acknowledged. */
  get unsent(): number {
    return this.#sender.size;
  }

  /**
   * Whether its timers in the background can change something: the other end has room again, is gone
   * or out of reach.
   */
  get canProgress(): boolean {
    const waits = this.#phase === "OPEN" && (this.#sender.isBlocked || this.#keepAlive.isOn);
    if (!waits) return false;
    const other = this.other as TcpEnd;
    if (other.isClosed || !this.system.reaches(this.remote)) return true;
    return this.#sender.isBlocked && other.window > 0;
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    this.system.engine.touch();
    const { arrived, ended } = this.#receiver;
    const bytes = arrived.peek();
    if (bytes !== undefined) return bytes;
    if (ended) return null;
    if (this.#error !== undefined) throw this.#error;
    return undefined;
  }

  consume(size: number): boolean {
    this.#receiver.arrived.consume(size);
    this.#tellWindow();
    this.#releaseIfDone();
    return this.#receiver.arrived.size > 0;
  }

  drop(): void {
    this.#receiver.discard();
    this.#tellWindow();
    this.#releaseIfDone();
  }

  write(bytes: Uint8Array): number {
    return this.#take([bytes]);
  }

  give(buffers: readonly Uint8Array[]): number {
    return this.#take(buffers);
  }

  end(): void {
    if (this.#sender.ending || this.#phase === "CLOSED") return;
    this.#sender.ending = true;
    this.#endedFirst = !this.#receiver.ended;
    this.#pump();
    this.#releaseIfDone();
  }

  close(): void {
    if (this.#isReleased) return;
    // As on Linux: what was not read is lost, and the peer learns it.
    if (this.#receiver.arrived.size > 0) return this.abort();
    this.#isOrphan = true;
    this.end();
    this.#release();
  }

  abort(): void {
    if (this.#isReleased) return;
    const { other } = this;
    if (other !== undefined && this.#phase !== "CLOSED") this.#transmit("RST");
    this.#close(undefined);
    this.#release();
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    this.#options.set(name, value);
    this.#keepAlive.change(name, value);
  }

  getOption(name: SocketOptionName): SocketOptionValue | undefined {
    return this.#options.get(name);
  }

  /** Takes a segment from the network. */
  receive(segment: Segment): void {
    if (segment.kind === "RST") return this.#reset();
    if (segment.from !== this.other && segment.kind !== "SYN-ACK") return this.system.refuse(segment);
    if (this.#phase === "CLOSED") return this.system.refuse(segment);
    this.#keepAlive.heard();
    if (segment.kind === "SYN") {
      if (this.#phase === "SYN_RECEIVED") this.#greet();
      else this.#acknowledge();
    } else if (segment.kind === "SYN-ACK") {
      this.#takeGreeting(segment);
    } else {
      if (this.#phase === "SYN_RECEIVED") this.#establish();
      this.#takeSegment(segment);
    }
  }

  /** Breaks the connection without a word to the other end. */
  fail(error: Error): void {
    if (this.#phase === "CLOSED") return;
    this.#sender.clear();
    this.#error = error;
    this.#close(error);
    this.system.tell(() => {
      this.#events?.readable();
      this.#events?.writable();
    });
    this.#releaseIfDone();
  }

  /** Sends a segment that the other end answers. */
  probe(): void {
    this.#transmit("PROBE");
  }

  #take(buffers: readonly Uint8Array[]): number {
    this.system.engine.touch();
    if (this.#error !== undefined) throw this.#error;
    const wanted = buffers.reduce((sum, { length }) => sum + length, 0);
    const size = this.#sender.room(Math.min(wanted, writeLimit));
    let left = size;
    for (const bytes of buffers) {
      if (left === 0) break;
      const part = bytes.subarray(0, left);
      if (part.length > 0) this.#sender.add(part);
      left -= part.length;
    }
    if (size > 0) this.#pump();
    return size;
  }

  /** Sends the first segment of the connection. */
  #greet(): void {
    this.#transmit(this.#phase === "SYN_SENT" ? "SYN" : "SYN-ACK");
  }

  #takeGreeting(segment: Segment): void {
    if (this.#phase === "SYN_SENT") {
      this.other = segment.from;
      this.#establish();
      this.#acknowledgeSoon();
    } else if (segment.from === this.other) {
      this.#acknowledge();
    } else {
      this.system.refuse(segment); // of a SYN that was on its way for too long
    }
  }

  #establish(): void {
    this.#phase = "OPEN";
    this.#disarm();
    this.#sender.established(this.system.engine.now - this.#begunAt);
    this.#owner.established(this);
  }

  #takeSegment({ piece, kind, ack, window, early }: Segment): void {
    const { engine } = this.system;
    const { progress, again } = this.#sender.acknowledge(ack, window, early, engine.now);
    if (!this.#sender.inFlight) this.#sender.retries = 0;
    if (piece !== undefined && !this.#takePiece(piece)) return;
    if (kind === "PROBE") this.#acknowledge();
    for (const lost of again) this.#transmitPiece(lost);
    if (progress) this.#disarm();
    this.#pump();
    if (progress && this.#events !== undefined) this.system.tell(() => this.#events?.writable());
    this.#finish();
  }

  /** Takes a piece of the stream. Reports whether the connection goes on. */
  #takePiece(piece: TcpPiece): boolean {
    const receiver = this.#receiver;
    if (this.#isOrphan && piece.data.length > 0 && piece.seq + piece.data.length > receiver.expected) {
      this.#transmit("RST"); // nobody reads what arrives
      this.#sender.clear();
      this.#close(undefined);
      return false;
    }
    if (receiver.take(piece) !== "new") {
      this.#acknowledge();
      return true;
    }
    this.#acknowledgeSoon();
    if (this.#events !== undefined) this.system.tell(() => this.#events?.readable());
    this.#releaseIfDone();
    return true;
  }

  #reset(): void {
    if (this.#phase === "CLOSED" || this.#phase === "TIME_WAIT") return;
    if (this.#phase === "SYN_SENT") return this.fail(systemError("ECONNREFUSED", "connect", this.peer));
    const { arrived } = this.#receiver;
    // The end is lost with the bytes before it.
    if (arrived.size > 0) this.#receiver.ended = false;
    arrived.clear();
    this.fail(systemError("ECONNRESET", "read", this.peer));
  }

  /** Sends what the other end has room for. */
  #pump(): void {
    if (this.#phase !== "OPEN") return;
    const { now } = this.system.engine;
    const most = () => this.#segmentSize();
    for (let piece = this.#sender.take(now, most); piece !== undefined; piece = this.#sender.take(now, most)) {
      this.#transmitPiece(piece);
    }
    this.#arm();
  }

  /** Returns the most bytes of the next segment: half of them are full, and some are tiny. */
  #segmentSize(): number {
    const { random } = this.system;
    const full = this.system.pathTo(this.remote).link.mtu - this.#headers;
    const choice = random();
    if (choice < 0.5) return full;
    return 1 + Math.floor(random() * (choice < 0.6 ? Math.min(16, full) : full));
  }

  #transmitPiece(piece: TcpPiece): void {
    this.#transmit(piece.fin ? "FIN" : "DATA", piece);
  }

  #transmit(kind: SegmentKind, piece?: TcpPiece): void {
    const { system, remote, other: to } = this;
    if (this.#pendingAck !== undefined) system.engine.cancel(this.#pendingAck);
    this.#pendingAck = undefined;
    const segment: Segment = {
      kind,
      source: this.localText,
      target: this.peerText,
      bytes: piece?.data.length ?? 0,
      headers: this.#headers,
      from: this,
      to,
      piece,
      ack: this.#receiver.expected,
      early: this.#receiver.early,
      window: this.#receiver.told(),
      arrive: () => remote.receive(segment, this.peer),
    };
    system.send(remote, segment);
  }

  #acknowledge(): void {
    if (this.other !== undefined) this.#transmit("ACK");
  }

  /** Acknowledges at the end of this instant, unless bytes carry it. */
  #acknowledgeSoon(): void {
    this.#pendingAck ??= this.system.engine.after(0, () => {
      this.#pendingAck = undefined;
      if (this.#phase !== "CLOSED") this.#acknowledge();
    });
  }

  #tellWindow(): void {
    this.system.engine.touch();
    if (this.#phase === "OPEN" && !this.#receiver.ended && this.#receiver.mustTell) this.#acknowledgeSoon();
  }

  /** Sets the timer, if something can be lost and it is not set. */
  #arm(): void {
    const { inFlight, isBlocked, timeout } = this.#sender;
    const greets = this.#phase === "SYN_SENT" || this.#phase === "SYN_RECEIVED";
    if (this.#timer !== undefined || !(greets || inFlight || isBlocked)) return;
    this.#timer = this.system.engine.after(timeout, () => this.#expire(), !greets && !inFlight);
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.system.engine.cancel(this.#timer);
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    const sender = this.#sender;
    const greets = this.#phase !== "OPEN";
    const most = !greets ? dataRetries : this.#phase === "SYN_SENT" ? synRetries : synAckRetries;
    if (sender.retries >= most) {
      return this.fail(systemError("ETIMEDOUT", this.#phase === "SYN_SENT" ? "connect" : "read", this.peer));
    }
    sender.backOff();
    const piece = sender.inFlight ? sender.repeat() : undefined;
    if (greets) this.#greet();
    else if (piece !== undefined) this.#transmitPiece(piece);
    else this.probe();
    this.#arm();
  }

  /** Ends the connection once both directions have ended. */
  #finish(): void {
    if (this.#phase !== "OPEN" || !this.#sender.endAcked || !this.#receiver.ended) return;
    if (!this.#endedFirst) return this.#close(undefined);
    this.#phase = "TIME_WAIT";
    this.#disarm();
    this.#keepAlive.stop();
    this.system.engine.after(timeWait, () => this.#close(undefined), true);
  }

  #close(error: Error | undefined): void {
    if (this.#phase === "CLOSED") return;
    this.#phase = "CLOSED";
    this.#disarm();
    this.#keepAlive.stop();
    if (this.#pendingAck !== undefined) this.system.engine.cancel(this.#pendingAck);
    this.#pendingAck = undefined;
    this.system.forget(this);
    this.#owner.gone(this, error);
  }

  /** Releases the socket once nothing more can be read or written. */
  #releaseIfDone(): void {
    const isOver = this.#error !== undefined || (this.#sender.ending && this.#receiver.ended);
    if (isOver && this.#receiver.arrived.size === 0) this.#release();
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.system.engine.wake();
    this.#receiver.arrived.clear();
    if (this.isClaimed) this.system.unclaim();
    if (this.#events === undefined) return;
    const closed = () => this.system.tell(() => this.#events?.closed());
    queueMicrotask(closed);
  }
}
