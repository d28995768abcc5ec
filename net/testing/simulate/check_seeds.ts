// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions, checkWhole, describe, isIterable } from "../../../base/internal.ts";
import { checkCancelled } from "../../../switch/internal.ts";
import { checkFaults, drawFaults, type FaultPlan, type PlannedFault, type SimFault } from "./fault_plan.ts";
import { runSimulation } from "./_run.ts";
import { SeedError } from "./seed_error.ts";
import type { Sim } from "./sim.ts";
import { checkSimOptions, type SimOptions } from "./sim_options.ts";
import type { Simulation } from "./_simulation.ts";
import type { SimEvent } from "./stack/internal.ts";

/** The most runs of the search for fewer faults. */
const mostRuns = 200;

/** Options for {@linkcode checkSeeds}. */
export interface CheckSeedsOptions extends Omit<SimOptions, "seed"> {
  /**
   * The faults: how many of each kind to draw from each seed, or faults that were drawn before, to
   * replay them.
   *
   * @default {{}}
   */
  faults?: FaultPlan | readonly SimFault[] | undefined;
}

/** How a run failed. */
interface Failed {
  readonly cause: unknown;
  readonly trace: readonly SimEvent[];
  /** The faults that happened. */
  readonly faults: readonly SimFault[];
}

/**
 * Runs a scenario in a simulation for each of many seeds, with faults that are drawn from the seed.
 * At the first seed that fails, looks for the fewest of its faults with which it still fails.
 *
 * A scenario fails if it throws, deadlocks, breaks an invariant or exceeds a limit. To replay one,
 * pass the seed of the error alone, with its faults.
 *
 * @param seeds The seeds; a number stands for 1 to that number.
 * @param scenario The program, as for {@linkcode simulate}.
 * @param options The limits, the default link and the faults.
 * @throws {SeedError} If a seed fails.
 * @throws {Cancelled} If the current scope is cancelled.
 * @throws {TypeError} If an argument has the wrong type.
 * @throws {RangeError} If a number is out of range.
 *
 * @example A program that does not expect that its packets get lost
 * ```ts
 * import { Switch, udp } from "@sluice/io";
 * import { checkSeeds, SeedError, type Sim } from "@sluice/io/net/testing";
 * import { assertRejects } from "@std/assert";
 *
 * const scenario = (sim: Sim) =>
 *   Switch.run(async (sw) => {
 *     const [a, b] = [sim.host("a"), sim.host("b")];
 *     const receiver = await b.net.datagramSocket(sw, udp(b.ip, 53));
 *     const sender = await a.net.datagramSocket(sw, udp(a.ip, 0));
 *     for (let i = 0; i < 100; i++) {
 *       await sender.send(Uint8Array.of(i), receiver.local);
 *       await receiver.recvMany();
 *     }
 *   });
 * await assertRejects(() => checkSeeds(100, scenario, { faults: { drops: 1, within: 100 } }), SeedError);
 * ```
 */
export async function checkSeeds(
  seeds: number | Iterable<number>,
  scenario: (sim: Sim) => Promise<void>,
  options?: CheckSeedsOptions,
): Promise<void> {
  checkOptions("check seeds", options);
  checkFunction("check seeds", scenario);
  const { faults = {} } = options ?? {};
  const replayed = Array.isArray(faults) ? checkFaults(faults as readonly SimFault[]) : undefined;
  if (typeof faults !== "object" || faults === null) {
    throw new TypeError(`Cannot check seeds as faults must be an object: current value is ${describe(faults)}`);
  }
  const { seed: _, ...limits }: SimOptions = options ?? {};

  /** Runs the scenario; returns how it failed. */
  const attempt = async (seed: number, planned: readonly PlannedFault[]): Promise<Failed | undefined> => {
    let simulation: Simulation | undefined;
    try {
      await runSimulation(checkSimOptions({ ...limits, seed }), scenario, (created) => {
        simulation = created;
        created.faults.schedule(planned);
      });
      return undefined;
    } catch (cause) {
      checkCancelled();
      if (simulation === undefined) throw cause;
      return { cause, trace: simulation.trace, faults: simulation.faults.inflicted };
    }
  };

  for (const seed of seedsOf(seeds)) {
    const failed = await attempt(seed, replayed ?? drawFaults(faults as FaultPlan, seed));
    if (failed === undefined) continue;
    const { cause, trace, faults: fewest } = await shrink(failed, (fewer) => attempt(seed, fewer));
    throw new SeedError(seed, cause, trace, fewest);
  }
}

function* seedsOf(seeds: number | Iterable<number>): Iterable<number> {
  if (isIterable(seeds)) return yield* seeds as Iterable<number>;
  checkWhole("check seeds", "seeds", seeds, 1);
  for (let seed = 1; seed <= (seeds as number); seed++) yield seed;
}

/** Leaves out ever smaller groups of faults, as long as a run without them fails too. */
async function shrink(
  failed: Failed,
  attempt: (faults: readonly SimFault[]) => Promise<Failed | undefined>,
): Promise<Failed> {
  let fewest = failed;
  let runs = 0;
  for (let size = fewest.faults.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < fewest.faults.length && runs < mostRuns;) {
      const fewer = fewest.faults.filter((_, index) => index < start || index >= start + size);
      runs++;
      const still = await attempt(fewer);
      if (still === undefined) start += size;
      else fewest = still;
    }
  }
  return fewest;
}
