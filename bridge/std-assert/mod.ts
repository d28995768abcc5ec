// Copyright 2026 the Sluice authors. MIT license.

/** Stand-in for `jsr:@std/assert`: the functions come from its npm mirror, the types are written here as they are there. */
// @ts-ignore: the npm mirror ships JavaScript without types
import * as untyped from "deno-std/assert/mod.js";

// deno-lint-ignore no-explicit-any
type ErrorConstructorOf<E extends Error> = abstract new (...args: any[]) => E;
/** The element type of what `assertArrayIncludes` takes. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;
/** A falsy value. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

interface Assert {
  AssertionError: new (message: string, options?: ErrorOptions) => Error;
  assert(expr: unknown, msg?: string): asserts expr;
  assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void;
  assertArrayIncludes<T>(actual: ArrayLikeArg<T>, expected: ArrayLikeArg<T>, msg?: string): void;
  assertEquals<T>(actual: T, expected: T, msg?: string): void;
  assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
  assertFalse(expr: unknown, msg?: string): asserts expr is Falsy;
  assertGreater<T>(actual: T, expected: T, msg?: string): void;
  assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;
  assertInstanceOf<T extends abstract new (...args: never[]) => unknown>(
    actual: unknown,
    expectedType: T,
    msg?: string,
  ): asserts actual is InstanceType<T>;
  assertIsError<E extends Error = Error>(
    error: unknown,
    ErrorClass?: ErrorConstructorOf<E>,
    msgMatches?: string | RegExp,
    msg?: string,
  ): asserts error is E;
  assertLess<T>(actual: T, expected: T, msg?: string): void;
  assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void;
  assertMatch(actual: string, expected: RegExp, msg?: string): void;
  assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
  assertNotInstanceOf<A, T>(
    actual: A,
    // deno-lint-ignore no-explicit-any
    unexpectedType: abstract new (...args: any[]) => T,
    msg?: string,
  ): asserts actual is Exclude<A, T>;
  assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
  assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void;
  assertObjectMatch(
    // deno-lint-ignore no-explicit-any
    actual: Record<PropertyKey, any>,
    expected: Record<PropertyKey, unknown>,
    msg?: string,
  ): void;
  assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
  assertRejects<E extends Error = Error>(
    fn: () => PromiseLike<unknown>,
    ErrorClass: ErrorConstructorOf<E>,
    msgIncludes?: string,
    msg?: string,
  ): Promise<E>;
  assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T;
  assertStringIncludes(actual: string, expected: string, msg?: string): void;
  assertThrows(fn: () => unknown, msg?: string): unknown;
  assertThrows<E extends Error = Error>(
    fn: () => unknown,
    ErrorClass: ErrorConstructorOf<E>,
    msgIncludes?: string,
    msg?: string,
  ): E;
  equal(a: unknown, b: unknown): boolean;
  fail(msg?: string): never;
  unimplemented(msg?: string): never;
  unreachable(msg?: string): never;
}

// deno-lint-ignore no-explicit-any
const std: Assert = untyped as any;

export const AssertionError: Assert["AssertionError"] = std.AssertionError;
export const assert: Assert["assert"] = std.assert;
export const assertAlmostEquals: Assert["assertAlmostEquals"] = std.assertAlmostEquals;
export const assertArrayIncludes: Assert["assertArrayIncludes"] = std.assertArrayIncludes;
export const assertEquals: Assert["assertEquals"] = std.assertEquals;
export const assertExists: Assert["assertExists"] = std.assertExists;
export const assertFalse: Assert["assertFalse"] = std.assertFalse;
export const assertGreater: Assert["assertGreater"] = std.assertGreater;
export const assertGreaterOrEqual: Assert["assertGreaterOrEqual"] = std.assertGreaterOrEqual;
export const assertInstanceOf: Assert["assertInstanceOf"] = std.assertInstanceOf;
export const assertIsError: Assert["assertIsError"] = std.assertIsError;
export const assertLess: Assert["assertLess"] = std.assertLess;
export const assertLessOrEqual: Assert["assertLessOrEqual"] = std.assertLessOrEqual;
export const assertMatch: Assert["assertMatch"] = std.assertMatch;
export const assertNotEquals: Assert["assertNotEquals"] = std.assertNotEquals;
export const assertNotInstanceOf: Assert["assertNotInstanceOf"] = std.assertNotInstanceOf;
export const assertNotMatch: Assert["assertNotMatch"] = std.assertNotMatch;
export const assertNotStrictEquals: Assert["assertNotStrictEquals"] = std.assertNotStrictEquals;
export const assertObjectMatch: Assert["assertObjectMatch"] = std.assertObjectMatch;
export const assertRejects: Assert["assertRejects"] = std.assertRejects;
export const assertStrictEquals: Assert["assertStrictEquals"] = std.assertStrictEquals;
export const assertStringIncludes: Assert["assertStringIncludes"] = std.assertStringIncludes;
export const assertThrows: Assert["assertThrows"] = std.assertThrows;
export const equal: Assert["equal"] = std.equal;
export const fail: Assert["fail"] = std.fail;
export const unimplemented: Assert["unimplemented"] = std.unimplemented;
export const unreachable: Assert["unreachable"] = std.unreachable;
