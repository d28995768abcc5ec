// Copyright 2026 the Sluice authors. MIT license.

/**
 * The state of a simulated socket: of TCP in the names of RFC 9293; a datagram socket is `BOUND`.
 */
export type SimSocketState =
  | "LISTEN"
  | "SYN_SENT"
  | "SYN_RECEIVED"
  | "ESTABLISHED"
  | "FIN_WAIT_1"
  | "FIN_WAIT_2"
  | "CLOSE_WAIT"
  | "CLOSING"
  | "LAST_ACK"
  | "TIME_WAIT"
  | "CLOSED"
  | "BOUND";

/** A socket of a simulation, as netstat(8) lists it. */
export interface SimSocket {
  /** The name of its host. */
  readonly host: string;
  /** Its local address, as text. */
  readonly local: string;
  /** The address of its peer, as text; `undefined` if it has none. */
  readonly peer: string | undefined;
  /** Its state. */
  readonly state: SimSocketState;
  /** How many bytes or connections have arrived, and are not read or accepted. */
  readonly unread: number;
  /** How many bytes were written, and are not acknowledged. */
  readonly unsent: number;
}
