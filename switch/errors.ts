// Copyright 2026 the Sluice authors. MIT license.

import { escapeText, fieldOf, freezeClass, isInstance, setKind, textOf } from "../base/internal.ts";

/**
 * The operation, or the scope it ran in, was cancelled. It tells code to stop; it is not a failure:
 * it is never reported to error handlers and gives way to any real error.
 *
 * The `cause` is the root error or reason, for debugging: do not branch on it.
 *
 * @example Telling a cancellation from a failure
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
   * Makes a cancellation.
   *
   * @param cause The root error or reason. The cause of a `Cancelled` is taken over, so that the
   * root stays in sight.
   */
  constructor(cause?: unknown) {
    const root = isInstance(cause, Cancelled) ? fieldOf(cause, Cancelled, "cause") : cause;
    super(isInstance(root, Error) ? `Operation was cancelled: ${messageOf(root)}` : "Operation was cancelled", {
      cause: root,
    });
    this.name = "Cancelled";
  }
}

/**
 * Why the losers of a race and the daemons of a switch are cancelled: what they did is not needed
 * any more.
 */
export const noLongerNeeded: () => Cancelled = withoutCost("The rest of the scope has its result");

/** Why what was not awaited is cancelled. */
export const scopeEnded: () => Cancelled = withoutCost("The scope has ended");

/**
 * Makes cancellations that happen all the time. On V8 the stack trace of a new error costs more
 * than a whole race, so these have none: each is an object that says what such a `Cancelled` says,
 * and can be annotated as one.
 */
function withoutCost(why: string): () => Cancelled {
  let model: object | undefined; // made when it is first needed
  return () => Object.create(model ??= modelOf(new Cancelled(Object.freeze(withoutTrace(new Error(why))))));
}

/** What cancellations inherit that are as `cancelled` is. What is written to one is its own. */
function modelOf(cancelled: Cancelled): object {
  const model = Object.create(Cancelled.prototype);
  const { name, message, cause } = cancelled;
  for (const [key, value] of Object.entries({ name, message, cause, stack: String(cancelled) })) {
    Object.defineProperty(model, key, {
      get: () => value,
      set(this: object, own: unknown) {
        Object.defineProperty(this, key, { value: own, writable: true, enumerable: false, configurable: true });
      },
    });
  }
  return Object.freeze(model);
}

/** Its trace would be that of the first one. */
function withoutTrace(error: Error): Error {
  return Object.defineProperty(error, "stack", { value: String(error) });
}

/** How many errors the message of a {@linkcode MultipleErrors} lists, and in how many characters. */
const mostListed = 10;
const mostText = 900;

/**
 * Several real failures of one scope, in order of occurrence. None is itself a `MultipleErrors`,
 * and none a {@linkcode Cancelled}.
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
   * Makes one error of several.
   *
   * @param errors The failures, in order of occurrence. Members that are a `MultipleErrors` are
   * replaced by what they hold.
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
 * The failures of one scope: real errors in order of occurrence, and the first cancellation, which
 * counts only where there is no error.
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

  /** What the scope throws. The same object counts once. */
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

/** The text by which a message names `error`, on one line and cut. */
export function messageOf(error: unknown): string {
  return textOf(fieldOf(error, Error, "message") ?? error);
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
