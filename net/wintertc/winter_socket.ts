// Copyright 2026 the Sluice authors. MIT license.

/** The types of WinterTC's proposal "Sockets API", with "Winter" in front of their names. */

/**
 * The `connect` function of the proposal, which `toConnect` makes.
 *
 * @example A function that takes it
 * ```ts
 * import type { WinterConnect } from "@sluice/io/net/wintertc";
 *
 * async function greet(connect: WinterConnect): Promise<void> {
 *   const socket = connect("server.test:7000");
 *   const writer = socket.writable.getWriter();
 *   await writer.write(new TextEncoder().encode("hello"));
 *   await socket.close();
 * }
 * ```
 */
export type WinterConnect = (
  address: string | WinterAddress,
  options?: WinterSocketOptions | null,
) => WinterSocket;

/** Where to connect to: `SocketAddress` in the proposal. */
export interface WinterAddress {
  /** A host name or an IP address literal; an IPv6 one may be in brackets. */
  hostname: string;
  /** The port, from 1 to 65535. Text is converted, as Web IDL says. */
  port: number | string;
}

/** When a socket uses TLS: never, from the start, or after `startTls`. */
export type WinterSecureTransport = "off" | "on" | "starttls";

/** Options of `connect`: `SocketOptions` in the proposal. Others are ignored. */
export interface WinterSocketOptions {
  /**
   * When the socket uses TLS.
   *
   * @default {"off"}
   */
  secureTransport?: WinterSecureTransport | undefined;
  /**
   * Whether the socket can still write after the peer has ended. If not, it closes by itself when
   * its `readable` has been read to the end.
   *
   * @default {false}
   */
  allowHalfOpen?: boolean | undefined;
  /**
   * The name that the server's certificate must have, and which is sent to the server (SNI). Only
   * with `secureTransport` "on" or "starttls".
   *
   * @default {the host name}
   */
  sni?: string | null | undefined;
  /**
   * The application protocols to offer (ALPN), in order of preference. Only with `secureTransport`
   * "on" or "starttls".
   *
   * @default {[]}
   */
  alpn?: readonly string[] | undefined;
}

/** Options of `startTls`. They are Cloudflare's: the proposal has none. */
export interface WinterTlsOptions {
  /**
   * The name that the server's certificate must have, and which is sent to the server (SNI).
   *
   * @default {the option `sni` of the socket, or else the host name}
   */
  expectedServerHostname?: string | undefined;
}

/** What `opened` resolves to: `SocketInfo` in the proposal. */
export interface WinterSocketInfo {
  /** The address and port of the peer: "192.0.2.1:443" or "[2001:db8::1]:443". */
  readonly remoteAddress: string | null;
  /** The local address and port. */
  readonly localAddress: string | null;
  /** The application protocol that TLS negotiated. */
  readonly alpn: string | null;
}

/**
 * A TCP connection as two web streams: `Socket` in the proposal.
 *
 * The streams can be used at once; they transfer bytes as soon as the socket has opened. What fails
 * is a {@linkcode SocketError}. Rejections of its promises and streams never count as unhandled.
 *
 * It lives until it is closed, or fails, or its switch ends. With `allowHalfOpen`, it closes also
 * when both directions have ended.
 *
 * Source: WinterTC, "Sockets API", section 3.
 */
export interface WinterSocket {
  /**
   * What the peer sends: a byte stream. Cancelling it does not close the socket. The stream fails
   * if the socket fails, and ends if this side closes the socket.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * What is sent to the peer. Closing it ends this direction only; aborting it does not. Once a
   * write has settled, the connection has taken its bytes, and `close` does not lose them.
   */
  readonly writable: WritableStream<Uint8Array>;
  /**
   * Resolves when the connection is established, with TLS after the handshake. Rejects if that
   * fails, or with the reason of `close`.
   */
  readonly opened: Promise<WinterSocketInfo>;
  /**
   * Resolves when the socket has closed: by `close` or `startTls`; because `readable` was read to
   * the end; or because the peer reset the connection. Rejects if it could not be opened, failed
   * otherwise, or its switch has ended.
   */
  readonly closed: Promise<void>;
  /** Whether `startTls` was called. */
  readonly upgraded: boolean;
  /** When the socket uses TLS. The socket that `startTls` returns says "on". */
  readonly secureTransport: WinterSecureTransport;
  /**
   * Closes the socket at once, or abandons the attempt to open it: ends `readable` and fails
   * `writable`. The bytes of settled writes are still sent, for at most the connection's `linger`
   * time; if a write had not settled, the connection is reset, so that the peer does not mistake
   * the truncated data for the whole. A second call does nothing.
   *
   * @param reason The error of the streams and of `opened`; by default a {@linkcode SocketError}.
   * @returns The same promise as `closed`.
   */
  close(reason?: unknown): Promise<void>;
  /**
   * Starts TLS on the connection (STARTTLS): once, and only if `secureTransport` is "starttls".
   * The handshake follows what was written before. Then this socket is closed and its streams are
   * over, even if they are locked; the connection goes on in the socket that is returned.
   *
   * @param options The expected server.
   * @returns The new socket. It opens after the handshake.
   * @throws {SocketError} If the socket does not allow it, is closed, or was upgraded already, or
   * the name is not a host name.
   */
  startTls(options?: WinterTlsOptions | null): WinterSocket;
}
