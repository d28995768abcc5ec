// Copyright 2026 the Sluice authors. MIT license.

import { Switch } from "../../../switch/internal.ts";
import type { Sim } from "./sim.ts";
import type { SimTerms } from "./sim_options.ts";
import { Simulation } from "./_simulation.ts";

/**
 * Runs a simulation.
 *
 * @param created Called with it before it starts.
 */
export async function runSimulation<T>(
  terms: SimTerms,
  main: (sim: Sim) => Promise<T>,
  created: (simulation: Simulation) => void = () => {},
): Promise<T> {
  const simulation = new Simulation(terms);
  try {
    created(simulation);
    const running = Switch.run((root) => simulation.run(root, main), { name: "simulation" });
    running.catch(() => {});
    return await Promise.race([running, simulation.stuck]);
  } finally {
    simulation.stop();
  }
}
