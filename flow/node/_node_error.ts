// Copyright 2026 the Sluice authors. MIT license.

/**
 * Errors like those of Node's sockets: retry loops and pools look at `code`, `syscall`, `address`
 * and `port`. The error of the flow is the `cause`.
 */
import { constants } from "node:os";

/** The system call that failed, as Node names it. */
export type SystemCall = "connect" | "read" | "write" | "shutdown";

/** The properties of a Node error beside its message. */
interface Details {
  readonly errno?: number;
  readonly code: string;
  readonly syscall?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

/** The properties used here of errors whose classes belong to layers above. */
interface LayerError extends Error {
  readonly code: string;
  readonly operation?: string;
  readonly address?: unknown;
  readonly lookupCode?: string;
}

/** System error codes by `NetError` code. */
const systemCodes: Readonly<Record<string, string>> = {
  connection_refused: "ECONNREFUSED",
  connection_reset: "ECONNRESET",
  connection_timeout: "ETIMEDOUT",
  address_in_use: "EADDRINUSE",
  address_not_available: "EADDRNOTAVAIL",
  host_unreachable: "EHOSTUNREACH",
  network_unreachable: "ENETUNREACH",
  permission_denied: "EACCES",
  quota_exceeded: "EDQUOT",
  not_found: "ENOENT",
  too_many_open_files: "EMFILE",
  message_too_large: "EMSGSIZE",
  invalid_option: "EINVAL",
  not_supported: "EOPNOTSUPP",
};

/**
 * getaddrinfo codes by the lookup code of a `NetError`. For any other, it is `EAI_` and that code.
 */
const resolverCodes: Readonly<Record<string, string>> = {
  NONAME: "ENOTFOUND",
  NODATA: "ENOTFOUND",
  ADDRFAMILY: "ENOTFOUND",
  UNKNOWN: "EAI_FAIL",
};

/** libuv's numbers for codes that are not system errors. */
const resolverNumbers: Readonly<Record<string, number>> = { ENOTFOUND: -3008, EAI_AGAIN: -3001, EAI_FAIL: -3004 };

/** `node:tls` codes by `TlsError` code, for errors whose cause has no code. */
const tlsCodes: Readonly<Record<string, string>> = {
  certificate_untrusted: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  certificate_expired: "CERT_HAS_EXPIRED",
  name_mismatch: "ERR_TLS_CERT_ALTNAME_INVALID",
  handshake_timeout: "ERR_TLS_HANDSHAKE_TIMEOUT",
  truncated: "ECONNRESET",
  protocol: "EPROTO",
};

/**
 * Converts an error of a flow to the one with which its stream is destroyed. Errors that are not of
 * this library are returned unchanged.
 *
 * @param reason The error of the flow.
 * @param syscall The operation that failed.
 * @param peerEnded Whether the peer's end was read before: a later reset is `EPIPE`.
 */
export function nodeError(reason: unknown, syscall: SystemCall, peerEnded = false): Error {
  if (!(reason instanceof Error)) return new Error(`Cannot use the stream: ${String(reason)}`, { cause: reason });
  if (reason.name === "NetError") return fromNetError(reason as LayerError, syscall, peerEnded);
  if (reason.name === "TlsError") return fromTlsError(reason as LayerError);
  if (reason.name === "BrokenPipeError") {
    return systemError(syscall === "read" ? "ECONNRESET" : "EPIPE", syscall, reason);
  }
  if (reason.name === "ClosedError") return coded("ERR_SOCKET_CLOSED", "Socket is closed", reason);
  // An opener failed to parse an address. A lookup of that text would find nothing.
  if (syscall === "connect" && reason instanceof SyntaxError) return lookupError("ENOTFOUND", undefined, reason);
  return reason;
}

/** Returns the error of operations that were pending when the stream was destroyed. */
export function destroyedError(operation: string, cause?: unknown): Error {
  return coded("ERR_STREAM_DESTROYED", `Cannot call ${operation} after a stream was destroyed`, cause);
}

/** Returns the error of a write after the peer has ended, and the stream with it. */
export function endedByPeerError(): Error {
  return coded("EPIPE", "This socket has been ended by the other party");
}

/** Makes an error with a code. */
export function coded(code: string, message: string, cause?: unknown, Class: ErrorConstructor = Error): Error {
  return Object.assign(new Class(message, cause === undefined ? undefined : { cause }), { code });
}

function fromNetError(error: LayerError, syscall: SystemCall, peerEnded: boolean): Error {
  const failures = attempts(error);
  if (failures.length === 1) return nodeError(failures[0], syscall);
  if (failures.length > 1) return aggregate(failures.map((failure) => nodeError(failure, syscall)), error);
  if (error.code === "address_lookup_failed") {
    const { lookupCode = "FAIL" } = error;
    return lookupError(resolverCodes[lookupCode] ?? `EAI_${lookupCode}`, hostName(error.address), error);
  }
  const { host, port } = endpoint(error.address);
  const code = systemCode(error, syscall, peerEnded);
  // Node names the address in errors of connecting and binding, not in those of a connected socket.
  const call = error.operation === "bind" || error.operation === "listen" ? error.operation : syscall;
  if (call === "read" || call === "write" || call === "shutdown") return systemError(code, call, error);
  return systemError(code, call, error, host, port);
}

function systemCode(error: LayerError, syscall: SystemCall, peerEnded: boolean): string {
  const own = systemCauseOf(error);
  if (error.code === "connection_reset" && syscall !== "connect" && syscall !== "read") {
    return peerEnded || own !== "ECONNRESET" ? "EPIPE" : own;
  }
  if (error.code === "permission_denied" && own === "EPERM") return own;
  return systemCodes[error.code] ?? own ?? "UNKNOWN";
}

function fromTlsError(error: LayerError): Error {
  const code = codeOf(error.cause);
  return coded(code ?? tlsCodes[error.code] ?? "EPROTO", error.message, error);
}

function lookupError(code: string, hostname: string | undefined, cause: unknown): Error {
  const message = hostname === undefined ? `getaddrinfo ${code}` : `getaddrinfo ${code} ${hostname}`;
  return detailed(message, { errno: resolverNumbers[code], code, syscall: "getaddrinfo", hostname }, cause);
}

function systemError(code: string, syscall: string, cause: unknown, address?: string, port?: number): Error {
  const number = (constants.errno as Record<string, number | undefined>)[code];
  const where = address === undefined ? "" : port === undefined ? ` ${address}` : ` ${address}:${port}`;
  const errno = number === undefined ? undefined : -number;
  return detailed(`${syscall} ${code}${where}`, { errno, code, syscall, address, port }, cause);
}

/** Node's AggregateError also has the code of its first error. */
function aggregate(errors: readonly Error[], cause: unknown): Error {
  const message = errors.map((error) => error.message).join("; ");
  return Object.assign(new AggregateError(errors, message, { cause }), { code: codeOf(errors[0]) });
}

/** Makes an error with properties, without the undefined ones, as Node does. */
function detailed(message: string, details: Details, cause: unknown): Error {
  const known = Object.entries(details).filter(([, value]) => value !== undefined);
  return Object.assign(new Error(message, { cause }), Object.fromEntries(known));
}

/** Returns the errors of the addresses that were tried, if there were several. */
function attempts(error: LayerError): readonly unknown[] {
  return error.cause instanceof AggregateError ? error.cause.errors : [];
}

/** Returns the nearest system error code among the causes of an error. */
function systemCauseOf(error: Error): string | undefined {
  let cause = error.cause;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth++, cause = cause.cause) {
    const code = codeOf(cause);
    if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

function endpoint(address: unknown): { host?: string; port?: number } {
  if (typeof address === "string") return { host: address };
  const { ip, port, path, name } = (address ?? {}) as { ip?: unknown; port?: unknown; path?: unknown; name?: unknown };
  const host = ip ?? path ?? name;
  return { host: host === undefined ? undefined : String(host), port: typeof port === "number" ? port : undefined };
}

function hostName(address: unknown): string | undefined {
  return endpoint(address).host;
}
