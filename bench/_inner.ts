// Copyright 2026 the Sluice authors. MIT license.

/** Benches of code that measures itself, each in a process of its own: `inner/main.ts`. */
import { join } from "node:path";
import { root, type Runtime } from "../tests/_runtimes.ts";
import type { InnerBench } from "./benches.ts";
import type { Measured } from "./_compare.ts";
import { cores, Program } from "./_process.ts";
import type { Settings } from "./_settings.ts";

/** Where a full run installs packages of npm. No other task needs them. */
export const packagesFolder: string = join(root, "dist/bench");

/** What stands beside the library there: versions by name. */
export const packages: Readonly<Record<string, string>> = { effect: "4.1.0" };

const patience = 600_000; // ms: the program prints nothing before its end

/** Flags that leave room for every allocation, so that no collection hides one. */
const roomy = ["--min-semi-space-size=64", "--max-semi-space-size=64"];
const flags: Readonly<Record<string, readonly string[]>> = { node: roomy, deno: [`--v8-flags=${roomy.join(",")}`] };

/** Measures `bench` on `runtime`. */
export async function measureInner(
  { file, memory = false }: InnerBench,
  runtime: Runtime,
  { rounds, ms }: Settings,
): Promise<Measured[]> {
  const command = runtime.runCommand(join(root, "bench/inner/main.ts"));
  if (memory) command.splice(-1, 0, ...flags[runtime.name] ?? []);
  const args = [file, String(rounds), String(Math.ceil(ms / 4)), memory ? "memory" : "time"];
  const program = new Program([...command, ...args], cores.server, { BUN_JSC_useGC: memory ? "0" : undefined });
  try {
    return JSON.parse(await program.line(patience));
  } finally {
    await program.stop();
  }
}
