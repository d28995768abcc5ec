// Copyright 2026 the Sluice authors. MIT license.

/** Tells the ends of one class, by a private field: no other object can pass for one. */
type Test = (end: object) => boolean;

const tests: Test[] = [];

/**
 * Registers a class of ends that lend only what the runtime has made for one chunk: plain bytes in
 * memory that nothing else can reach. It is not a property, which any provider could claim.
 */
export function registerOwners(test: Test): void {
  tests.push(test);
}

/** Whether only `end` and its borrowers can reach the memory of what it lends. */
export function ownsMemory(end: object): boolean {
  return tests.some((test) => test(end));
}
