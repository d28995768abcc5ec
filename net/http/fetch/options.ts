// Copyright 2026 the Sluice authors. MIT license.

import { checkFields, checkMilliseconds, checkRecord, checkWhole } from "../../../base/internal.ts";
import type { Clock } from "../../../switch/mod.ts";
import type { TlsClientOptions } from "../../tls/mod.ts";
import type { ExchangeLimits } from "../internal.ts";

/** Options for {@linkcode createFetch}. `Infinity` means no limit. */
export interface FetchOptions {
  /**
   * Settings of TLS, for `https:` URLs. The name in the URL is the name that the server's
   * certificate must have. `connectTimeout` bounds the handshake too, and `net.clock` measures it.
   *
   * @default {certificates are verified with the runtime's authorities}
   */
  tls?: Omit<TlsClientOptions, "serverName" | "protocols"> | undefined;
  /**
   * The most connections to one origin: a scheme, a host and a port. Further requests wait for one,
   * in FIFO order. A connection whose response is unread counts.
   *
   * @default {6}
   */
  maxConnectionsPerOrigin?: number | undefined;
  /**
   * How long an unused connection is kept for another request, in milliseconds. With 0, none is. If
   * the server says that it keeps it open for less (`keep-alive: timeout=5`, in seconds), it is kept
   * until 1 s before that.
   *
   * @default {5000}
   */
  idleTimeout?: number | undefined;
  /**
   * The time limit of a new connection: lookup, TCP and TLS together, but not the wait for a free
   * connection. In milliseconds.
   *
   * @default {10_000}
   */
  connectTimeout?: number | undefined;
  /**
   * The time limit from the last byte of the request until the response's header is complete, in
   * milliseconds.
   *
   * @default {60_000}
   */
  headersTimeout?: number | undefined;
  /**
   * The time limit between two pieces of the response's body, while a read waits, in milliseconds.
   *
   * @default {60_000}
   */
  bodyTimeout?: number | undefined;
  /**
   * The maximum size of the response's header, in bytes.
   *
   * @default {16_384}
   */
  maxHeaderSize?: number | undefined;
  /**
   * The maximum number of redirects that one call follows.
   *
   * @default {20}
   */
  maxRedirects?: number | undefined;
}

/** The checked options, with their defaults. */
export interface FetchSettings {
  readonly tls: Omit<TlsClientOptions, "serverName" | "protocols">;
  readonly maxConnectionsPerOrigin: number;
  readonly idleTimeout: number;
  readonly connectTimeout: number;
  readonly maxRedirects: number;
  /** The limits of each exchange. */
  readonly limits: ExchangeLimits;
}

const action = "create a fetch";

const known: readonly (keyof FetchOptions)[] = [
  "tls",
  "maxConnectionsPerOrigin",
  "idleTimeout",
  "connectTimeout",
  "headersTimeout",
  "bodyTimeout",
  "maxHeaderSize",
  "maxRedirects",
];

const knownOfTls: readonly (keyof NonNullable<FetchOptions["tls"]>)[] = [
  "authorities",
  "certificate",
  "verification",
  "closeNotify",
  "clock",
  "handshakeTimeout",
  "linger",
];

/**
 * Checks the options, reads each once, and adds the defaults.
 *
 * @throws {TypeError} If an option is unknown, or has the wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function readFetchOptions(options: FetchOptions | undefined, clock: Clock): FetchSettings {
  const given: FetchOptions = options === undefined ? {} : options;
  checkRecord(action, "options", given);
  checkFields(action, "options", given, known);
  const {
    tls = {},
    maxConnectionsPerOrigin = 6,
    idleTimeout = 5000,
    connectTimeout = 10_000,
    headersTimeout = 60_000,
    bodyTimeout = 60_000,
    maxHeaderSize = 16_384,
    maxRedirects = 20,
  } = given;
  checkWhole(action, "maxConnectionsPerOrigin", maxConnectionsPerOrigin, 1, true);
  checkWhole(action, "maxHeaderSize", maxHeaderSize, 1, true);
  checkWhole(action, "maxRedirects", maxRedirects, 0, true);
  for (const [name, value] of Object.entries({ idleTimeout, connectTimeout, headersTimeout, bodyTimeout })) {
    checkMilliseconds(action, name, value);
  }
  checkRecord(action, "tls", tls);
  checkFields(action, "tls", tls, knownOfTls);
  const { authorities, certificate, verification, closeNotify } = tls;
  const { clock: tlsClock = clock, handshakeTimeout = Infinity, linger = 0 } = tls;
  return {
    tls: { authorities, certificate, verification, closeNotify, clock: tlsClock, handshakeTimeout, linger },
    maxConnectionsPerOrigin,
    idleTimeout,
    connectTimeout,
    maxRedirects,
    limits: { clock, headersTimeout, bodyTimeout, maxHeaderSize },
  };
}
