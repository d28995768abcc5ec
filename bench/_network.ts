// Copyright 2026 the Sluice authors. MIT license.

/**
 * Benches of servers: each is a process on one core, under a load from the other. The cost is the
 * server's CPU time for one operation.
 */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { runChild } from "../tests/_child.ts";
import { root, type Runtime } from "../tests/_runtimes.ts";
import type { NetworkBench, Place } from "./benches.ts";
import { before as beforeOf, compare, type Contestant, type Measured } from "./_compare.ts";
import { packagePath } from "./_packages.ts";
import { cores, countDescriptors, cpuBetween, Program, readCpu, readMemory, resetPeak } from "./_process.ts";
import type { Settings } from "./_settings.ts";

const loadSource = join(root, "bench/load.c");
const loadProgram = join(root, "dist/bench/load");

/** What one unit is, in nanoseconds per operation of the load. */
const scales = { "µs": 1e3, "ms/MB": 1 } as const; // an operation of a flood is a byte

const leastOperations = 100;
const mostTries = 5;
/** Memory varies less than time, and a round of it takes longer. */
export const fewerRounds = 5;
const rest = 500; // ms for what accepting has left behind to be collected
const acceptPatience = 30_000; // ms

/** Compiles the load, when it is not yet or has changed. */
export async function compileLoad(): Promise<void> {
  if (existsSync(loadProgram) && statSync(loadProgram).mtimeMs > statSync(loadSource).mtimeMs) return;
  mkdirSync(dirname(loadProgram), { recursive: true });
  const fresh = `${loadProgram}-${process.pid}`; // tests compile it too, at the same time
  const command = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", fresh, loadSource];
  const { code, output, spawnError } = await runChild(command, { limit: 100_000 });
  if (code !== 0) throw new Error(`Cannot compile ${loadSource}, which needs gcc: ${spawnError?.message ?? output}`);
  renameSync(fresh, loadProgram);
}

/**
 * The command that runs the program of a bench, `node.ts echo`; `undefined` where it is another
 * runtime's.
 */
export function commandOf(program: string, runtime: Runtime): string[] | undefined {
  const [file, ...args] = program.split(" ");
  if (/^(deno|bun)\.ts$/.test(file) && file !== `${runtime.name}.ts`) return undefined;
  return [...runtime.runCommand(join(root, "bench/servers", file)), ...args];
}

/** A server that runs. */
export interface Server {
  readonly program: Program;
  /** Its port or its Unix path. */
  readonly target: string;
}

/** Starts a server on a port that the system chooses, or at `path`. */
export async function startServer(
  command: readonly string[],
  path = "0",
  { library, everyCore = false }: { readonly library?: string | undefined; readonly everyCore?: boolean | undefined } =
    {},
): Promise<Server> {
  const program = new Program([...command, path], everyCore ? undefined : cores.server, { SLUICE_LIBRARY: library });
  try {
    const target = path === "0" ? (await program.line()).split(":").at(-1) ?? "" : path;
    if (await program.line() !== "ready") throw new Error(`${command.join(" ")}: did not start`);
    return { program, target };
  } catch (error) {
    await program.stop();
    throw error;
  }
}

/** Calls `use` with a load that has begun. It is gone afterwards. */
export async function withLoad<T>(
  shape: string,
  target: string,
  { connections, size = 64 }: { readonly connections: number; readonly size?: number },
  use: (load: Program) => Promise<T>,
): Promise<T> {
  const load = new Program([loadProgram, shape, target, String(connections), String(size)], cores.load);
  try {
    const first = await load.line();
    if (first !== "begun") throw new Error(`${shape}: ${first}`);
    return await use(load);
  } finally {
    load.kill();
    await load.stop();
  }
}

/**
 * Puts a load on a server for `ms` milliseconds, and then for as long again, measured. Returns
 * nanoseconds for one operation, of the server's CPU time or on the clock, and its peak memory in
 * bytes.
 */
