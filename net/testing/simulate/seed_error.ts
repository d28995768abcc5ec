// Copyright 2026 the Sluice authors. MIT license.

import { escapeText, fieldOf, freezeClass, textOf } from "../../../base/internal.ts";
import type { SimFault } from "./fault_plan.ts";
import { formatTrace } from "./format_trace.ts";
import type { SimEvent } from "./stack/internal.ts";

/** How many of the last events the message shows. */
const shownEvents = 20;

/** How much the message shows of the first line of the cause, in characters. */
const longestCause = 500;

/**
 * The error of {@linkcode checkSeeds}: a seed with which the scenario fails. The message has what
 * is needed to replay it, and the end of the trace.
 *
 * @example The parts of the error
 * ```ts
 * import { SeedError } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new SeedError(7, new Error("lost a write"), [], []);
 * assertEquals(error.message, "Cannot pass seed 7: Error: lost a write");
 * ```
 */
export class SeedError extends Error {
  static {
    freezeClass(this);
  }

  /** The seed. */
  readonly seed: number;
  /** The trace of the run with these faults. */
  readonly trace: readonly SimEvent[];
  /** The fewest faults with which the scenario was seen to fail. */
  readonly faults: readonly SimFault[];

  /**
   * Creates an error.
   *
   * @param seed The seed.
   * @param cause What the scenario threw.
   * @param trace The trace.
   * @param faults The faults.
   */
  constructor(seed: number, cause: unknown, trace: readonly SimEvent[], faults: readonly SimFault[]) {
    const parts = [`Cannot pass seed ${seed}: ${firstLineOf(cause)}`];
    if (faults.length > 0) {
      parts.push(`faults: [\n${faults.map((fault) => `  ${JSON.stringify(fault)},`).join("\n")}\n]`);
    }
    if (trace.length > 0) parts.push(`the last events:\n${endOf(trace)}`);
    super(parts.join("\n"), { cause });
    this.name = "SeedError";
    this.seed = seed;
    this.trace = trace;
    this.faults = faults;
  }
}

/** Returns the first line of an error: assertions have many, and the cause has them all. */
function firstLineOf(cause: unknown): string {
  const message = fieldOf(cause, Error, "message");
  if (typeof message !== "string") return textOf(cause);
  return escapeText(`${fieldOf(cause, Error, "name")}: ${message.split("\n", 1)[0]}`, longestCause);
}

/** Formats all events, since hosts get their names from those of any time. */
function endOf(trace: readonly SimEvent[]): string {
  return formatTrace(trace).split("\n").slice(-shownEvents).join("\n");
}
