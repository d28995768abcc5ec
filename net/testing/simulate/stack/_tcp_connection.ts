// Copyright 2026 the Sluice authors. MIT license.

import { describeAddress } from "../../../internal.ts";
import type { TcpAddress } from "../../../mod.ts";
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

/** How long a connection without a socket waits for the end of the other side, in milliseconds. */
const finTimeout = 60_000;

/** What a connection reports to the system that has begun it. */
export interface TcpOwner {
  /** The connection is established. */
  established(connection: TcpConnection): void;
  /** The connection has ended or failed, and its port is free. */
  gone(connection: TcpConnection, error: Error | undefined): void;
}

/** What a connection reports to its socket. */
export interface TcpUser {
  /** Bytes, the end or an error can be read. */
  readable(): void;
  /** Bytes can be written again, or there is an error. */
  writable(): void;
  /** The end or an error has come: the socket may have nothing left to do. */
  ending(): void;
}

/**
 * One end of a simulated TCP connection, as the system knows it: it begins before its socket, and
 * goes on after that is closed.
 */
export class TcpConnection implements TcpEnd {
  readonly system: System;
  /** The host of the other end. */
  readonly remote: System;
  readonly local: TcpAddress;
  readonly peer: TcpAddress;
  readonly localText: string;
  readonly peerText: string;
  /** The other end, once it is known. */
  other: TcpEnd | undefined;
  /** The socket, if it is not closed. */
  user: TcpUser | undefined;
  /** Whether the socket was closed, so that nothing can be read any more. */
  #isOrphan = false;
  readonly sender: Sender = new Sender();
  readonly receiver: Receiver = new Receiver();
  readonly keepAlive: KeepAlive = new KeepAlive(this);
  /** What broke it. */
  error: Error | undefined;
  readonly #headers: number;
  readonly #begunAt: number;
  readonly #owner: TcpOwner;
  #phase: "SYN_SENT" | "SYN_RECEIVED" | "OPEN" | "TIME_WAIT" | "CLOSED";
  /** Whether this side has ended first. */
  #endedFirst = false;
  #timer: ScheduledEvent | undefined;
  #pendingAck: ScheduledEvent | undefined;
  #fin: ScheduledEvent | undefined;

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

