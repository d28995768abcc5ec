// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions } from "../../../base/internal.ts";
import type { Closable, TwoWay } from "../../../flow/mod.ts";
import { Switch } from "../../../switch/mod.ts";
import type { Check } from "../internal.ts";
import { cancelChecks } from "./_cancel_checks.ts";
import { endChecks } from "./_end_checks.ts";
import type { FlowCheck, FlowNeed } from "./_flow_check.ts";
import { giveChecks } from "./_give_checks.ts";
import { lendChecks } from "./_lend_checks.ts";
import { loanChecks } from "./_loan_checks.ts";
import { transferChecks } from "./_transfer_checks.ts";

/** The two ends of one connection: what is written to one is read from the other. */
export type FlowPair = readonly [TwoWay & Closable, TwoWay & Closable];

/** Makes a {@linkcode FlowPair} owned by `sw`, if it needs an owner. */
export type FlowMaker = (sw: Switch) => Promise<FlowPair>;

/** Options for {@linkcode checkFlow}: what the flows support. */
export interface CheckFlowOptions {
  /**
   * Makes a connection with small buffers: its writes wait after at most 64 MiB that no one reads.
   * Without it the checks of waiting writes are left out.
   *
   * @default {undefined}
   */
  clogged?: FlowMaker | undefined;
  /**
   * Whether one direction can end while the other continues (half-close).
   *
   * @default {true}
   */
  halfClose?: boolean | undefined;
  /**
   * Whether writing eventually fails once the other end has closed.
   *
   * @default {true}
   */
  brokenWrites?: boolean | undefined;
  /**
   * Whether the flows have the fast paths `lend` and `give`.
   *
   * @default {true}
   */
  fastPaths?: boolean | undefined;
}

/**
 * Returns the contract of flows as checks for any test runner: reading, writing, ending, closing,
 * cancellation and the fast paths. Each check opens its own connection and closes it, and is also
 * run with the ends exchanged.
 *
 * A flow that breaks the contract fails a check, or makes it wait forever: the runner needs a time
 * limit.
 *
 * Source: trio's `check_two_way_stream` and `check_half_closeable_stream`.
 *
 * @param make Makes a connection for a check. Each direction must buffer at least 100 bytes.
 * @param options What the flows support, if not everything.
 * @returns The checks.
 *
 * @example The contract over a pipe
 * ```ts
 * import { pipe } from "@sluice/io";
 * import { checkFlow } from "@sluice/io/net/testing";
 *
 * const checks = checkFlow(() => Promise.resolve(pipe()), {
 *   clogged: () => Promise.resolve(pipe({ capacity: 100 })),
 * });
 * for (const check of checks) await check.run(); // or: test(check.name, () => check.run())
 * ```
 */
export function checkFlow(make: FlowMaker, options?: CheckFlowOptions): readonly Check[] {
  checkFunction("check a flow", make);
  checkOptions("check a flow", options);
  const { clogged, halfClose = true, brokenWrites = true, fastPaths = true } = options ?? {};
  const can: Record<FlowNeed, boolean> = { clogged: clogged !== undefined, halfClose, brokenWrites, fastPaths };
  const checks = [transferChecks, endChecks, cancelChecks, ...(fastPaths ? [lendChecks, loanChecks, giveChecks] : [])];
  return checks.flat()
    .filter(({ needs = [] }) => needs.every((need) => can[need]))
    .map((check) => checkOf(check, check.needs?.includes("clogged") ? clogged as FlowMaker : make));
}

function checkOf(check: FlowCheck, make: FlowMaker): Check {
  return {
    name: check.name,
    async run() {
      await runOnce(make, ([a, b]) => check.run(a, b));
      await runOnce(make, ([a, b]) => check.run(b, a));
    },
  };
}

async function runOnce(make: FlowMaker, body: (pair: FlowPair) => Promise<void>): Promise<void> {
  await Switch.run(async (sw) => {
    const pair = await make(sw);
    try {
      await body(pair);
    } finally {
      await Promise.all(pair.map((end) => end.close()));
    }
  });
}
