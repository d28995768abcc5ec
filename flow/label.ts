// Copyright 2026 the Sluice authors. MIT license.

/** Where a flow of the library has its name, for errors: "tcp:127.0.0.1:80". Not exported: a foreign flow has none. */
export const label: unique symbol = Symbol("label");

/** The name of a flow of the library. Asked for only when an error is made. */
export function labelOf(flow: object): string | undefined {
  const name = (flow as { readonly [label]?: unknown })[label];
  return typeof name === "string" ? name : undefined;
}
