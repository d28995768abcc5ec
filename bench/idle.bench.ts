// Copyright 2026 the Sluice authors. MIT license.

/**
 * The memory of a connection on which nothing happens: what the server's resident memory grows by, from a fresh process on, when many are open. A round is a
 * process for each program.
 */
import type { Runtime } from "../tests/_runtimes.ts";
import type { Bench, Row, Settings } from "./_bench.ts";
import { type Contestant, rowsOf, takeTurns } from "./_compare.ts";
import { Server } from "./_server.ts";
import { estimate } from "./_stats.ts";
import { judgeDifference } from "./_verdict.ts";

/** What ours may hold more than the bare one, in bytes. */
const atMost = 2048;

/** A turn is a process and thousands of connections, and memory is less noisy than time: of so many rounds only one is taken. */
const fewer = 5;

/** How long the connections stay, in milliseconds: what accepting them has left is collected meanwhile, if the runtime cares to. */
const stay = 500;

const ours = { "waiting in readable": "servers/idle_readable.ts", "waiting in a BufReader": "servers/idle_reader.ts" };

/** By runtime: what a user would write. Deno's own API pins a buffer for each. */
const bare: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  deno: { "node:net": "bare/node_echo.ts", "Deno.listen": "bare/deno_echo.ts" },
  bun: { "node:net": "bare/node_echo.ts", "Bun.listen": "bare/bun_echo.ts" },
  node: { "node:net": "bare/node_echo.ts" },
};

export const bench: Bench = { name: "idle connection: memory", run };

async function run(runtime: Runtime, settings: Settings): Promise<Row[]> {
  const subject = { name: `idle connection, one of ${settings.many}: memory`, runtime: runtime.name, unit: "B" };
  const enter = ([api, path]: [string, string]): Contestant => ({ api, turn: () => measure(runtime, path, settings) });
  const mine = Object.entries(ours).map(enter);
  const theirs = Object.entries(bare[runtime.name]).map(enter);
  const costs = await takeTurns([...mine, ...theirs], Math.ceil(settings.rounds / fewer));
  const rows = rowsOf(subject, mine, theirs, costs);
  // The goal is beside the leanest of them.
  const leanest = theirs.toSorted((a, b) => median(costs.get(a)) - median(costs.get(b)))[0];
  return rows.map((row) => {
    if (row.bare?.api !== leanest.api) return row;
    const our = costs.get(mine.find(({ api }) => api === row.api) as Contestant) ?? [];
    const differences = our.map((bytes, round) => bytes - (costs.get(leanest)?.[round] ?? 0));
    return { ...row, goal: judgeDifference(median(differences), atMost) };
  });
}

async function measure(runtime: Runtime, path: string, { load, many }: Settings): Promise<number> {
  const server = await Server.start(runtime, path, load);
  try {
    const { memory, operations } = await server.serve({ shape: "hold", connections: many }, 0, stay);
    return memory / operations;
  } finally {
    await server.stop();
  }
}

function median(values: readonly number[] = []): number {
  return estimate(values).median;
}
