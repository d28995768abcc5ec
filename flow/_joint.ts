// Copyright 2026 the Sluice authors. MIT license.

/**
 * How flows of the library are connected without user code, and without a promise for each piece.
 * A stream is a joint, and so is each wrapper around one, which counts what passes.
 */
import type { Scope } from "../switch/internal.ts";

/** The conditions under which a stream lends bytes to a {@linkcode Joint}. */
export interface LoanTerms {
  /** The scope of the loan, in which the sink waits. Later pieces arrive in any scope. */
  readonly scope: Scope | undefined;
  /**
   * What the sink may do with the memory: copy it, because it is reused; keep it; or own it,
   * because no other code can reach it.
   */
  readonly memory: "reused" | "kept" | "owned";
}

/** Takes lent bytes, and returns how many. It throws, or rejects, if it cannot. */
export type Outlet = (bytes: Uint8Array<ArrayBuffer>, terms: LoanTerms) => number | Promise<number>;

/** One end of a connection of two flows. */
export interface Joint {
  /**
   * Lends what arrives to `outlet`, as a `LendingSource` lends to a borrower, except that the end is
   * reported as null whatever was taken before.
   */
  lendTo(outlet: Outlet): Promise<number | null>;
  /** Takes what another joint lends: an {@linkcode Outlet}. */
  take(bytes: Uint8Array<ArrayBuffer>, terms: LoanTerms): number | Promise<number>;
  /** Writes bytes once, as a `GivingSink` does, whose memory only the library can reach. */
  giveOwned(bytes: Uint8Array): number | Promise<number>;
  /** Calls `callback` once the underlying stream is gone. Returns a function that forgets it. */
  onGone(callback: () => void): () => void;
}

/** Finds the joint of a flow of one class, by a private field that no other object can forge. */
type Finder = (flow: object) => Joint | undefined;

const finders: Finder[] = [];

/** Registers a class of flows that forward reads and writes to their joint unchanged. */
export function registerFlows(find: Finder): void {
  finders.push(find);
}

/** Returns the joint of `flow`, if its class is registered and it has one. */
export function jointOf(flow: object): Joint | undefined {
  for (const find of finders) {
    const joint = find(flow);
    if (joint !== undefined) return joint;
  }
  return undefined;
}

/** Passes the result of a borrower or a sink to `note`, at once if it is there at once. */
export function noted(taken: number | Promise<number>, note: (taken: number) => number): number | Promise<number> {
  return typeof taken === "number" ? note(taken) : taken.then(note);
}
