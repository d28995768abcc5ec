// Copyright 2026 the Sluice authors. MIT license.

/** What `docs/testing.md` shows of a simulation: each command prints what the page says that it prints. */
import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { startProgram } from "../examples/_program.ts";

const page = readFileSync(join(root, "docs/testing.md"), "utf8");
const blocks = [...page.matchAll(/^```text\n\$ (.*)\n([^]*?)^```$/gm)];

/** Runs a command of the page, `deno task sim ARGS`, on this runtime. */
async function runTask(command: string): Promise<{ output: string; errors: string }> {
  const [, words] = /^deno task sim (.*?)(?: >.*)?$/.exec(command) ?? [];
  const args = words.split(" ").map((word) => word.endsWith(".ts") ? join(root, word) : word);
  await using program = startProgram(join(root, "tools/sim.ts"), ...args);
  const { errors } = await program.end;
  return { output: program.output, errors };
}

/** The lines of `text` that `grep -E PATTERN | tail -n COUNT` prints. */
function grep(command: string, text: string): string {
  const [, pattern, count] = /^grep -E "(.*)" trace\.txt \| tail -n (\d+)$/.exec(command) ?? [];
  return text.split("\n").filter((line) => new RegExp(pattern).test(line)).slice(-count).map((line) => `${line}\n`)
    .join("");
}

test("docs/testing.md shows the report of the seed that fails, and what its trace says", async () => {
  assertEquals(blocks.length, 3);
  const [[, search, report], [, replay, crash], [, reads, answers]] = blocks;
  const { errors } = await runTask(search);
  for (const part of report.split("…\n")) assert(errors.includes(part), `${part}is not in ${errors}`);
  const { output } = await runTask(replay);
  const [first, ...rest] = crash.split("\n");
  assertEquals(rest.join("\n"), grep(first.slice("$ ".length), output));
  assertEquals(answers, grep(reads, output));
});
