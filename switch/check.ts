// Copyright 2026 the Sluice authors. MIT license.

/** The text of any value for a message. A value may have none, or refuse to say it: that must not replace the failure that the message is part of. */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "a value without text";
  }
}

/** A class, by what its instances inherit: constructors of the platform are declared in too many ways. */
type Type<T> = (abstract new (...args: never[]) => unknown) & { readonly prototype: T };

/** Whether `value` is an instance of `type`. What refuses to say so, a proxy say, is none: anything can be thrown, and asking must not fail. */
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
  if (typeof fn !== "function") throw new TypeError(`Cannot ${action}: ${textOf(fn)} is not a function`);
}

/** What `check` throws, as a rejection to return. An asynchronous function around all that follows would cost a promise and a frame for it. */
export function rejectionOf(check: () => void): Promise<never> | undefined {
  try {
    check();
    return undefined;
  } catch (problem) {
    return Promise.reject(problem);
  }
}
