// Copyright 2026 the Sluice authors. MIT license.

/** One behaviour that a contract demands, to be run by any test runner. */
export interface Check {
  /** The symbol, then the behaviour. */
  readonly name: string;
  /**
   * Runs the check. It can be called repeatedly.
   *
   * @throws {Error} If the behaviour is wrong. The message says what was expected.
   */
  run(): Promise<void>;
}

/** Throws unless `condition` holds. */
export function expect(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Throws unless both are the same value. */
export function expectSame(actual: unknown, expected: unknown, what: string): void {
  expect(Object.is(actual, expected), `Expected ${what} to be ${String(expected)}: it is ${String(actual)}`);
}

/** Throws unless both hold the same bytes. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  expectSame(actual.length, expected.length, `the length of ${what}`);
  const wrong = actual.findIndex((byte, i) => byte !== expected[i]);
  expect(wrong === -1, `Expected byte ${wrong} of ${what} to be ${expected[wrong]}: it is ${actual[wrong]}`);
}

/** Throws unless `operation` rejects with an error of that class; returns the error. */
export async function expectError<E>(
  operation: () => Promise<unknown>,
  errorClass: abstract new (...args: never[]) => E,
  what: string,
): Promise<E> {
  const expected = `Expected ${what} to reject with ${errorClass.name}`;
  let value: unknown;
  try {
    value = await operation();
  } catch (error) {
    if (error instanceof errorClass) return error;
    throw new Error(`${expected}: it rejected with ${String(error)}`, { cause: error });
  }
  throw new Error(`${expected}: it returned ${String(value)}`);
}
