// Copyright 2026 the Sluice authors. MIT license.

import {
  checkOptions,
  checkString,
  escapeText,
  freezeClass,
  isInstance,
  quoteText,
  setHidden,
  warnIfUnhandled,
} from "../base/internal.ts";
import { type Address, formatAddress, type HostAddress } from "./address.ts";

/**
 * The kind of a {@linkcode NetError}, the same on every runtime.
 *
 * @example Branching on the code
 * ```ts
 * import { NetError, type NetErrorCode } from "@sluice/io";
 * import { assert } from "@std/assert";
 *
 * const worthRetrying: readonly NetErrorCode[] = ["connection_refused", "connection_timeout"];
 * const error = new NetError("connection_refused", { operation: "connect" });
 * assert(worthRetrying.includes(error.code));
 * ```
 */
export type NetErrorCode =
  | "connection_refused"
  | "connection_reset"
  | "connection_timeout"
  | "address_lookup_failed"
  | "address_in_use"
  | "address_not_available"
  | "host_unreachable"
  | "network_unreachable"
  | "permission_denied"
  | "quota_exceeded"
  | "not_found"
  | "too_many_open_files"
  | "message_too_large"
  | "invalid_option"
  | "not_supported"
  | "unknown";

/**
 * The resolver's code for a failed lookup, in Eio's names: `NONAME` if the name does not exist,
 * `NODATA` if it has no addresses, `FAIL` if the server could not answer, `AGAIN` if no answer came
 * and a retry may help.
 */
export type LookupCode =
  | "ADDRFAMILY"
  | "AGAIN"
  | "BADFLAGS"
  | "BADHINTS"
  | "FAIL"
  | "FAMILY"
  | "MEMORY"
  | "NODATA"
  | "NONAME"
  | "OVERFLOW"
  | "PROTOCOL"
  | "SERVICE"
  | "SOCKTYPE"
  | "UNKNOWN";

/** The most context steps of an error, so that one rethrown repeatedly stays small. */
const maxContext = 16;

/** The most characters of each part of a message, which keep it below 1000. */
const maxOperation = 50;
const maxReason = 150;
const maxStep = 200;
const maxShownContext = 200;

/** The meaning of system error codes, and of the names of Deno's errors. */
const systemCodes: Readonly<Record<string, NetErrorCode>> = {
  ECONNREFUSED: "connection_refused",
  ConnectionRefused: "connection_refused",
  ECONNRESET: "connection_reset",
  ConnectionReset: "connection_reset",
  ECONNABORTED: "connection_reset",
  ConnectionAborted: "connection_reset",
  EPIPE: "connection_reset",
  BrokenPipe: "connection_reset",
  ENETRESET: "connection_reset",
  ETIMEDOUT: "connection_timeout",
  TimedOut: "connection_timeout",
  EADDRINUSE: "address_in_use",
  AddrInUse: "address_in_use",
  EADDRNOTAVAIL: "address_not_available",
  AddrNotAvailable: "address_not_available",
  EHOSTUNREACH: "host_unreachable",
  EHOSTDOWN: "host_unreachable",
  ENETUNREACH: "network_unreachable",
  ENETDOWN: "network_unreachable",
  NetworkUnreachable: "network_unreachable",
  EACCES: "permission_denied",
  EPERM: "permission_denied",
  ERR_ACCESS_DENIED: "permission_denied",
  PermissionDenied: "permission_denied",
  NotCapable: "permission_denied",
  EROFS: "permission_denied",
  ENOENT: "not_found",
  ENOTDIR: "not_found",
  NotFound: "not_found",
  EMFILE: "too_many_open_files",
  ENFILE: "too_many_open_files",
  EMSGSIZE: "message_too_large",
  ENOPROTOOPT: "invalid_option",
  ENOSYS: "not_supported",
  ENOTSUP: "not_supported",
  EOPNOTSUPP: "not_supported",
  EAFNOSUPPORT: "not_supported",
  EPROTONOSUPPORT: "not_supported",
  ESOCKTNOSUPPORT: "not_supported",
  NotSupported: "not_supported",
};

