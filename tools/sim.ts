// Copyright 2026 the Sluice authors. MIT license.

/**
 * Runs a scenario in simulations, for one seed or many: `deno task sim`. Bun and Node run it too.
 *
 * Progress and reports go to stderr, traces to stdout. Exits with 1 if a seed fails, and with 2 if an
 * argument is wrong.
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { inspect, parseArgs } from "node:util";
import { checkSeeds, formatTrace, SeedError, type Sim, type SimEvent } from "../net/testing/mod.ts";

const usage = `usage: deno task sim [options] FILE
  FILE             a module whose default export is the scenario, (sim: Sim) => Promise<void>;
                   it may export the options of checkSeeds as "options"
  --seed=N         only this seed; if it fails, its trace is printed
  --seeds=N        the seeds from 1 to N (1000)
  --seeds=A..B     the seeds from A to B
  --trace=FORMAT   print the trace of the seed that fails, or of the only one: text, json or chrome`;

function readTask(args: readonly string[]) {
  const string = { type: "string" } as const;
  const options = { seed: string, seeds: string, trace: string };
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options });
  const { seed, seeds = "1000", trace } = values;
  if (trace !== undefined && trace !== "text" && trace !== "json" && trace !== "chrome") {
    throw new TypeError(`Cannot simulate: --trace must be text, json or chrome, and is ${inspect(trace)}`);
  }
  if (positionals.length !== 1) throw new TypeError(`Cannot simulate: needs one FILE, and has ${positionals.length}`);
  if (seed !== undefined && values.seeds !== undefined) throw new TypeError("Cannot simulate with --seed and --seeds");
  const [file] = positionals;
  if (!existsSync(file)) throw new TypeError(`Cannot simulate ${inspect(file)}: there is no such file`);
  const [, start, end] = /^(.*?)\.\.(.*)$/s.exec(seeds) ?? [, "1", seeds];
  const first = seed === undefined ? wholeNumber("seeds", start) : wholeNumber("seed", seed);
  const last = seed === undefined ? wholeNumber("seeds", end, first) : first;
  return { file, first, last, format: trace } as const;
}

function wholeNumber(name: string, text: string, least: number = Number.MIN_SAFE_INTEGER): number {
  const value = text.trim() === "" ? NaN : Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  const rule = least === Number.MIN_SAFE_INTEGER ? "a whole number" : `a whole number >= ${least}`;
  throw new RangeError(`Cannot simulate: --${name} must be ${rule}, and is ${inspect(text)}`);
}

/** Prints how far it is: in one line of a terminal, elsewhere a line now and then. */
class Progress {
  readonly #total: number;
  readonly #isTerminal: boolean = process.stderr.isTTY === true;
  readonly #start: number = performance.now();
  #printed: number = this.#start;

  constructor(total: number) {
    this.#total = total;
  }

  update(done: number): void {
    const now = performance.now();
    if (done < this.#total && now - this.#printed < (this.#isTerminal ? 100 : 5000)) return;
    this.#printed = now;
    const seconds = (now - this.#start) / 1000;
    const count = `${done} of ${this.#total} seeds passed in ${seconds.toFixed(1)} s`;
    const rest = done === this.#total ? "" : `, ${(seconds / done * (this.#total - done)).toFixed(0)} s left`;
    this.print(`${count}, ${(done / seconds).toFixed(0)} a second${rest}`, done === this.#total);
  }

  print(text: string, lasts = true): void {
    process.stderr.write(this.#isTerminal ? `\r\x1b[K${text}${lasts ? "\n" : ""}` : `${text}\n`);
  }
}

async function simulateTask({ file, first, last, format }: ReturnType<typeof readTask>): Promise<number> {
  const { default: scenario, options } = await import(pathToFileURL(resolve(file)).href);
  if (typeof scenario !== "function") {
    console.error(`Cannot simulate ${file}: its default export must be a function, and is ${inspect(scenario)}`);
    return 2;
  }
  const progress = new Progress(last - first + 1);
  let trace: readonly SimEvent[] = [];
  let runs = 0; // of one seed
  const seeds = function* () {
    for (let seed = first; seed <= last; seed++) {
      runs = 0;
      yield seed;
      progress.update(seed - first + 1);
    }
  };
  const watched = async (sim: Sim) => {
    if (++runs === 2) progress.print("a seed fails: looking for the fewest faults");
    await scenario(sim);
    trace = sim.trace();
  };
  let failed = false;
  try {
    await checkSeeds(seeds(), watched, options);
  } catch (error) {
    if (!(error instanceof SeedError)) throw error;
    failed = true;
    trace = error.trace;
    progress.print(`${error.message}\nthe cause: ${inspect(error.cause)}`);
  }
  const isShown = first === last ? failed || format !== undefined : failed && format !== undefined;
  if (isShown) console.log(formatTrace(trace, format));
  return failed ? 1 : 0;
}

let task: ReturnType<typeof readTask> | undefined;
try {
  task = readTask(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
}
process.exitCode = task === undefined ? 2 : await simulateTask(task);
