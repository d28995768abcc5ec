// Copyright 2026 the Sluice authors. MIT license.

import type { Closable } from "../flow/types.ts";

/**
 * The name of a connection's way to close within a budget. What closes a connection under it, such
 * as TLS, has lingered already: it passes on what is left of its own time, so that a stack of
 * connections does not wait once for each layer.
 */
export const closeWithin: unique symbol = Symbol.for("@sluice/io/closeWithin");

/** A connection whose `close` waits for the peer. */
export interface Lingering extends Closable {
  /** Closes it as `close` does, and waits for at most `ms` milliseconds, or its own `linger` if that is shorter. */
  [closeWithin](ms: number): Promise<void>;
}
