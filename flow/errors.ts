// Copyright 2026 the Sluice authors. MIT license.

import { describe, escapeText, freezeClass, setKind, warnIfUnhandled } from "../base/internal.ts";

/** What to do instead of two operations at once. */
const remedies: Readonly<Record<string, string>> = {
  read: "read it in one fiber, or take turns with a Semaphore(1)",
  write: "wrap it in withBufWriter, or take turns with a Semaphore(1)",
};

const prepositions: Readonly<Record<string, string>> = { read: "from", write: "to" };

/** The longest name of a flow that a message shows, in characters. */
const longestName = 200;

/**
 * The flow ended where more bytes were required.
 *
 * @example A message cut short
 * ```ts
 * import { EndOfFlow, readExact, stringSource } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => readExact(stringSource("ab"), new Uint8Array(3)), EndOfFlow);
 * ```
 */
export class EndOfFlow extends Error {
  static {
    freezeClass(this);
    warnIfUnhandled(this);
  }

  /**
   * Makes the error.
   *
   * @param message What was required.
   */
  constructor(message = "Cannot read on: the flow has ended") {
    super(message);
    this.name = "EndOfFlow";
  }
}

/**
 * More bytes were needed at once than the given limit.
 *
 * @example A body that is too large
 * ```ts
 * import { BufferLimitExceeded, readAll, stringSource } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => readAll(stringSource("hello"), { maxSize: 4 }), BufferLimitExceeded);
 * ```
 */
export class BufferLimitExceeded extends Error {
  static {
    freezeClass(this);
    warnIfUnhandled(this);
  }

  /** The limit, in bytes. */
  readonly limit: number;
  /** Offset in the stream where the oversized part begins, in bytes, if known. */
  readonly offset: number | undefined;
  /** The flow that it came from, if that has a name: "tcp:127.0.0.1:80". */
  readonly flow: string | undefined;

  /**
   * Makes the error.
   *
   * @param limit The limit, in bytes.
   * @param details What was too long ("a line"), where it begins, and which flow it came from.
   */
  constructor(
    limit: number,
    details?: { what?: string | undefined; offset?: number | undefined; flow?: string | undefined },
  ) {
    const { what, offset, flow } = details ?? {};
    const from = flow === undefined ? "" : ` from ${shown(flow)}`;
    const which = what === undefined ? from : `: ${escapeText(what)}${from} is longer than maxSize`;
    const message = `Cannot buffer more than ${describe(limit)} bytes${which}`;
    super(offset === undefined ? message : located(message, offset));
    this.name = "BufferLimitExceeded";
    this.limit = limit;
    this.offset = offset;
    this.flow = flow;
  }
}

/**
 * The writer was aborted, or its sink failed, while a flush waited.
 *
 * @example A writer that is aborted
 * ```ts
 * import { BufWriter, FlushAborted } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * const writer = new BufWriter();
 * writer.string("hello");
 * const flushing = writer.flush();
 * writer.abort();
 * await assertRejects(() => flushing, FlushAborted);
 * ```
 */
export class FlushAborted extends Error {
  static {
    freezeClass(this);
    warnIfUnhandled(this);
  }

  /**
   * Makes the error.
   *
   * @param cause What ended the writer.
   */
  constructor(cause?: unknown) {
    super("Cannot flush: the writer was aborted", { cause });
    this.name = "FlushAborted";
  }
}

/**
 * The input does not match what a parser requires.
 *
 * @example Where it went wrong
 * ```ts
 * import { parse, ParseError } from "@sluice/io";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const error = await assertRejects(() => parse("ab", (r) => r.byte(97)), ParseError);
 * assertEquals(error.offset, 1);
 * ```
 */
export class ParseError extends Error {
  static {
    freezeClass(this);
    warnIfUnhandled(this);
  }

  /** Offset from the beginning of the stream, in bytes. */
  readonly offset: number;

  /**
   * Makes the error.
   *
   * @param message What was expected, and what was found.
   * @param offset Offset from the beginning of the stream, in bytes.
   * @param cause The underlying error.
   */
  constructor(message: string, offset: number, cause?: unknown) {
    super(located(message, offset), { cause });
    this.name = "ParseError";
    this.offset = offset;
  }
}

/**
 * This side has ended what the operation needs: it closed the flow, or shut down sending.
 *
 * @example Writing after the end
 * ```ts
 * import { ClosedError, copyString, pipe } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * const [end] = pipe();
 * await end.shutdown("send");
 * await assertRejects(() => copyString("too late", end), ClosedError);
 * ```
 */
