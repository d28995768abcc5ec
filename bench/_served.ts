// Copyright 2026 the Sluice authors. MIT license.

/** Benches of servers: each a process on one core, under a load from the other. The cost is the server's CPU time per operation. */
import { join } from "node:path";
import { root, type Runtime } from "../tests/_runtimes.ts";
import type { Bench, Row, Settings } from "./_bench.ts";
import { compare, type Contestant } from "./_compare.ts";
import { cores, Program } from "./_process.ts";
import type { Order } from "./load/generator.ts";

/** A program that serves on the port it is given, and prints `ready`. */
export interface ServerProgram {
  /** How it is called in the table. */
  readonly api: string;
  /** Its path below `bench/`. */
  readonly path: string;
  /** The one runtime that it runs on; the default is every one. */
  readonly runtime?: string | undefined;
  /** What its ratio to a bare program may be at most, where the design says so. */
  readonly goals?: Readonly<Record<string, number>> | undefined;
}

/** What a bench of servers is made of. */
export interface ServedPlan {
  readonly name: string;
  readonly shape: Order["shape"];
  readonly connections: number;
  /** Whether the servers give back what they get, and are asked to before they are timed. Others are checked only by what the shape itself checks. */
  readonly echo?: boolean | undefined;
  /** What the cost is told in, and how many of the shape's operations times nanoseconds that is. */
  readonly unit: string;
  readonly scale: number;
  readonly ours: readonly ServerProgram[];
  readonly bare: readonly ServerProgram[];
}

/** The design's goal for a copy between sockets, beside the best that each runtime has. */
export const withinFivePercent: Readonly<Record<string, number>> = {
  "node:net pipe": 1.05,
  "Deno.listen": 1.05,
  "Bun.listen": 1.05,
};

/** A server that runs. */
interface Running {
  readonly program: Program;
  readonly port: number;
}

/** A bench of servers, whose replies are checked before and while they are timed. */
export function servedBench(plan: ServedPlan): Bench {
  return { name: plan.name, run: (runtime, settings) => run(plan, runtime, settings) };
}

async function run(plan: ServedPlan, runtime: Runtime, settings: Settings): Promise<Row[]> {
  const here = ({ runtime: only }: ServerProgram) => only === undefined || only === runtime.name;
  const started: Program[] = [];
  const enlist = async (server: ServerProgram): Promise<Contestant> => {
    const program = new Program([...runtime.runCommand(join(root, "bench", server.path)), "0"], cores.server);
    started.push(program);
    const running = { program, port: await waitUntilReady(program) };
    if (plan.echo !== false) await order("validate", running, 0, 0);
    await order(plan.shape, running, 0, settings.warmup);
    return {
      api: server.api,
      goals: server.goals,
      async turn() {
        const { cpu, operations } = await order(plan.shape, running, settings.warmup / 5, settings.ms);
        return cpu / operations * plan.scale;
      },
    };
  };
  const order = async (shape: Order["shape"], { program, port }: Running, warmup: number, ms: number) => {
    try {
      return await settings.load.make({ shape, port, pid: program.pid, connections: plan.connections, warmup, ms });
    } catch (cause) {
      throw new Error(`${shape} of ${program.name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  };
  try {
    const ours: Contestant[] = [];
    const bare: Contestant[] = [];
    for (const server of plan.ours.filter(here)) ours.push(await enlist(server));
    for (const server of plan.bare.filter(here)) bare.push(await enlist(server));
    if (settings.twice) {
      const [first] = plan.bare;
      ours.push({ ...await enlist(first), api: `${first.api} again`, against: [first.api] });
    }
    return await compare({ name: plan.name, runtime: runtime.name, unit: plan.unit }, ours, bare, settings.rounds);
  } finally {
    await Promise.all(started.map((program) => program.stop()));
  }
}

/** Reads the address and `ready`, and gives the port. */
async function waitUntilReady(program: Program): Promise<number> {
  const address = await program.line();
  if (await program.line() !== "ready") throw new Error(`${program.name} did not start`);
  return Number(address?.split(":").at(-1));
}
