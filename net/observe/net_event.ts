// Copyright 2026 the Sluice authors. MIT license.

/** What a {@linkcode NetEvent} tells. */
export type NetEventType =
  | "connect"
  | "connected"
  | "listen"
  | "accept"
  | "close"
  | "lookup"
  | "datagram"
  | "error";

/**
 * An event of an observed network, frozen. Its attributes have the names of OpenTelemetry's semantic
 * conventions where these have one; one that does not apply is absent.
 *
 * - `connect`: an attempt to connect begins. It ends with `connected` or `error` of the same `id`, or
 *   with `close` if it was cancelled.
 * - `connected`: the connection is open.
 * - `accept`: a connection was accepted, with an `id` of its own.
 * - `listen`: a listener is open.
 * - `datagram`: a datagram socket is open. Single datagrams are no events.
 * - `close`: what had this `id` is closed: by this side, with its switch, or because it broke.
 * - `lookup`: a lookup has ended.
 * - `error`: an operation failed, on what has this `id`. Reading from or writing to a socket tells
 *   the first error of each kind. A cancelled operation is not an error, nor is one after a close by
 *   this side.
 */
export interface NetEvent {
  /** What happened. */
  readonly type: NetEventType;
  /** What it happened to: the same number in all events of one connection, listener or socket. */
  readonly id: number;
  /** When, in milliseconds of the network's clock. */
  readonly at: number;
  /**
   * The operation of an `error` or a `lookup`: `"connect"`, `"listen"`, `"bind"`, `"accept"`,
   * `"read"`, `"write"`, `"send"`, `"receive"`; `"getAddrInfo"`, `"getNameInfo"`, `"getServices"`,
   * `"addresses"`.
   */
  readonly operation?: string | undefined;
  /** How long what ends took, in milliseconds: an attempt, a lookup, or the time that it was open. */
  readonly duration?: number | undefined;
  /** The `id` of the listener of an `accept`. */
  readonly listener?: number | undefined;
  /** The bytes received, of a `close` of a connection or a datagram socket. */
  readonly received?: number | undefined;
  /** The bytes sent, likewise. */
  readonly sent?: number | undefined;
  /** The datagrams received, of a `close` of a datagram socket. */
  readonly datagramsReceived?: number | undefined;
  /** The datagrams sent, likewise. */
  readonly datagramsSent?: number | undefined;
  /** The transport. */
  readonly "network.transport"?: "tcp" | "udp" | "unix" | undefined;
  /** The version of IP. */
  readonly "network.type"?: "ipv4" | "ipv6" | undefined;
  /** The IP address or the Unix path of the peer. */
  readonly "network.peer.address"?: string | undefined;
  /** The port of the peer. */
  readonly "network.peer.port"?: number | undefined;
  /** The IP address or the Unix path of this side. */
  readonly "network.local.address"?: string | undefined;
  /** The port of this side. */
  readonly "network.local.port"?: number | undefined;
  /** The target of a `connect` as the caller named it: a name, an IP address or a Unix path. */
  readonly "server.address"?: string | undefined;
  /** Its port. */
  readonly "server.port"?: number | undefined;
  /** What a `lookup` asked for. */
  readonly "dns.question.name"?: string | undefined;
  /** What it was answered. */
  readonly "dns.answers"?: readonly string[] | undefined;
  /** The code of the `NetError`, or the name of another error. */
  readonly "error.type"?: string | undefined;
}

/** The attributes of an event. */
export type NetAttributes = Omit<NetEvent, "type" | "id" | "at">;
