// Copyright 2026 the Sluice authors. MIT license.

/** Whether an operation costs the same on few connections as on many: a round trip of 64 bytes on 10 of them, and on as many as the runner says. */
import type { Runtime } from "../tests/_runtimes.ts";
import type { Bench, Row, Settings } from "./_bench.ts";
import { compare, type Contestant } from "./_compare.ts";
import { Server } from "./_server.ts";

const few = 10;

/** The design's goal for ours: flat within 20 %. */
const atMost = 1.2;

/** The bare one only shows what of it is the system's: of so many rounds it has one. */
const fewer = 5;

export const bench: Bench = { name: "round trip on many connections", run };

async function run(runtime: Runtime, settings: Settings): Promise<Row[]> {
  const { rounds } = settings;
  const ours = await onFewAndMany(runtime, "read/write loop", "servers/echo.ts", settings, rounds, atMost);
  return [
    ...ours,
    ...await onFewAndMany(runtime, "node:net", "bare/node_echo.ts", settings, Math.ceil(rounds / fewer)),
  ];
}

/** One program beside itself. */
async function onFewAndMany(
  runtime: Runtime,
  api: string,
  path: string,
  { load, many, warmup, ms }: Settings,
  rounds: number,
  goal?: number,
): Promise<Row[]> {
  const server = await Server.start(runtime, path, load);
  const on = (connections: number): Contestant => ({
    api: `${api}, ${connections} connections`,
    goal: connections === many ? goal : undefined,
    async turn() {
      const { cpu, operations } = await server.serve({ shape: "roundTrip", connections }, warmup / 10, ms);
      return cpu / operations / 1000;
    },
  });
  try {
    await server.validate();
    await server.serve({ shape: "roundTrip", connections: many }, 0, warmup);
    return await compare({ name: bench.name, runtime: runtime.name, unit: "µs" }, [on(many)], [on(few)], rounds);
  } finally {
    await server.stop();
  }
}
