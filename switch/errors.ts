// Copyright 2026 the Sluice authors. MIT license.

import {
  escapeText,
  fieldOf,
  freezeClass,
  hideClass,
  isInstance,
  setFrameLimit,
  setHidden,
  setKind,
  textOf,
} from "../base/internal.ts";

/**
 * The error of an operation that was cancelled, by itself or with its scope. It tells code to stop,
 * and is not a failure: it is not reported to error handlers, and any other error takes precedence.
 *
 * The `cause` is the root error or reason, for debugging: do not branch on it. The stack trace is
 * that of the cause; a cancellation has none of its own.
 * Recognise one by `instanceof`: for an engine it may be an ordinary object, which `structuredClone`
 * does not keep as an error.
 *
 * @example Distinguishing a cancellation from a failure
 * ```ts
 * import { Cancelled, Switch } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * const signal = AbortSignal.abort("enough");
 * await assertRejects(() => Switch.run(() => 1, { signal }), Cancelled);
 * ```
 */
export class Cancelled extends Error {
  static {
    setKind(this, "Cancelled");
    freezeClass(this);
  }

  /**
   * Creates a cancellation.
   *
   * @param cause The root error or reason. If it is a `Cancelled`, its cause is used instead.
   */
  constructor(cause?: unknown) {
    const root = rootOf(cause);
    const limit = setFrameLimit(0);
    super(cancelledText(root), { cause: root });
    setFrameLimit(limit);
    this.name = "Cancelled";
    if (!("stack" in this)) setHidden(this, "stack", String(this)); // Bun leaves it out
  }
}

/** The method that `console.log` calls, on the three runtimes. */
const inspect: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/**
 * A `Cancelled` that is not made by the constructor of `Error`. That one captures frames on Deno,
 * whatever the stack trace limit is, which costs more than a race. An engine takes this for an
 * ordinary object: `structuredClone` does not keep it, and a runtime does not show its cause where
 * it is not handled.
 */
class Reason {
  readonly name: string = "Cancelled";
  readonly #cause: unknown;

  static {
    const { prototype } = this;
    Object.setPrototypeOf(prototype, Cancelled.prototype);
    const define = (key: string, get: (reason: Reason) => unknown) =>
      Object.defineProperty(prototype, key, {
        get(this: Reason) {
          return #cause in this ? get(this) : undefined;
        },
        set(this: Reason, value) { // as for an error, which has the property itself
          Object.defineProperty(this, key, { value, writable: true, enumerable: false, configurable: true });
        },
      });
    define("message", (reason) => cancelledText(reason.#cause));
    define("cause", (reason) => reason.#cause);
    define("stack", String);
    Object.defineProperty(prototype, inspect, {
      value(this: Reason) {
        if (!(#cause in this)) return this;
        return Object.defineProperties(new Cancelled(this.#cause), Object.getOwnPropertyDescriptors(this));
      },
    });
    hideClass(this);
  }

  constructor(cause: unknown) {
    this.#cause = rootOf(cause);
  }
}

/** Returns a {@linkcode Reason} as what it behaves like. */
function withoutError(cause: unknown): Cancelled {
  return new Reason(cause) as unknown as Cancelled;
}

let avoidsErrors = false;

/** Makes {@linkcode cancelledBy} avoid the constructor of `Error` from now on. */
export function avoidErrors(): void {
  avoidsErrors = true;
}

/** Returns a new `Cancelled`, for everything that `cause` cancels. */
export function cancelledBy(cause: unknown): Cancelled {
  return avoidsErrors ? withoutError(cause) : new Cancelled(cause);
}

/** Creates the reason with which the losers of a race and the daemons of a switch are cancelled. */
export const noLongerNeeded: () => Cancelled = frequent("Its result is no longer needed");

/** Creates the reason with which calls that were not awaited are cancelled. */
export const scopeEnded: () => Cancelled = frequent("The scope has ended");

/**
 * Returns a factory of cancellations with one cause, without a stack trace: it would show only
 * where the first of them was made.
 */
function frequent(why: string): () => Cancelled {
  let cause: Error | undefined;
  return () => {
    if (cause === undefined) {
      cause = new Error(why);
      Object.freeze(Object.defineProperty(cause, "stack", { value: String(cause) }));
    }
    return withoutError(cause);
  };
}

function rootOf(cause: unknown): unknown {
  return isInstance(cause, Cancelled) ? fieldOf(cause, Cancelled, "cause") : cause;
}

function cancelledText(root: unknown): string {
  return isInstance(root, Error) ? `Operation was cancelled: ${messageOf(root)}` : "Operation was cancelled";
}

/** The limits of the message of a {@linkcode MultipleErrors}, in errors and in characters. */
const mostListed = 10;
const mostText = 900;

/**
 * Several failures of one scope, in order of occurrence. None of them is a `MultipleErrors` or a
 * {@linkcode Cancelled}.
 *
 * @example Two tasks that fail
 * ```ts
 * import { MultipleErrors, Switch } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(
 *   () =>
 *     Switch.run((sw) => {
 *       sw.onRelease(() => Promise.reject(new Error("Cannot clean up")));
 *       throw new Error("Cannot work");
 *     }),
 *   MultipleErrors,
 *   "Cannot work",
 * );
 * ```
 */
export class MultipleErrors extends AggregateError {
  static {
    freezeClass(this);
  }

  /**
   * Combines several errors into one.
   *
   * @param errors The failures, in order of occurrence. A `MultipleErrors` among them is replaced
   * by its members.
   */
  constructor(errors: Iterable<unknown>) {
    const flat = flatten(errors);
    const listed = flat.slice(0, mostListed).map(messageOf);
    if (flat.length > mostListed) listed.push(`and ${flat.length - mostListed} more`);
    super(flat, `${flat.length} errors: ${escapeText(listed.join("; "), mostText)}`);
    this.name = "MultipleErrors";
  }
}

/**
 * The failures of one scope: errors in order of occurrence, and the first cancellation, which
 * counts only if there is no error.
 */
export class Failures {
  readonly #added: unknown[] = [];
  #cancelled: Cancelled | undefined;

  /** Adds `error`. */
  add(error: unknown): void {
    if (isInstance(error, Cancelled)) this.#cancelled ??= error;
    else this.#added.push(error);
  }

  /** Whether anything was added. */
  get any(): boolean {
    return this.#added.length > 0 || this.#cancelled !== undefined;
  }

  /** The error to throw. An object that was added twice counts once. */
  get error(): unknown {
    if (this.#added.length === 0) return this.#cancelled;
    if (this.#added.length === 1) return this.#added[0];
    const seen: Set<unknown> = new Set();
    const errors = flatten(this.#added).filter((error) => !isObject(error) || seen.size < seen.add(error).size);
    return errors.length === 1 ? errors[0] : new MultipleErrors(errors);
  }
}

function flatten(errors: Iterable<unknown>): unknown[] {
  return Array.from(errors).flatMap((error) => fieldOf(error, MultipleErrors, "errors") ?? [error]);
}

/** Returns the message of `error`, or its text, on one line and truncated. */
export function messageOf(error: unknown): string {
  return textOf(fieldOf(error, Error, "message") ?? error);
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