export class ClosedError extends Error {
  static {
    setKind(this, "ClosedError");
    freezeClass(this);
  }

  /** The operation: "read", "write", "accept". */
  readonly operation: string;
  /** The flow, if it has a name: "tcp:127.0.0.1:80". */
  readonly flow: string | undefined;

  /**
   * Makes the error.
   *
   * @param operation The operation that failed.
   * @param state What this side did before.
   * @param options The name of the flow; and the reason, as the cause, if there is one.
   */
  constructor(
    operation: string,
    state: string = "closed by this side",
    options?: ErrorOptions & { flow?: string | undefined },
  ) {
    super(`Cannot ${onFlow(operation, options?.flow)}: ${escapeText(state)}`, causeOf(options));
    this.name = "ClosedError";
    this.operation = operation;
    this.flow = options?.flow;
  }
}

/**
 * Two fibers read one flow at once, or write to it at once. To write from several fibers, wrap the
 * flow in `withBufWriter`, or let them take turns with a `Semaphore(1)`.
 *
 * @example Two readers
 * ```ts
 * import { BusyError, pipe } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * const [a, b] = pipe();
 * const reading = a.read(new Uint8Array(1));
 * await assertRejects(() => a.read(new Uint8Array(1)), BusyError);
 * await b.close();
 * await reading;
 * ```
 */
export class BusyError extends Error {
  static {
    freezeClass(this);
    warnIfUnhandled(this);
  }

  /** The operation: "read" or "write". */
  readonly operation: string;
  /** The flow, if it has a name: "tcp:127.0.0.1:80". */
  readonly flow: string | undefined;

  /**
   * Makes the error.
   *
   * @param operation The operation that failed.
   * @param options The name of the flow.
   */
  constructor(operation: string, options?: { flow?: string | undefined }) {
    const flow = options?.flow;
    const where = flow === undefined
      ? ""
      : ` on ${shown(flow)}; ${remedies[operation] ?? "take turns with a Semaphore(1)"}`;
    const word = escapeText(operation);
    super(`Cannot ${word}: another ${word} is under way${where}`);
    this.name = "BusyError";
    this.operation = operation;
    this.flow = flow;
  }
}

/**
 * The other end of a pipe is closed, so what is written can never be read.
 *
 * @example Writing to a closed pipe
 * ```ts
 * import { BrokenPipeError, copyString, pipe } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * const [a, b] = pipe();
 * await b.close();
 * await assertRejects(() => copyString("hello", a), BrokenPipeError);
 * ```
 */
export class BrokenPipeError extends Error {
  static {
    freezeClass(this);
    warnIfUnhandled(this);
  }

  /** The operation: "write". */
  readonly operation: string;
  /** The flow, if it has a name: "stdout". */
  readonly flow: string | undefined;

  /**
   * Makes the error.
   *
   * @param operation The operation that failed.
   * @param options The runtime's own error as the cause, if there is one; and the name of the flow.
   */
  constructor(operation: string, options?: ErrorOptions & { flow?: string | undefined }) {
    super(`Cannot ${onFlow(operation, options?.flow)}: the other end is closed`, causeOf(options));
    this.name = "BrokenPipeError";
    this.operation = operation;
    this.flow = options?.flow;
  }
}

/** Names an operation and its flow: "read from tcp:127.0.0.1:80". */
function onFlow(operation: string, flow: string | undefined): string {
  const word = escapeText(operation);
  return flow === undefined ? word : `${word} ${prepositions[operation] ?? "on"} ${shown(flow)}`;
}

function shown(flow: string): string {
  return escapeText(flow, longestName);
}

/** Adds the offset to a message, once. */
function located(message: string, offset: number): string {
  const place = ` (at offset ${offset})`;
  return message.endsWith(place) ? message : message + place;
}

/** Picks the cause from options, unless it is `undefined`. */
function causeOf(options: ErrorOptions | undefined): ErrorOptions | undefined {
  return typeof options !== "object" || !("cause" in options) ? undefined : { cause: options.cause };
}

/**
 * Key of the name of a flow of the library, for errors: "tcp:127.0.0.1:80". Not exported: foreign
 * flows have none.
 */
export const label: unique symbol = Symbol("label");

/** Returns the name of a flow of the library. Called only when an error is made. */
export function labelOf(flow: object): string | undefined {
  const name = (flow as { readonly [label]?: unknown })[label];
  return typeof name === "string" ? name : undefined;
}
