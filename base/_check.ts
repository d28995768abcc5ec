// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "./_text.ts";

/**
 * A class, by what its instances inherit: constructors of the platform are declared in too many
 * ways.
 */
type Type<T> = (abstract new (...args: never[]) => unknown) & { readonly prototype: T };

/**
 * Whether `value` is an instance of `type`. What refuses to say so, a proxy say, is none: anything
 * can be thrown, and asking must not fail.
 */
export function isInstance<T>(value: unknown, type: Type<T>): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** A field of an instance of `type`; `undefined` of any other value, and where asking fails. */
export function fieldOf<T, K extends keyof T>(value: unknown, type: Type<T>, key: K): T[K] | undefined {
  try {
    return value instanceof type ? (value as T)[key] : undefined;
  } catch {
    return undefined;
  }
}

/** Throws `TypeError` unless `fn` is a function: "Cannot run a switch: 1 is not a function". */
export function checkFunction(action: string, fn: unknown): void {
  if (typeof fn === "function") return;
  const hint = isPromise(fn) ? ", so pass a function that returns it" : "";
  throw new TypeError(`Cannot ${action}: ${describe(fn)} is not a function${hint}`);
}

/** Throws `TypeError` unless `options` is an object or undefined. Returns it, or an empty object. */
export function checkOptions<T extends object>(action: string, options: T | undefined): Partial<T> {
  if (options === undefined) return {};
  if (typeof options === "object" && options !== null) return options;
  throw new TypeError(`Cannot ${action} as options must be an object: current value is ${describe(options)}`);
}

/** Throws `TypeError` unless `name` is a string or undefined. */
export function checkName(action: string, name: unknown): void {
  if (name === undefined || typeof name === "string") return;
  throw new TypeError(`Cannot ${action} as name must be a string: current value is ${describe(name)}`);
}

/** Throws `TypeError` unless `value` is a string. */
export function checkString(action: string, name: string, value: unknown): void {
  if (typeof value === "string") return;
  throw new TypeError(`Cannot ${action} as ${name} must be a string: current value is ${describe(value)}`);
}

/**
 * Throws `RangeError` unless `value` is a whole number of at least `least`, or `Infinity` where
 * that is allowed.
 */
export function checkWhole(action: string, name: string, value: unknown, least: number, infinite = false): void {
  if ((Number.isSafeInteger(value) || (infinite && value === Infinity)) && (value as number) >= least) return;
  throw new RangeError(
    `Cannot ${action} as ${name} must be a whole number >= ${least}: current value is ${describe(value)}`,
  );
}

/**
 * Throws `TypeError` unless `value` is a number, and `RangeError` unless it is from `least` to
 * `most`.
 */
export function checkNumber(action: string, name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot ${action} as ${name} must be a number: current value is ${describe(value)}`);
  }
  if (value >= least && value <= most) return;
  const range = most === Infinity ? `>= ${least}` : `from ${least} to ${most}`;
  throw new RangeError(`Cannot ${action} as ${name} must be ${range}: current value is ${value}`);
}

/** Throws `TypeError` unless `value` is a boolean. */
export function checkBoolean(action: string, name: string, value: unknown): void {
  if (typeof value === "boolean") return;
  throw new TypeError(`Cannot ${action} as ${name} must be a boolean: current value is ${describe(value)}`);
}

/** Throws `TypeError` unless `value` is an object that has these methods: "Cannot connect as net must be a Net: current value is 5". */
export function checkShape(action: string, name: string, kind: string, value: unknown, ...methods: string[]): void {
  if (
    typeof value === "object" && value !== null &&
    methods.every((method) => typeof fieldOfAny(value, method) === "function")
  ) return;
  throw new TypeError(`Cannot ${action} as ${name} must be ${kind}: current value is ${describe(value)}`);
}

/** Throws `TypeError` unless `clock` is a clock. */
export function checkClock(action: string, clock: unknown): void {
  if (typeof fieldOfAny(clock, "sleep") === "function") return;
  const hint = fieldOfAny(clock, "clock") === undefined ? "" : ", so pass its clock";
  throw new TypeError(`Cannot ${action}: ${describe(clock)} is not a Clock${hint}`);
}

/** Whether `value` has a `then` that can be called. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof fieldOfAny(value, "then") === "function";
}

/** Whether `value` can be iterated. */
export function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof fieldOfAny(value, Symbol.iterator) === "function";
}

/** Whether `value` can be read as an asynchronous iterable. */
export function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof fieldOfAny(value, Symbol.asyncIterator) === "function";
}

/** The name of the class of an object, which a program can choose; `undefined` where it has none. */
export function className(object: unknown): string | undefined {
  const name = fieldOfAny(fieldOfAny(object, "constructor"), "name");
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** The name of a function, which a program can choose; `undefined` where it has none. */
export function functionName(fn: unknown): string | undefined {
  const name = fieldOfAny(fn, "name");
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** A field of any value; `undefined` where asking fails. */
function fieldOfAny(value: unknown, key: PropertyKey): unknown {
  try {
    return (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

/**
 * What `check` throws, as a rejection to return. An asynchronous function around all that follows
 * would cost a promise and a frame for it.
 */
export function rejectionOf(check: () => void): Promise<never> | undefined {
  try {
    check();
    return undefined;
  } catch (problem) {
    return Promise.reject(problem);
  }
}

/** Checks a number of milliseconds, which may be `Infinity`. */
export function checkMilliseconds(action: string, name: string, value: unknown): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot ${action} as ${name} must be a number: current value is ${describe(value)}`);
  }
  if (!(value >= 0)) {
    throw new RangeError(`Cannot ${action} as ${name} must be >= 0 milliseconds: current value is ${value}`);
  }
}
