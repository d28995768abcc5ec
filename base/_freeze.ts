// Copyright 2026 the Sluice authors. MIT license.

/** What classes do in a static block, so that no code can change what their instances do. */

/** A class, as far as it is frozen. */
interface Freezable {
  readonly prototype: object;
}

/** Freezes a class that users construct, or test errors against. */
export function freezeClass(type: Freezable): void {
  Object.freeze(type.prototype);
  Object.freeze(type);
}

/**
 * Freezes what the instances of a class inherit, and hides the class: users have instances, but
 * cannot construct one.
 */
export function hideClass(type: Freezable): void {
  Reflect.deleteProperty(type.prototype, "constructor");
  Object.freeze(type.prototype);
}