function serve(bench: NetworkBench, { program: { pid }, target }: Server, place: Place, ms: number) {
  return withLoad(bench.shape, target, { ...bench, ...place }, async (load) => {
    await setTimeout(ms);
    resetPeak(pid);
    const spent = () => bench.clock ? new Map([["", performance.now() * 1e6]]) : readCpu(pid);
    const look = async () => ({ done: Number(await load.ask("look")), spent: spent() });
    const before = await look();
    let after = before;
    // On a busy machine a short time may hold too few operations.
    for (let tries = 0; after.done - before.done < leastOperations && tries < mostTries; tries++) {
      await setTimeout(ms);
      after = await look();
    }
    const peak = readMemory(pid, "VmHWM");
    await load.ask("stop");
    if (after.done === before.done) throw new Error(`${bench.shape}: nothing done within ${mostTries * ms} ms`);
    return { cost: cpuBetween(before.spent, after.spent) / (after.done - before.done), peak };
  });
}

/**
 * Checks that a server serves 50 connections at once and echoes pieces of many sizes, also after
 * the end of input.
 */
export async function validate({ target }: Server): Promise<void> {
  await withLoad("validate", target, { connections: 50 }, (load) => load.ask("stop"));
}

/** The bytes that a fresh server's memory grows by for each of many idle connections. */
async function memoryPerConnection(command: readonly string[], connections: number, library?: string): Promise<number> {
  const { program, target } = await startServer(command, undefined, { library });
  try {
    const memory = readMemory(program.pid, "VmRSS");
    const descriptors = countDescriptors(program.pid);
    return await withLoad("hold", target, { connections }, async () => {
      for (const from = performance.now(); countDescriptors(program.pid) < descriptors + connections;) {
        if (performance.now() - from > acceptPatience) {
          const accepted = countDescriptors(program.pid) - descriptors;
          throw new Error(`Server accepted ${accepted} of ${connections} connections: look at ulimit -n`);
        }
        await setTimeout(20);
      }
      await setTimeout(rest);
      return (readMemory(program.pid, "VmRSS") - memory) / connections;
    });
  } finally {
    await program.stop();
  }
}

/**
 * Measures `bench` on `runtime`. Each turn has a server of its own: how the compiler and the
 * allocator of one process happen to decide may change its cost by a fifth for all its life.
 */
export async function measureNetwork(bench: NetworkBench, runtime: Runtime, settings: Settings): Promise<Measured[]> {
  const { rounds, ms, before } = settings;
  // On Node users run the package, which costs less. Another checkout has its sources only.
  const ownLibrary = runtime.name === "node" && before === undefined ? packagePath : undefined;
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const path = bench.unix ? join(folder, "socket") : undefined;
  const peaks = new Map<string, number[]>();

  const enter = (api: string, place: Place, library?: string): Contestant[] => {
    const command = commandOf(place.program, runtime);
    if (command === undefined) return [];
    const connections = place.connections ?? bench.connections;
    if (bench.unit === "B") return [{ api, turn: () => memoryPerConnection(command, connections, library) }];
    const peak: number[] = [];
    peaks.set(api, peak);
    const scale = scales[bench.unit];
    return [{
      api,
      async turn() {
        const server = await startServer(command, path, { library, everyCore: bench.clock });
        try {
          if (bench.checked) await validate(server);
          const turn = await serve(bench, server, place, ms);
          peak.push(turn.peak / 1e6);
          return turn.cost / scale;
        } finally {
          await server.program.stop();
        }
      },
    }];
  };
  try {
    const ours = entries(bench.ours).flatMap(([api, place]) => enter(api, place, ownLibrary));
    const beside = entries(bench.beside).flatMap(([api, place]) => enter(api, place));
    if (before !== undefined) {
      beside.push(
        ...entries(bench.ours).flatMap(([api, place]) => enter(beforeOf(api), place, join(before, "mod.ts"))),
      );
    }
    const measured = await compare(bench, ours, beside, bench.unit === "B" ? Math.ceil(rounds / fewerRounds) : rounds);
    if (bench.memory !== true) return [measured];
    const held = (all: readonly Contestant[]) => all.map(({ api }) => ({ api, costs: peaks.get(api) ?? [] }));
    const name = `${bench.name}: resident memory`;
    return [measured, { name, unit: "MB", ours: held(ours), beside: held(beside) }];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function entries(places: Readonly<Record<string, string | Place>>): [api: string, place: Place][] {
  return Object.entries(places).map(([api, place]) => [api, typeof place === "string" ? { program: place } : place]);
}
