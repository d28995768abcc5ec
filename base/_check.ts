// Copyright 2026 the Sluice authors. MIT license.

/** Checks of arguments, which throw, and questions about values of any kind, which never do. */
import { describe, quoteText } from "./_text.ts";

/** A class whose instances are `T`, whatever arguments its constructor takes. */
type Type<T> = (abstract new (...args: never[]) => unknown) & { readonly prototype: T };

/**
 * Reports whether `value` is an instance of `type`. Never throws: a value that throws when it is
 * inspected, such as a revoked proxy, is not an instance.
 */
export function isInstance<T>(value: unknown, type: Type<T>): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/**
 * Returns a field of an instance of `type`, or `undefined` for any other value or if reading it
 * throws.
 */
export function fieldOf<T, K extends keyof T>(value: unknown, type: Type<T>, key: K): T[K] | undefined {
  try {
    return value instanceof type ? (value as T)[key] : undefined;
  } catch {
    return undefined;
  }
}

/** Returns the message of an error about a value of the wrong kind. */
export function mustBe(action: string, name: string, kind: string, value: unknown): string {
  return `Cannot ${action} as ${name} must be ${kind}: current value is ${describe(value)}`;
}

/** Throws `TypeError` unless `fn` is a function. */
export function checkFunction(action: string, fn: unknown): void {
  if (typeof fn === "function") return;
  const hint = isPromise(fn) ? ", so pass a function that returns it" : "";
  throw new TypeError(`Cannot ${action}: ${describe(fn)} is not a function${hint}`);
}

/** Throws `TypeError` unless `options` is an object or undefined. Returns an object in any case. */
export function checkOptions<T extends object>(action: string, options: T | undefined): Partial<T> {
  if (options === undefined) return {};
  if (typeof options === "object" && options !== null) return options;
  throw new TypeError(mustBe(action, "options", "an object", options));
}

/**
 * Throws `TypeError` unless `value` is an object of fields: not a list, a map, a promise, or anything
 * else that has none and would look as if each were left out.
 */
export function checkRecord(action: string, name: string, value: unknown): asserts value is object {
  if (typeof value === "object" && value !== null && isRecord(value)) return;
  throw new TypeError(mustBe(action, name, "an object", value));
}

/** Throws `TypeError` if an object has, or inherits, a field that is not among `known`. */
export function checkFields(action: string, name: string, value: object, known: readonly string[]): void {
  for (const field in value) {
    if (known.includes(field)) continue;
    throw new TypeError(`Cannot ${action} as ${name} has an unknown field: current value is ${quoteText(field)}`);
  }
}

/** Throws `TypeError` unless `name` is a string or undefined. */
export function checkName(action: string, name: unknown): void {
  if (name === undefined || typeof name === "string") return;
  throw new TypeError(mustBe(action, "name", "a string", name));
}

/** Throws `TypeError` unless `value` is a string, which is returned. */
export function checkString(action: string, name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw new TypeError(mustBe(action, name, "a string", value));
}

/**
 * Throws `RangeError` unless `value` is an integer >= `least`, or `Infinity` if that is allowed.
 */
export function checkWhole(action: string, name: string, value: unknown, least: number, infinite = false): void {
  if ((Number.isSafeInteger(value) || (infinite && value === Infinity)) && (value as number) >= least) return;
  throw new RangeError(mustBe(action, name, `a whole number >= ${least}`, value));
}

/**
 * Throws `TypeError` unless `value` is a number, and `RangeError` unless it is from `least` to
 * `most`.
 */
export function checkNumber(action: string, name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== "number") {
    throw new TypeError(mustBe(action, name, "a number", value));
  }
  if (value >= least && value <= most) return;
  const range = most === Infinity ? `>= ${least}` : `from ${least} to ${most}`;
  throw new RangeError(mustBe(action, name, range, value));
}

/**
 * Throws `TypeError` unless `value` is a number, and `RangeError` unless it is a port from 0 to
 * 65535, which is returned.
 */
export function checkPort(action: string, name: string, value: unknown): number {
  checkNumber(action, name, value, 0, 65535);
  checkWhole(action, name, value, 0);
  return value as number;
}

/** Throws `TypeError` unless `value` is a boolean, which is returned. */
export function checkBoolean(action: string, name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(mustBe(action, name, "a boolean", value));
}

/** Throws `TypeError` unless `value` has `methods`; `kind` describes such an object. */
export function checkShape(action: string, name: string, kind: string, value: unknown, ...methods: string[]): void {
  if (
    typeof value === "object" && value !== null &&
    methods.every((method) => typeof fieldOfAny(value, method) === "function")
  ) return;
  throw new TypeError(mustBe(action, name, kind, value));
}

/** Throws `TypeError` unless `clock` is a `Clock`. */
export function checkClock(action: string, clock: unknown): void {
  if (typeof fieldOfAny(clock, "sleep") === "function") return;
  const hint = fieldOfAny(clock, "clock") === undefined ? "" : ", so pass its clock";
  throw new TypeError(`Cannot ${action}: ${describe(clock)} is not a Clock${hint}`);
}

/** Reports whether `value` is a thenable. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof fieldOfAny(value, "then") === "function";
}

/** Reports whether `value` is iterable. */
export function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof fieldOfAny(value, Symbol.iterator) === "function";
}

/** Reports whether `value` is an async iterable. */
export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof fieldOfAny(value, Symbol.asyncIterator) === "function";
}

/** Returns the class name of `object`, which is untrusted text, or `undefined` if it has none. */
export function className(object: unknown): string | undefined {
  const name = fieldOfAny(fieldOfAny(object, "constructor"), "name");
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** Returns the name of a function, which is untrusted text, or `undefined` if it has none. */
export function functionName(fn: unknown): string | undefined {
  const name = fieldOfAny(fn, "name");
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** Reports whether an object is none of the built-in kinds. Reads no property of it, which may be a getter. */
function isRecord(object: object): boolean {
  try {
    const prototype = Object.getPrototypeOf(object);
    const isPlain = prototype === null || Object.prototype.toString.call(prototype) === "[object Object]";
    return isPlain && !Array.isArray(object);
  } catch {
    return false; // a revoked proxy
  }
}

/** Returns a property of any value, or `undefined` if reading it throws. */
function fieldOfAny(value: unknown, key: PropertyKey): unknown {
  try {
    return (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

/**
 * Returns what `check` throws as a rejected promise, or `undefined` if it does not throw. An async
 * function would cost its caller another promise and frame.
 */
export function rejectionOf(check: () => void): Promise<never> | undefined {
  try {
    check();
    return undefined;
  } catch (problem) {
    return Promise.reject(problem);
  }
}

/**
 * Throws `TypeError` unless `value` is a number, and `RangeError` unless it is a number of
 * milliseconds from 0 to `Infinity`.
 */
export function checkMilliseconds(action: string, name: string, value: unknown): void {
  if (typeof value !== "number") {
    throw new TypeError(mustBe(action, name, "a number", value));
  }
  if (!(value >= 0)) {
    throw new RangeError(mustBe(action, name, ">= 0 milliseconds", value));
  }
}