/** The codes that only resolvers report: getaddrinfo's, and c-ares's where they differ. */
const resolverCodes: Readonly<Record<string, LookupCode>> = {
  ENOTFOUND: "NONAME",
  ENONAME: "NONAME",
  EBADNAME: "NONAME",
  EBADQUERY: "NONAME",
  EAI_NONAME: "NONAME",
  ENODATA: "NODATA",
  EAI_NODATA: "NODATA",
  ETIMEOUT: "AGAIN",
  EAI_AGAIN: "AGAIN",
  ESERVFAIL: "FAIL",
  EREFUSED: "FAIL",
  EFORMERR: "FAIL",
  ENOTIMP: "FAIL",
  EBADRESP: "FAIL",
  EAI_FAIL: "FAIL",
  EAI_SERVICE: "SERVICE",
  EBADFAMILY: "FAMILY",
  EAI_FAMILY: "FAMILY",
  EAI_ADDRFAMILY: "ADDRFAMILY",
  EBADFLAGS: "BADFLAGS",
  EAI_BADFLAGS: "BADFLAGS",
  EBADHINTS: "BADHINTS",
  EAI_BADHINTS: "BADHINTS",
  EAI_MEMORY: "MEMORY",
  EAI_OVERFLOW: "OVERFLOW",
  EAI_PROTOCOL: "PROTOCOL",
  EAI_SOCKTYPE: "SOCKTYPE",
};

/** The phrases of each operation for the context and the message, followed by its target. */
const phrases: Readonly<Record<string, readonly [doing: string, action: string]>> = {
  connect: ["connecting to", "connect to"],
  listen: ["listening on", "listen on"],
  bind: ["binding to", "bind to"],
  accept: ["accepting on", "accept on"],
  read: ["reading from", "read from"],
  write: ["writing to", "write to"],
  send: ["sending to", "send to"],
  receive: ["receiving on", "receive on"],
  shutdown: ["shutting down", "shut down"],
  close: ["closing", "close"],
  lookup: ["looking up", "look up"],
  setOption: ["setting socket option", "set socket option"],
  getOption: ["getting socket option", "get socket option"],
};

/** Options for {@linkcode netErrorFrom}, and most of those for {@linkcode NetError}. */
export interface NetErrorSource {
  /**
   * The operation, in one word: `"connect"`, `"listen"`, `"bind"`, `"accept"`, `"read"`, `"write"`,
   * `"send"`, `"receive"`, `"shutdown"`, `"close"`, `"lookup"`, `"setOption"`, `"getOption"`, or
   * another.
   */
  operation: string;
  /**
   * The target of the operation: an address, the name looked up, or the name of the option.
   *
   * @default {undefined}
   */
  address?: Address | HostAddress | string | undefined;
  /**
   * The service of a lookup, for the message and the context only.
   *
   * @default {undefined}
   */
  service?: string | undefined;
}

/**
 * Options for {@linkcode NetError}.
 *
 * @example A failed lookup
 * ```ts
 * import { NetError, type NetErrorOptions } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const options: NetErrorOptions = { operation: "lookup", address: "example.com", lookupCode: "NONAME" };
 * const { message } = new NetError("address_lookup_failed", options);
 * assertEquals(message, 'Cannot look up "example.com": address lookup failed (NONAME)');
 * ```
 */
export interface NetErrorOptions extends NetErrorSource {
  /**
   * The resolver's code, if the code is `address_lookup_failed`.
   *
   * @default {undefined}
   */
  lookupCode?: LookupCode | undefined;
  /**
   * A remedy, which ends the message.
   *
   * @default {undefined}
   */
  remedy?: string | undefined;
  /**
   * The runtime's own error.
   *
   * @default {undefined}
   */
  cause?: unknown;
}

