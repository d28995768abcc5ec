// Copyright 2026 the Sluice authors. MIT license.

/**
 * What an object is to every copy of the library in the program. Two installed versions, or one from
 * npm and one from JSR, have classes of their own, and contexts of their own: nothing of one copy can
 * own or cancel anything of the other. All that they share is the name of a property that says what
 * an object is. It carries no authority, and what forges it is only taken for a foreign object.
 */

const kind: unique symbol = Symbol.for("@sluice/io/kind");

/** The classes that other copies recognize. */
type Kind = "Cancelled" | "ClosedError" | "IpAddress" | "Switch";

/** Says of what kind the instances of a class are. */
export function setKind({ prototype }: { readonly prototype: object }, name: Kind): void {
  Object.defineProperty(prototype, kind, { value: name });
}

/** Whether `value` is of that kind, in this copy or in another one. It runs no code but a proxy's. */
export function isOfKind(value: unknown, name: Kind): boolean {
  try {
    return typeof value === "object" && value !== null && (value as { readonly [kind]?: unknown })[kind] === name;
  } catch {
    return false;
  }
}

/** Whether `value` is of the kind of `type`, and of another copy. */
export function isOfAnotherCopy(value: unknown, type: { readonly prototype: object }, name: Kind): boolean {
  return isOfKind(value, name) && !Object.prototype.isPrototypeOf.call(type.prototype, value as object);
}
