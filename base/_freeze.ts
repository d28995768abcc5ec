// Copyright 2026 the Sluice authors. MIT license.

/** Hardens classes, in their static blocks: no program can replace the methods of an instance. */

interface Freezable {
  readonly prototype: object;
}

/** Freezes a class that users construct or use with `instanceof`. */
export function freezeClass(type: Freezable): void {
  Object.freeze(type.prototype);
  Object.freeze(type);
}

/**
 * Freezes the prototype of a class and removes its `constructor`: users have instances, but cannot
 * reach the class through them.
 */
export function hideClass(type: Freezable): void {
  Reflect.deleteProperty(type.prototype, "constructor");
  Object.freeze(type.prototype);
}
