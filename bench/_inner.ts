// Copyright 2026 the Sluice authors. MIT license.

import { join } from "node:path";
import { root, type Runtime } from "../tests/_runtimes.ts";
import type { Bench, Row } from "./_bench.ts";
import { cores, Program } from "./_process.ts";

/** What a runtime needs to run a program in a special way. */
export interface Special {
  /** Arguments before the program's path, by runtime. */
  readonly flags?: Readonly<Record<string, readonly string[]>>;
  /** Variables. */
  readonly env?: Record<string, string>;
}

/** How many such turns are as long as one of a server. Two make a pair. */
const shorter = 2;

/** What a program may take that prints nothing before its end, in milliseconds. */
const patience = 600_000;

/** A bench whose programs, below `bench/inner/`, measure themselves and print their rows. */
export function innerBench(
  name: string,
  programs: Readonly<Record<string, Special>>,
  { light }: { light?: boolean } = {},
): Bench {
  return {
    name,
    light,
    async run(runtime, { rounds, ms }) {
      const rows: Row[] = [];
      for (const [file, special] of Object.entries(programs)) {
        const args = [runtime.name, String(rounds), String(Math.ceil(ms / shorter))];
        const command = [...commandOf(runtime, file, special.flags?.[runtime.name] ?? []), ...args];
        rows.push(...await rowsOf(new Program(command, cores.server, special.env)));
      }
      return rows;
    },
  };
}

async function rowsOf(program: Program): Promise<Row[]> {
  try {
    const line = await program.line(patience);
    if (line === undefined) throw new Error(`${program.name} printed nothing`);
    return JSON.parse(line);
  } finally {
    await program.stop();
  }
}

function commandOf(runtime: Runtime, file: string, flags: readonly string[]): string[] {
  return runtime.runCommand(join(root, "bench/inner", file)).toSpliced(-1, 0, ...flags);
}
