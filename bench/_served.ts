// Copyright 2026 the Sluice authors. MIT license.

/** Benches of servers: each a process on one core, under a load from the other. The cost is the server's CPU time per operation. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Runtime } from "../tests/_runtimes.ts";
import type { Bench, Row, Settings } from "./_bench.ts";
import { type Contestant, rowsOf, type Subject, takeTurns } from "./_compare.ts";
import { Server, type Turn } from "./_server.ts";

/** A program that serves on the port, or the Unix path, that it is given, and prints `ready`. */
export interface ServerProgram {
  /** How it is called in the table. */
  readonly api: string;
  /** Its path below `bench/`. */
  readonly path: string;
  /** The one runtime that it runs on, or `native`; the default is every runtime. */
  readonly runtime?: string | undefined;
  /** What its ratio to the best bare program may be at most, where the design says so. */
  readonly goal?: number | undefined;
  /** What its ratio to certain programs may be at most, by runtime. A native one that is named here runs beside it there. */
  readonly limits?: Readonly<Record<string, Readonly<Record<string, number>>>> | undefined;
  /** How much memory it may hold at most, as a ratio to the program that its goal was judged beside. */
  readonly memory?: number | undefined;
}

/** What a bench of servers is made of. */
export interface ServedPlan {
  readonly name: string;
  readonly light?: boolean | undefined;
  /** What is asked of each server, one comparison after the other, each under its own name. */
  readonly turns: Readonly<Record<string, Turn>>;
  /** Whether the servers give back what they get, and are asked to before they are timed. Others are checked only by what the load itself checks. */
  readonly echo?: boolean | undefined;
  /** Whether they serve at a Unix path. */
  readonly unix?: boolean | undefined;
  /** Whether the first bare program also runs beside itself when the runner is told to. */
  readonly control?: boolean | undefined;
  /** What the cost is told in, and how many of the shape's operations times nanoseconds that is. */
  readonly unit: string;
  readonly scale: number;
  readonly ours: readonly ServerProgram[];
  readonly bare: readonly ServerProgram[];
}

/** A bench of servers, whose replies are checked before and while they are timed. */
export function servedBench(plan: ServedPlan): Bench {
  const native = plan.bare.some(({ runtime }) => runtime === "native");
  return { name: plan.name, light: plan.light, native, run: (runtime, settings) => run(plan, runtime, settings) };
}

/** The time before each turn is so many times shorter than that before the first one. */
const leads = 20;

/** A program that runs. */
interface Candidate {
  readonly program: ServerProgram;
  readonly server: Server;
  readonly again?: boolean | undefined;
}

async function run(plan: ServedPlan, runtime: Runtime, settings: Settings): Promise<Row[]> {
  const wanted = programsFor(plan, runtime.name);
  const isMissing = ({ path, runtime: only }: ServerProgram) =>
    only === "native" && !existsSync(settings.native.runCommand(path)[0]);
  const started: Server[] = [];
  const folder = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const enlist = async (program: ServerProgram, again?: boolean): Promise<Candidate> => {
    const on = program.runtime === "native" ? settings.native : runtime;
    const path = plan.unix ? join(folder, String(started.length)) : undefined;
    const server = await Server.start(on, program.path, settings.load, path);
    started.push(server);
    if (plan.echo !== false) await server.validate();
    return { program, server, again };
  };
  try {
    const ours: Candidate[] = [];
    const bare: Candidate[] = [];
    for (const program of wanted.ours) ours.push(await enlist(program));
    for (const program of wanted.bare) if (!isMissing(program)) bare.push(await enlist(program));
    if (settings.twice && plan.control && ours.length > 0) ours.push(await enlist(wanted.bare[0], true));
    const rows: Row[] = [];
    for (const [name, turn] of Object.entries(plan.turns)) {
      const subject = { name, runtime: runtime.name, unit: plan.unit };
      rows.push(...await measure(plan, subject, turn, ours, bare, settings));
      if (runtime.name === "native") rows.push(...wanted.bare.filter(isMissing).map((one) => missingRow(subject, one)));
    }
    return rows;
  } finally {
    await Promise.all(started.map((server) => server.stop()));
    rmSync(folder, { recursive: true });
  }
}

/** Who runs on `runtime`. */
function programsFor({ ours, bare }: ServedPlan, runtime: string) {
  const here = ({ runtime: only }: ServerProgram) => only === runtime || (only === undefined && runtime !== "native");
  const asked = ours.flatMap(({ limits }) => Object.keys(limits?.[runtime] ?? {}));
  return { ours: ours.filter(here), bare: bare.filter((program) => here(program) || asked.includes(program.api)) };
}

async function measure(
  plan: ServedPlan,
  subject: Subject,
  turn: Turn,
  ours: readonly Candidate[],
  bare: readonly Candidate[],
  { rounds, ms, warmup }: Settings,
): Promise<Row[]> {
  const memories = new Map<Contestant, number[]>();
  const enter = async ({ program, server, again }: Candidate): Promise<Contestant> => {
    await server.serve(turn, 0, warmup);
    const memory: number[] = [];
    const contestant: Contestant = {
      api: again ? `${program.api} again` : program.api,
      against: again ? [program.api] : undefined,
      again,
      goal: again ? undefined : program.goal,
      limits: program.limits?.[subject.runtime],
      foreign: program.runtime === "native",
      async turn() {
        const answer = await server.serve(turn, warmup / leads, ms);
        memory.push(answer.memory / 1e6);
        return answer.cpu / answer.operations * plan.scale;
      },
    };
    memories.set(contestant, memory);
    return contestant;
  };
  const mine: Contestant[] = [];
  const theirs: Contestant[] = [];
  for (const candidate of ours) mine.push(await enter(candidate));
  for (const candidate of bare) theirs.push(await enter(candidate));
  const rows = rowsOf(subject, mine, theirs, await takeTurns([...mine, ...theirs], rounds));
  return [...rows, ...ours.flatMap(({ program }, i) => memoryRows(program, mine[i]))];

  /** The memory beside that of the program that the goal was judged beside. */
  function memoryRows({ memory: atMost }: ServerProgram, our: Contestant): Row[] {
    const rival = rows.find(({ api, goal }) => api === our.api && goal !== undefined)?.bare?.api;
    if (atMost === undefined || rival === undefined) return [];
    const judged: Contestant = { ...our, against: [rival], goal: undefined, limits: { [rival]: atMost } };
    const held = new Map([...memories, [judged, memories.get(our) ?? []]]);
    return rowsOf({ ...subject, name: `${subject.name}: resident memory`, unit: "MB" }, [judged], theirs, held);
  }
}

function missingRow({ name, runtime, unit }: Subject, { api }: ServerProgram): Row {
  return { name, runtime, api, value: null, unit, rounds: 0 };
}
