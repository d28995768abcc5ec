// Copyright 2026 the Sluice authors. MIT license.

/** Options that all mocks share. */
export interface MockOptions {
  /**
   * The log to append to: an array, or the `log` of another mock, so that one array has the order
   * of everything.
   *
   * @default {a new array}
   */
  log?: readonly string[] | undefined;
}
