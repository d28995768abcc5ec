// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, checkString, escapeText, freezeClass, isInstance, quoteText } from "../base/internal.ts";
import { type Address, formatAddress, type HostAddress } from "./address.ts";

/**
 * What happened, the same on every runtime.
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
 * What the resolver said when a lookup failed, in Eio's names: `NONAME` for a name that does not exist, `NODATA` for
 * one without addresses, `FAIL` when the server could not answer, `AGAIN` when no answer came and asking again may
 * help.
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

/** How many steps of context an error keeps, so that one that is thrown again and again stays small. */
const maxContext = 16;

/** How many characters of each part a message shows, so that none is longer than 1000. */
const maxOperation = 50;
const maxReason = 150;
const maxStep = 200;
const maxShownContext = 200;

/** What the codes of system errors mean, and the names of Deno's errors. */
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

/** The codes that only a resolver gives: those of getaddrinfo, and those of c-ares where they differ. */
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

/** What is being done, and the action that cannot be, each to be followed by what it is done to. */
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

/**
 * Options for {@linkcode netErrorFrom}, and most of those for {@linkcode NetError}.
 */
export interface NetErrorSource {
  /**
   * What was being done, in one word: `"connect"`, `"listen"`, `"bind"`, `"accept"`, `"read"`, `"write"`, `"send"`,
   * `"receive"`, `"shutdown"`, `"close"`, `"lookup"`, `"setOption"`, `"getOption"`, or another.
   */
  operation: string;
  /**
   * What it was done to: an address, the name that is looked up, or the name of the option.
   *
   * @default {undefined}
   */
  address?: Address | HostAddress | string | undefined;
  /**
   * The service that a lookup asked for. It only shows in the message and the context.
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
   * What the resolver said, when the code is `address_lookup_failed`.
   *
   * @default {undefined}
   */
  lookupCode?: LookupCode | undefined;
  /**
   * What else the message says: what would help.
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
 * The outside world, and not the program, made a network operation fail. Branch on {@linkcode NetError.code}, never on
 * the text; the runtime's own error is the `cause`.
 *
 * The first step of {@linkcode NetError.context} says what was done to what; each layer that the error passes adds what
 * it was doing, and the message shows all of it on one line, with unprintable characters escaped.
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
  }

  /** What happened. */
  readonly code: NetErrorCode;
  /** What was being done, in one word. */
  readonly operation: string;
  /** What it was done to, or `undefined`. */
  readonly address: Address | HostAddress | string | undefined;
  /** What the resolver said, when the code is `address_lookup_failed`, or `undefined`. */
  readonly lookupCode: LookupCode | undefined;
  /** What would help, as far as it is known, or `undefined`. */
  readonly remedy: string | undefined;

  /** The message without the context that was added. */
  readonly #summary: string;
  #context: readonly string[];
  /** How many steps of the context the summary says already. */
  readonly #own: number;