/**
 * A network operation failed for an external reason, not by misuse. Branch on
 * {@linkcode NetError.code}, never on the text; the runtime's own error is the `cause`.
 *
 * The first step of {@linkcode NetError.context} names the operation and its target; each layer
 * that the error passes through can add a step. The message shows them all on one line, with
 * unprintable characters escaped.
 *
 * @example Usage
 * ```ts
 * import { NetError, tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new NetError("connection_refused", { operation: "connect", address: tcp("10.0.0.1", 80) });
 * assertEquals(error.message, "Cannot connect to tcp:10.0.0.1:80: connection refused");
 * assertEquals(error.context, ["connecting to tcp:10.0.0.1:80"]);
 * ```
 */
export class NetError extends Error {
  static {
    freezeClass(this);
    warnIfUnhandled(this);
  }

  /** The kind of failure. */
  readonly code: NetErrorCode;
  /** The operation, in one word. */
  readonly operation: string;
  /** The target of the operation, or `undefined`. */
  readonly address: Address | HostAddress | string | undefined;
  /** The resolver's code, if the code is `address_lookup_failed`, or `undefined`. */
  readonly lookupCode: LookupCode | undefined;
  /** A remedy, or `undefined`. */
  readonly remedy: string | undefined;

  /** The message without added context. */
  readonly #summary: string;
  #context: readonly string[];
  /** How many steps of the context are part of the summary. */
  readonly #own: number;

  /**
   * Creates an error; its message is built from the code and the options.
   *
   * @param code The kind of failure.
   * @param options The operation, and why it failed.
   * @throws {TypeError} If an argument is of the wrong type.
   */
  constructor(code: NetErrorCode, options: NetErrorOptions) {
    const checked = checkSource(code, options);
    const { operation, address, lookupCode, remedy, cause } = checked;
    const target = address === undefined ? undefined : describeTarget(checked);
    const word = escapeText(operation, maxOperation);
    const [doing, action] = Object.hasOwn(phrases, operation) ? phrases[operation] : [word, word];
    const verb = target === undefined ? action.replace(/ (?:to|from|on)$/, "") : `${action} ${target}`;
    const help = remedy === undefined ? "" : `: ${escapeText(remedy)}`;
    const summary = `Cannot ${verb}: ${describeCode(code, lookupCode, cause)}${help}`;
    super(summary, cause === undefined ? undefined : { cause });
    this.name = "NetError";
    this.code = code;
    this.operation = operation;
    this.address = address;
    this.lookupCode = lookupCode;
    this.remedy = remedy;
    this.#summary = summary;
    this.#context = Object.freeze(target === undefined ? [] : [`${doing} ${target}`]);
    this.#own = this.#context.length;
  }

  /**
   * What was being done, innermost step first. The array is frozen; adding a step replaces it.
   *
   * @returns The steps.
   *
   * @example Usage
   * ```ts
   * import { NetError, tcp } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const error = new NetError("connection_reset", { operation: "read", address: tcp("10.0.0.1", 80) });
   * error.addContext("fetching the index");
   * assertEquals(error.context, ["reading from tcp:10.0.0.1:80", "fetching the index"]);
   * ```
   */
  get context(): readonly string[] {
    return this.#context;
  }

