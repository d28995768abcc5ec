// Copyright 2026 the Sluice authors. MIT license.

/**
 * Brands, by which copies of the library recognize each other's objects. A program may load several
 * copies: two versions, or one from npm and one from JSR. Each has separate classes and contexts,
 * so that nothing of one copy can own or cancel anything of another. A brand carries no authority:
 * an object that forges one is treated as foreign.
 */

/** The property that holds the brand, in every copy. */
const kind: unique symbol = Symbol.for("@sluice/io/kind");

/** The classes that other copies recognize. */
type Kind = "Cancelled" | "ClosedError" | "IpAddress" | "Switch";

/** Brands the instances of a class. */
export function setKind({ prototype }: { readonly prototype: object }, name: Kind): void {
  Object.defineProperty(prototype, kind, { value: name });
}

/**
 * Reports whether `value` has the brand `name`, from this copy or another. Runs no code of `value`,
 * unless it is a proxy.
 */
export function isOfKind(value: unknown, name: Kind): boolean {
  try {
    return typeof value === "object" && value !== null && (value as { readonly [kind]?: unknown })[kind] === name;
  } catch {
    return false;
  }
}

/** Reports whether `value` has the brand `name` of `type`, but comes from another copy. */
export function isOfAnotherCopy(value: unknown, type: { readonly prototype: object }, name: Kind): boolean {
  return isOfKind(value, name) && !Object.prototype.isPrototypeOf.call(type.prototype, value as object);
}
