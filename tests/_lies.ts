// Copyright 2026 the Sluice authors. MIT license.

/** Invalid and hostile arguments, which a program without types can pass. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";

/** Thrown by a hostile argument when it is used. */
export class Lie extends Error {}

/** Throws a {@linkcode Lie}. */
export function refuse(): never {
  throw new Lie("Cannot be asked");
}

const traps: readonly string[] = [
  "apply",
  "construct",
  "defineProperty",
  "deleteProperty",
  "get",
  "getOwnPropertyDescriptor",
  "getPrototypeOf",
  "has",
  "isExtensible",
  "ownKeys",
  "preventExtensions",
  "set",
  "setPrototypeOf",
];

/** A valid function. */
export const one = (): number => 1;

/** Returns a proxy that throws a {@linkcode Lie} on every access. */
export function refusing<T extends object>(target: T): T {
  return new Proxy(target, Object.fromEntries(traps.map((trap) => [trap, refuse])) as ProxyHandler<T>);
}

/** Returns a revoked proxy. */
export function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/**
 * Values that are neither functions, nor objects with any member of the library's, nor valid
 * numbers.
 */
export const strangers: readonly (readonly [name: string, value: unknown])[] = [
  ["null", null],
  ["true", true],
  ["a text", "text"],
  ["a number", 5],
  ["NaN", NaN],
  ["-1", -1],
  ["1.5", 1.5],
  ["2 ** 53", 2 ** 53],
  ["a bigint", 5n],
  ["a symbol", Symbol("stranger")],
  ["an object", {}],
  ["an array", []],
  ["a list with holes", new Array(3)],
  ["an object without a prototype", Object.freeze(Object.create(null))],
  ["a thenable", { then: () => {} }],
  ["a thenable that throws", { then: refuse }],
  ["a boxed number", Object(5)],
  ["what converts to a number", { valueOf: () => 5 }],
  ["what refuses to be a text", { toString: refuse, [Symbol.toPrimitive]: refuse }],
  ["a refusing proxy", refusing({})],
  ["a revoked proxy", revoked({})],
  ["a huge text", "x\n\u001b".repeat(300_000)],
];

/** Returns the strangers except those named. */
export function strangersBut(...names: readonly string[]): readonly (readonly [name: string, value: unknown])[] {
  for (const name of names) assert(strangers.some(([each]) => each === name), name);
  return strangers.filter(([name]) => !names.includes(name));
}

/** Names of the strangers that are valid options. */
export const optionsLike: readonly string[] = strangers.filter(([, value]) =>
  typeof value === "object" && value !== null
).map(([name]) => name);

/** Strangers that are not valid options, and those that are not strings, integers or numbers. */
export const noOptions: typeof strangers = strangersBut(...optionsLike);
export const noText: typeof strangers = strangersBut("a text", "a huge text");
export const noWhole: typeof strangers = strangersBut("a number");
export const noNumber: typeof strangers = strangersBut("a number", "1.5", "2 ** 53");

/** Messages of engines for arguments that were not checked. */
const raw =
  /^Cannot (read p|destructure|convert|perform|mix)|undefined is not an object|is not a (function \(|constructor)|[Ii]llegal invocation|incompatible|evaluating|Symbol\.iterator|Value of "this"|ERR_/;

/** Asserts that an error is one of the library's, short, with the value and the rule. */
export function assertOurs(error: unknown): asserts error is Error {
  assertInstanceOf(error, Error);
  const ours = [TypeError, RangeError, SyntaxError].some((type) => error instanceof type);
  assert(ours, `Expected a TypeError, RangeError or SyntaxError: ${error.stack}`);
  assert(/^Cannot /.test(error.message), `Expected "Cannot ...": ${error.stack}`);
  assert(!raw.test(error.message), `These are not our own words: ${error.stack}`);
  assert(error.message.length < 500 && !/\p{Cc}/u.test(error.message), error.message.slice(0, 600));
}

/**
 * Calls an asynchronous function, which must not throw synchronously, and returns its rejection.
 */
export async function refusalOf(call: () => unknown): Promise<unknown> {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    throw new Error(`Expected a rejection: it was thrown at once: ${(error as Error)?.stack}`);
  }
  assertInstanceOf(result, Promise);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("It does not settle")), 5000);
  });
  try {
    return await Promise.race([
      result.then((value) => new Error(`Expected a rejection: it gave ${String(value)}`), (error) => error),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the error that a function throws. */
export function thrownBy(call: () => unknown): unknown {
  try {
    return new Error(`Expected a throw: it gave ${String(call())}`);
  } catch (error) {
    return error;
  }
}

/**
 * Returns options that count their reads. A second read returns a symbol, which is never valid.
 */
export function readOnce<T extends object>(options: T): { options: T; reads: () => Record<string, number> } {
  const reads: Record<string, number> = Object.create(null);
  const lying = Object.create(null);
  for (const [key, value] of Object.entries(options)) {
    Object.defineProperty(lying, key, {
      enumerable: true,
      get(): unknown {
        reads[key] = (reads[key] ?? 0) + 1;
        return reads[key] === 1 ? value : Symbol("another one");
      },
    });
  }
  return { options: lying as T, reads: () => ({ ...reads }) };
}

/** Asserts that each option was read exactly once. */
export function assertReadOnce(options: object, reads: Record<string, number>): void {
  assertEquals(reads, Object.fromEntries(Object.keys(options).map((key) => [key, 1])));
}

/** Returns options whose getter `key` throws. */
export function throwingAt(options: object, key: string): object {
  const lying = { ...options };
  Object.defineProperty(lying, key, { enumerable: true, get: refuse });
  return lying;
}