  /**
   * Adds a step to the context of this error, in place, so that one failure remains one object. A
   * step equal to the last one is not added, nor is a seventeenth: an error that every caller of a
   * broken connection gets must not grow. {@linkcode addContext} accepts any caught value.
   *
   * @param step What was being done, such as `"handling connection from tcp:10.0.0.1:80"`.
   *
   * @example Usage
   * ```ts
   * import { NetError } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const error = new NetError("connection_reset", { operation: "read" });
   * error.addContext("fetching the index");
   * assertEquals(error.message, "Cannot read: connection reset (fetching the index)");
   * ```
   */
  addContext(step: string): void {
    checkString("add to the context of an error", "step", step);
    const line = escapeText(step, maxStep);
    if (this.#context.at(-1) === line || this.#context.length >= maxContext) return;
    this.#context = Object.freeze([...this.#context, line]);
    const { message, stack } = this;
    const added = escapeText(this.#context.slice(this.#own).join(", "), maxShownContext);
    setHidden(this, "message", `${this.#summary} (${added})`);
    // Runtimes print the stack, whose first line has the original message.
    const start = typeof stack === "string" ? stack.split("\n", 1)[0].indexOf(message) : -1;
    if (start < 0) return;
    setHidden(this, "stack", stack!.slice(0, start) + this.message + stack!.slice(start + message.length));
  }
}

/**
 * Adds a context step to a caught error, and returns the same error, to be rethrown. Anything but a
 * {@linkcode NetError} is returned unchanged.
 *
 * @typeParam T The type of the error.
 * @param error The caught value.
 * @param step What was being done, such as `"handling connection from tcp:10.0.0.1:80"`.
 * @returns The same `error`.
 *
 * @example Usage
 * ```ts
 * import { addContext, NetError } from "@sluice/io";
 * import { assertThrows } from "@std/assert";
 *
 * assertThrows(
 *   () => {
 *     try {
 *       throw new NetError("connection_reset", { operation: "read" });
 *     } catch (error) {
 *       throw addContext(error, "fetching the index");
 *     }
 *   },
 *   NetError,
 *   "fetching the index",
 * );
 * ```
 */
export function addContext<T>(error: T, step: string): T {
  try {
    if (error instanceof NetError) error.addContext(step);
  } catch {
    // Frozen, or a proxy: it is rethrown unchanged.
  }
  return error;
}

/**
 * Converts a runtime's error to a {@linkcode NetError}, with the codes of {@linkcode codeOf} and
 * {@linkcode lookupCodeOf}. A {@linkcode NetError} is returned unchanged.
 *
 * @param cause The runtime's error.
 * @param source The operation and its target.
 * @returns The error to throw.
 */
export function netErrorFrom(cause: unknown, source: NetErrorSource): NetError {
  if (isInstance(cause, NetError)) return cause;
  const { operation, address, service } = source;
  const code = codeOf(cause, operation);
  const lookupCode = code === "address_lookup_failed" ? lookupCodeOf(cause) : undefined;
  const remedy = code === "permission_denied" ? flagOf(cause) : undefined;
  return new NetError(code, { operation, address, service, lookupCode, remedy, cause });
}

/** Returns a remedy if an error names a permission flag of Deno. */
function flagOf(cause: unknown): string | undefined {
  const flag = /--allow-[a-z]+(?:=\S+)?/.exec(errorText(cause, "message"))?.[0].replace(/[.,;]$/, "");
  return flag === undefined ? undefined : `run Deno with ${flag}`;
}

/**
 * Returns the code of a runtime's error: the only such table for Deno, Bun and Node.
 *
 * A few codes depend on the operation. In a lookup, everything but a lack of permission or of file
 * descriptors is `address_lookup_failed`. `EINVAL` is `address_not_available` if `bind`, `listen`
 * or `connect` failed (as on Deno; the system reports it for a blackhole route, and for an address
 * without its zone), and `invalid_option` for an option. `ENOTCONN` is `connection_reset` on a
 * socket that was connected. `EAGAIN` and `EPROTOTYPE` are `connection_refused` for a connect: the
 * backlog of a Unix socket is full, or it is not a stream socket; Bun itself reports both as
 * refused.
 *
 * @param error The runtime's error.
 * @param operation The operation, as in {@linkcode NetErrorSource.operation}.
 * @returns The code, or `unknown`.
 */
export function codeOf(error: unknown, operation: string = ""): NetErrorCode {
  if (isInstance(error, NetError)) return error.code;
  const code = plainCode(classify(errorCode(error)), error);
  if (operation === "lookup") {
    return code === "permission_denied" || code === "too_many_open_files" ? code : "address_lookup_failed";
  }
  if (code !== "unknown") return code;
  switch (errorCode(error) || errorText(error, "name")) {
    case "EINVAL":
      if (operation === "setOption" || operation === "getOption") return "invalid_option";
      return /^(?:bind|listen|connect)$/.test(errorText(error, "syscall") || operation)
        ? "address_not_available"
        : "unknown";
    case "ENOTCONN":
    case "NotConnected":
      return /^(?:read|write|shutdown)$/.test(operation) ? "connection_reset" : "unknown";
    case "EAGAIN":
    case "EPROTOTYPE":
      return operation === "connect" ? "connection_refused" : "unknown";
    default:
      return "unknown";
  }
}

/** Returns `code`, or if it is unknown, the code of the error's name (on Deno) or message. */
function plainCode(code: NetErrorCode, error: unknown): NetErrorCode {
  const known = code === "unknown" ? classify(errorText(error, "name")) : code;
  if (known !== "unknown") return known;
  // Deno's own API sets neither code nor name for these three.
  const message = errorText(error, "message");
  if (message.startsWith("failed to lookup address information")) return "address_lookup_failed";
  if (message.startsWith("Message too long (os error")) return "message_too_large";
  if (message.startsWith("Protocol wrong type for socket (os error")) return "connection_refused";
  return "unknown";
}

function classify(name: string): NetErrorCode {
  if (Object.hasOwn(systemCodes, name)) return systemCodes[name];
  return name.startsWith("EAI_") || Object.hasOwn(resolverCodes, name) ? "address_lookup_failed" : "unknown";
}

/**
 * Returns the resolver's code, in Eio's names, of an error of `node:dns` or Deno.
 *
 * @param error The error of the lookup.
 * @returns The code, or `UNKNOWN`.
 */
export function lookupCodeOf(error: unknown): LookupCode {
  if (isInstance(error, NetError)) return error.lookupCode ?? "UNKNOWN";
  switch (errorCode(error) || errorText(error, "name")) {
    // These codes concern lookups only in this context.
    case "ECONNREFUSED":
    case "ConnectionRefused":
    case "ETIMEDOUT":
    case "TimedOut":
      return "AGAIN";
    case "ENOMEM":
      return "MEMORY";
    case "NotFound":
      return "NONAME";
  }
  const message = errorText(error, "message");
  if (/^failed to lookup address information: (?:Name or service|nodename nor servname)/.test(message)) return "NONAME";
  const code = errorCode(error);
  return Object.hasOwn(resolverCodes, code) ? resolverCodes[code] : "UNKNOWN";
}

/** Returns the code of a system error; Bun's resolver prefixes some. */
function errorCode(error: unknown): string {
  return errorText(error, "code").replace(/^DNS_/, "");
}

function errorText(error: unknown, key: "code" | "name" | "message" | "syscall"): string {
  if (typeof error !== "object" || error === null) return "";
  try {
    const value = (error as Record<string, unknown>)[key];
    return typeof value === "string" ? value : "";
  } catch {
    return ""; // a getter or a proxy that throws
  }
}

function describeCode(code: NetErrorCode, lookupCode: LookupCode | undefined, cause: unknown): string {
  const text = escapeText(code, 50).replaceAll("_", " ");
  if (lookupCode !== undefined) return `${text} (${escapeText(lookupCode, 50)})`;
  if (code !== "unknown") return text;
  const reason = errorText(cause, "message") || errorCode(cause);
  return reason === "" ? "unknown error" : `unknown error ${quoteText(reason, maxReason)}`;
}

/** Checks the arguments of an error, and returns the options, each read once. */
function checkSource(code: unknown, options: Partial<NetErrorOptions> | undefined): NetErrorOptions {
  const action = "make a NetError";
  checkString(action, "code", code);
  const { operation, address, service, lookupCode, remedy, cause } = checkOptions(action, options);
  checkString(action, "operation", operation);
  for (const [name, value] of Object.entries({ service, lookupCode, remedy })) {
    if (value !== undefined) checkString(action, name, value);
  }
  return { operation: operation as string, address, service, lookupCode, remedy, cause };
}

function describeTarget({ operation, address, service }: NetErrorSource): string {
  const text = typeof address === "string" ? address : formatAddress(address!);
  const target = operation === "lookup" ? quoteText(text, 253) : escapeText(text);
  return service === undefined ? target : `${target} (service ${quoteText(service)})`;
}
