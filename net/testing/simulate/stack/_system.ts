// Copyright 2026 the Sluice authors. MIT license.

import type { Address, IpAddress, TcpAddress, UdpAddress } from "../../../mod.ts";
import type { Interface } from "../../memory/internal.ts";
import type { Engine } from "../engine/internal.ts";
import type { Packet } from "./_packet.ts";
import type { Path } from "./_path.ts";
import type { TcpPiece } from "./_receiver.ts";

/** The operating system of a host, as its sockets and the network see it. */
export interface System {
  readonly name: string;
  /** Its addresses, but those of loopback. */
  readonly ips: readonly IpAddress[];
  readonly engine: Engine;
  /** Returns random numbers for the sizes of segments. */
  readonly random: () => number;
  readonly isUp: boolean;
  /** Whether timers in the background can end what waits. */
  readonly canProgress: boolean;
  /** Calls code of the host, now or once it is no longer paused. */
  tell(fn: () => void): void;
  /** Adds an event to the trace. */
  record(what: string, from?: string, to?: string, bytes?: number): void;
  /** Counts an open socket or listener. Each is uncounted by `unclaim`. */
  claim(syscall: string, address: Address): void;
  unclaim(): void;
  pathTo(remote: System): Path;
  /** Reports whether packets get to another host and back, now. */
  reaches(remote: System): boolean;
  /**
   * Returns the host at an address, `undefined` if there is none. As on Linux, the wildcard is this
   * host.
   */
  targetOf(address: TcpAddress | UdpAddress, syscall: string): { ip: IpAddress; system: System | undefined };
  /** Returns the source address of what a binding sends to a target. */
  sourceFor(bound: Interface, target: IpAddress, remote: System | undefined, syscall: string): IpAddress;
  send(remote: System, packet: Packet): void;
  /** Takes a segment for a socket of this host. */
  receive(segment: Segment, to: TcpAddress): void;
  /** Answers a segment for a connection that does not exist with a reset. */
  refuse(segment: Segment): void;
  /** Takes a datagram. Reports whether a socket is bound there. */
  receiveDatagram(ip: IpAddress, port: number, data: Uint8Array<ArrayBuffer>, from: UdpAddress): boolean;
  /** Remembers the end of a server. */
  remember(end: TcpEnd): void;
  /** Forgets a closed connection. */
  forget(end: TcpEnd): void;
}

/** One end of a TCP connection, as the other one and the systems see it. */
export interface TcpEnd {
  readonly system: System;
  readonly local: TcpAddress;
  readonly other: TcpEnd | undefined;
  readonly isClosed: boolean;
  /** How many bytes may still arrive. */
  readonly window: number;
  receive(segment: Segment): void;
}

/** The kinds of segments. A `PROBE` asks for an acknowledgement. */
export type SegmentKind = "SYN" | "SYN-ACK" | "ACK" | "PROBE" | "DATA" | "FIN" | "RST";

/**
 * A TCP segment. It names the sockets by reference instead of by ports and sequence numbers, so
 * that no segment of an earlier connection is taken for one of a later.
 */
export interface Segment extends Packet {
  readonly kind: SegmentKind;
  /** The socket that has sent it; none if a system resets a connection that it does not know. */
  readonly from: TcpEnd | undefined;
  /** The socket that receives it, if the sender knows it. */
  readonly to: TcpEnd | undefined;
  readonly piece: TcpPiece | undefined;
  /** Everything before this position has arrived at the sender. */
  readonly ack: number;
  /** The positions of what has arrived at the sender beyond a gap. */
  readonly early: readonly number[];
  /** The room of the sender beyond it. */
  readonly window: number;
}