  /**
   * Makes an error; the message follows from the code and the options.
   *
   * @param code What happened.
   * @param options What was being done, and why it failed.
   * @throws {TypeError} When an argument is of the wrong type.
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
   * What was being done, innermost step first. The array is frozen; adding a step makes a new one.
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
   * Adds what a layer was doing, to this very error, so that the same failure stays one object. A step that repeats the
   * last one is not added, nor is a seventeenth: an error that a broken connection gives every caller must not grow.
   * {@linkcode addContext} does it to any caught value.
   *
   * @param step What was being done, as `"handling connection from tcp:10.0.0.1:80"`.
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
    setHidden(
      this,
      "message",
      `${this.#summary} (${escapeText(this.#context.slice(this.#own).join(", "), maxShownContext)})`,
    );
    // Runtimes print the stack, whose first line has the message as it was when the error was made.
    const start = typeof stack === "string" ? stack.split("\n", 1)[0].indexOf(message) : -1;
    if (start < 0) return;
    setHidden(this, "stack", stack!.slice(0, start) + this.message + stack!.slice(start + message.length));
  }
}

/**
 * Adds what a layer was doing to a caught error, and returns that same error, to be thrown again. What is not a
 * {@linkcode NetError} is returned unchanged.
 *
 * @typeParam T The type of the error.
 * @param error What was caught.
 * @param step What was being done, as `"handling connection from tcp:10.0.0.1:80"`.
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
    // Frozen, or a proxy: it is thrown on as it is.
  }
  return error;
}

/**
 * Makes a {@linkcode NetError} of what a runtime threw, with the code that {@linkcode codeOf} and
 * {@linkcode lookupCodeOf} find. A {@linkcode NetError} is returned unchanged.
 *
 * @param cause What the runtime threw.
 * @param source What was being done.
 * @returns The error, to be thrown.
 */
export function netErrorFrom(cause: unknown, source: NetErrorSource): NetError {
  if (isInstance(cause, NetError)) return cause;
  const { operation, address, service } = source;
  const code = codeOf(cause, operation);
  const lookupCode = code === "address_lookup_failed" ? lookupCodeOf(cause) : undefined;
  const remedy = code === "permission_denied" ? flagOf(cause) : undefined;
  return new NetError(code, { operation, address, service, lookupCode, remedy, cause });
}

/** The permission flag of Deno that an error names, as advice. */
function flagOf(cause: unknown): string | undefined {
  const flag = /--allow-[a-z]+(?:=\S+)?/.exec(errorText(cause, "message"))?.[0].replace(/[.,;]$/, "");
  return flag === undefined ? undefined : `run Deno with ${flag}`;
}

/**
 * Finds what a runtime's error means: the one table for Deno, Bun and Node.
 *
 * A few errors mean different things in different operations. In a lookup, everything that is not a lack of permission
 * or of open files is `address_lookup_failed`. `EINVAL` is `address_not_available` when it was `bind`, `listen` or
 * `connect` that failed (so Deno says it; the system says it of a route that is a black hole, and of an address that
 * lacks its zone), and `invalid_option` of an option. `ENOTCONN` is `connection_reset` on what was connected. `EAGAIN`
 * and `EPROTOTYPE` are `connection_refused` of a connect: a Unix socket whose backlog is full, and one that is not for
 * streams; Bun calls both refused itself.
 *
 * @param error What the runtime threw.
 * @param operation What was being done, as {@linkcode NetErrorSource.operation}.
 * @returns The code, `unknown` when nothing is known.
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

/** What an error without a known code means by its name, as Deno's own errors have one, or by its message. */
function plainCode(code: NetErrorCode, error: unknown): NetErrorCode {
  if (code !== "unknown") return code;
  const byName = classify(errorText(error, "name"));
  if (byName !== "unknown") return byName;
  // Deno's own API gives these two neither code nor name.
  const message = errorText(error, "message");
  if (message.startsWith("failed to lookup address information")) return "address_lookup_failed";
  if (message.startsWith("Message too long (os error")) return "message_too_large";
  return "unknown";
}

function classify(name: string): NetErrorCode {
  if (Object.hasOwn(systemCodes, name)) return systemCodes[name];
  return name.startsWith("EAI_") || Object.hasOwn(resolverCodes, name) ? "address_lookup_failed" : "unknown";
}

/**
 * Finds what the resolver said, in Eio's names, in an error of `node:dns` or of Deno.
 *
 * @param error What the lookup threw.
 * @returns The code, `UNKNOWN` when nothing is known.
 */
export function lookupCodeOf(error: unknown): LookupCode {
  if (isInstance(error, NetError)) return error.lookupCode ?? "UNKNOWN";
  switch (errorCode(error) || errorText(error, "name")) {
    // These mean a lookup only where there is one.
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

/** The code of a system error; Bun's resolver writes some with a prefix. */
function errorCode(error: unknown): string {
  return errorText(error, "code").replace(/^DNS_/, "");
}

function errorText(error: unknown, key: "code" | "name" | "message" | "syscall"): string {
  if (typeof error !== "object" || error === null) return "";
  try {
    const value = (error as Record<string, unknown>)[key];
    return typeof value === "string" ? value : "";
  } catch {
    return ""; // a getter or a proxy that refuses
  }
}

function describeCode(code: NetErrorCode, lookupCode: LookupCode | undefined, cause: unknown): string {
  const text = escapeText(code, 50).replaceAll("_", " ");
  if (lookupCode !== undefined) return `${text} (${escapeText(lookupCode, 50)})`;
  if (code !== "unknown") return text;
  const reason = errorText(cause, "message") || errorCode(cause);
  return reason === "" ? "unknown error" : `unknown error ${quoteText(reason, maxReason)}`;
}

/** Throws `TypeError` unless an error can be made of these. Returns the options, each of which is read once. */
function checkSource(code: unknown, options: Partial<NetErrorOptions> | undefined): NetErrorOptions {
  const action = "make a NetError";
  checkString(action, "code", code);
  checkOptions(action, options);
  const { operation, address, service, lookupCode, remedy, cause } = options ?? {};
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

function setHidden(error: NetError, key: "message" | "stack", value: string): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}
