// Copyright 2026 the Sluice authors. MIT license.

import { innerOf } from "../../flow/internal.ts";
import type { Connection, TcpAddress, UdpAddress, UnixAddress } from "../internal.ts";

/**
 * A header of the PROXY protocol, with which a proxy such as haproxy says who it connects for.
 *
 * Source: haproxy's proxy-protocol.txt.
 */
export interface ProxyHeader {
  /** The version of the protocol: 1 is a line of text, 2 is binary. */
  readonly version: 1 | 2;
  /**
   * `"proxy"` for a connection that is passed on, `"local"` for one that the proxy makes for itself,
   * such as a health check.
   */
  readonly command: "proxy" | "local";
  /**
   * The address of the client. Absent if the proxy does not know it or has none to say, and with
   * `"local"`.
   */
  readonly source?: TcpAddress | UdpAddress | UnixAddress | undefined;
  /** The address that the client connected to. Present if and only if `source` is. */
  readonly destination?: TcpAddress | UdpAddress | UnixAddress | undefined;
  /**
   * What else the proxy says, in order, unchanged. Empty in version 1. Some types: 0x01 ALPN, 0x02
   * authority (the server's name in TLS), 0x03 CRC32C, 0x04 padding, 0x05 unique id, 0x20 TLS, 0x30
   * network namespace, from 0xE0 on what each site decides.
   */
  readonly tlvs: readonly ProxyTlv[];
}

/** A field of a {@linkcode ProxyHeader}: type, length and value. */
export interface ProxyTlv {
  /** The type, 0 to 255. */
  readonly type: number;
  /** The value, at most 65535 bytes. */
  readonly value: Uint8Array;
}

const headers: WeakMap<object, ProxyHeader> = new WeakMap();

/** Records the header that came before `connection`. */
export function recordProxyHeader(connection: object, header: ProxyHeader): void {
  headers.set(connection, header);
}

/**
 * Returns the PROXY header that `proxyProtocol` has read from a connection.
 *
 * It is also found from what the library has put over that connection: TLS of `tlsHandler` and
 * `tlsServer`, `wrapConnection`, time limits, `unread`. If several headers came, one inside the
 * other, the innermost is returned, which is what the connection's `peer` comes from.
 *
 * @param connection The connection that a handler got.
 * @returns The header; `undefined` if none was read, as from a peer that is not trusted.
 *
 * @example The name that the client asked the balancer for
 * ```ts
 * import type { Connection } from "@sluice/io";
 * import { proxyHeaderOf } from "@sluice/io/net/server";
 *
 * function authority(connection: Connection): string | undefined {
 *   const tlv = proxyHeaderOf(connection)?.tlvs.find(({ type }) => type === 0x02);
 *   return tlv && new TextDecoder().decode(tlv.value);
 * }
 * ```
 */
export function proxyHeaderOf(connection: Connection): ProxyHeader | undefined {
  for (let at: unknown = connection; typeof at === "object" && at !== null; at = innerOf(at)) {
    const header = headers.get(at);
    if (header !== undefined) return header;
  }
  return undefined;
}
