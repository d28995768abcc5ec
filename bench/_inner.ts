// Copyright 2026 the Sluice authors. MIT license.

/** Benches of code that measures itself, each in a process of its own: `inner/main.ts`. */
import { join } from "node:path";
import { root, type Runtime } from "../tests/_runtimes.ts";
import type { InnerBench } from "./benches.ts";
import { compare, type Measured } from "./_compare.ts";
import { fewerRounds } from "./_network.ts";
import { cores, Program } from "./_process.ts";
import type { Settings } from "./_settings.ts";

const patience = 600_000; // ms: the program prints nothing before its end

/** Measures `bench` on `runtime`. */
export async function measureInner(
  { name, file, cases = "cases", peaks }: InnerBench,
  runtime: Runtime,
  { rounds, ms }: Settings,
): Promise<Measured[]> {
  const ask = async (...how: string[]) => {
    const command = runtime.runCommand(join(root, "bench/inner/main.ts"));
    const args = [file, cases, String(rounds), String(Math.ceil(ms / 4)), ...how];
    const program = new Program([...command, ...args], cores.server);
    try {
      return JSON.parse(await program.line(patience));
    } finally {
      await program.stop();
    }
  };
  if (peaks === undefined) return await ask("time");
  // Each turn is a process of its own, without what the other one has left behind.
  const [ours, beside] = peaks.map((api) => [{ api, turn: async () => (await ask("peak", api))[0] }]);
  return [await compare({ name, unit: "MB" }, ours, beside, Math.ceil(rounds / fewerRounds))];
}
