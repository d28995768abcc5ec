// Copyright 2026 the Sluice authors. MIT license.

import { currentScope, interruptible, type Scope, Switch } from "../../../switch/internal.ts";
import type { Sim } from "./sim.ts";
import type { SimTerms } from "./sim_options.ts";
import { Simulation } from "./_simulation.ts";

/** Resolves when the simulations that have been requested so far have ended. */
let ended: Promise<void> = Promise.resolve();

/** The scopes of the simulations. */
const scopes: WeakSet<Scope> = new WeakSet();

/**
 * Runs a simulation, once earlier ones have ended: the library has one source of time.
 *
 * @param created Called with it before it starts.
 */
export async function runSimulation<T>(
  terms: SimTerms,
  main: (sim: Sim) => Promise<T>,
  created: (simulation: Simulation) => void = () => {},
): Promise<T> {
  for (let scope = currentScope(); scope !== undefined; scope = scope.parent) {
    if (scopes.has(scope)) throw new Error("Cannot simulate: the code runs in a simulation");
  }
  const earlier = ended;
  let end = (): void => {};
  ended = new Promise((resolve) => end = resolve);
  try {
    await interruptible(earlier);
    return await runNow(terms, main, created);
  } finally {
    earlier.then(end);
  }
}

async function runNow<T>(
  terms: SimTerms,
  main: (sim: Sim) => Promise<T>,
  created: (simulation: Simulation) => void,
): Promise<T> {
  const simulation = new Simulation(terms);
  try {
    created(simulation);
    const start = (root: Switch) => {
      scopes.add(currentScope() as Scope);
      return simulation.run(root, main);
    };
    const running = Switch.run(start, { name: "simulation" });
    running.catch(() => {});
    return await Promise.race([running, simulation.stuck]);
  } finally {
    simulation.stop();
  }
}