  get state(): SimSocketState {
    if (this.#phase !== "OPEN") return this.#phase;
    const { ending, endAcked } = this.sender;
    const { ended } = this.receiver;
    if (!ending) return ended ? "CLOSE_WAIT" : "ESTABLISHED";
    if (!ended) return endAcked ? "FIN_WAIT_2" : "FIN_WAIT_1";
    return this.#endedFirst ? "CLOSING" : "LAST_ACK";
  }

  get isClosed(): boolean {
    return this.#phase === "CLOSED";
  }

  get window(): number {
    return this.receiver.window;
  }

  /** How many bytes have arrived and are not read. */
  get unread(): number {
    return this.receiver.arrived.size;
  }

  /** How many bytes were written and are not acknowledged. */
  get unsent(): number {
    return this.sender.size;
  }

  /**
   * Whether its timers in the background can change something: the other end has room again, is
   * gone or out of reach.
   */
  get canProgress(): boolean {
    const waits = this.#phase === "OPEN" && (this.sender.isBlocked || this.keepAlive.isOn);
    if (!waits) return false;
    const other = this.other as TcpEnd;
    if (other.isClosed || !this.system.reaches(this.remote)) return true;
    return this.sender.isBlocked && other.window > 0;
  }

  /** Sends what the other end has room for. */
  pump(): void {
    if (this.#phase !== "OPEN") return;
    const { now } = this.system.engine;
    const most = () => this.#segmentSize();
    for (let piece = this.sender.take(now, most); piece !== undefined; piece = this.sender.take(now, most)) {
      this.#transmitPiece(piece);
    }
    this.#arm();
  }

  /** Ends the sending direction after everything that was taken. */
  end(): void {
    if (this.sender.ending || this.#phase === "CLOSED") return;
    this.sender.ending = true;
    this.#endedFirst = !this.receiver.ended;
    this.pump();
  }

  /** Goes on without a socket: sends what was taken, and waits for the other end. */
  orphan(): void {
    this.#isOrphan = true;
    this.user = undefined;
    this.end();
    this.#finish();
  }

  /** Ends the connection with a reset. */
  abort(): void {
    if (this.other !== undefined && this.#phase !== "CLOSED") this.#transmit("RST");
    this.sender.clear();
    this.#close(undefined);
  }

  /** Tells the other end the window, if that has grown much. */
  tellWindow(): void {
    this.system.engine.touch();
    if (this.#phase === "OPEN" && !this.receiver.ended && this.receiver.mustTell) this.#acknowledgeSoon();
  }

  /** Takes a segment from the network. */
  receive(segment: Segment): void {
    if (segment.kind === "RST") return this.#reset();
    if (segment.from !== this.other && segment.kind !== "SYN-ACK") return this.system.refuse(segment);
    if (this.#phase === "CLOSED") return this.system.refuse(segment);
    this.keepAlive.heard();
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

  /** Breaks the connection without notifying the other end. */
  fail(error: Error): void {
    if (this.#phase === "CLOSED") return;
    this.sender.clear();
    this.error = error;
    this.#close(error);
    this.system.tell(() => {
      this.user?.readable();
      this.user?.writable();
    });
    this.user?.ending();
  }

  /** Sends a segment that the other end answers. */
  probe(): void {
    this.#transmit("PROBE");
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
    this.sender.established(this.system.engine.now - this.#begunAt);
    this.#owner.established(this);
  }

  #takeSegment({ piece, kind, ack, window, early }: Segment): void {
    const { engine } = this.system;
    const { progress, again } = this.sender.acknowledge(ack, window, early, engine.now);
    if (!this.sender.inFlight) this.sender.retries = 0;
    if (piece !== undefined && !this.#takePiece(piece)) return;
    if (kind === "PROBE") this.#acknowledge();
    for (const lost of again) this.#transmitPiece(lost);
    if (progress) this.#disarm();
    this.pump();
    if (progress && this.user !== undefined) this.system.tell(() => this.user?.writable());
    this.#finish();
  }

  /** Takes a piece of the stream. Reports whether the connection goes on. */
  #takePiece(piece: TcpPiece): boolean {
    const receiver = this.receiver;
    if (this.#isOrphan && piece.data.length > 0 && piece.seq + piece.data.length > receiver.expected) {
      this.abort(); // what arrives cannot be read
      return false;
    }
    if (receiver.take(piece) !== "new") {
      this.#acknowledge();
      return true;
    }
    this.#acknowledgeSoon();
    if (this.user !== undefined) this.system.tell(() => this.user?.readable());
    this.user?.ending();
    return true;
  }

  #reset(): void {
    if (this.#phase === "CLOSED" || this.#phase === "TIME_WAIT") return;
    if (this.#phase === "SYN_SENT") return this.fail(systemError("ECONNREFUSED", "connect", this.peer));
    const { arrived } = this.receiver;
    // The end is lost with the bytes before it.
    if (arrived.size > 0) this.receiver.ended = false;
    arrived.clear();
    this.fail(systemError("ECONNRESET", "read", this.peer));
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
      ack: this.receiver.expected,
      early: this.receiver.early,
      window: this.receiver.told(),
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

  /** Sets the timer, if something can be lost and it is not set. */
  #arm(): void {
    const { inFlight, isBlocked, timeout } = this.sender;
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
    const sender = this.sender;
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
    if (this.#phase !== "OPEN" || !this.sender.endAcked) return;
    if (!this.receiver.ended) {
      if (this.#isOrphan) this.#forgetLater();
      return;
    }
    if (!this.#endedFirst) return this.#close(undefined);
    this.#phase = "TIME_WAIT";
    this.#disarm();
    this.keepAlive.stop();
    this.system.engine.after(timeWait, () => this.#close(undefined), true);
  }

  #forgetLater(): void {
    this.#fin ??= this.system.engine.after(finTimeout, () => this.#phase === "OPEN" && this.#close(undefined), true);
  }

  #close(error: Error | undefined): void {
    if (this.#phase === "CLOSED") return;
    this.#phase = "CLOSED";
    this.#disarm();
    this.keepAlive.stop();
    if (this.#pendingAck !== undefined) this.system.engine.cancel(this.#pendingAck);
    this.#pendingAck = undefined;
    this.system.forget(this);
    this.#owner.gone(this, error);
  }
}
