// Copyright 2026 the Sluice authors. MIT license.

/** `examples/sim/`, and `tools/sim.ts`, which runs it. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import checkRegister, { History, options } from "../../examples/sim/check.ts";
import checkFlawed from "../../examples/sim/check_flawed.ts";
import { type Client, empty, type Entry, read, serveReplica, write } from "../../examples/sim/register.ts";
import { read as readFlawed } from "../../examples/sim/register_flawed.ts";
import { all, Switch } from "../../mod.ts";
import { seededRandom } from "../../net/testing/_random.ts";
import { checkSeeds, SeedError, type SimEvent } from "../../net/testing/mod.ts";
import { anyPort, withNet } from "../net/_helpers.ts";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { type ProgramEnd, startProgram } from "./_program.ts";

/** The first seed that finds the flaw, and what it finds. */
const firstSeed = 17;
const flaw = `client3 got "client1's write 3" after client3 had got "client2's write 4"`;

/** Three clients of three replicas on loopback, each with many operations. */
function overLoopback(read: (client: Client) => Promise<Entry>): Promise<void> {
  return withNet((sw, net) =>
    Switch.run(async (servers) => {
      const listeners = await all([1, 2, 3].map(() => () => net.listen(sw, anyPort)));
      for (const listener of listeners) servers.forkDaemon(() => serveReplica(listener, { entry: empty }));
      const client = { net, replicas: listeners.map(({ address }) => address), random: seededRandom(1) };
      const history = new History();
      await all(["a", "b", "c"].map((name) => async () => {
        for (let i = 0; i < 30; i++) {
          await history.check(name, () => i % 3 === 0 ? write(client, `${name}'s write ${i}`) : read(client));
        }
      }));
    })
  );
}

test("the register passes a test over loopback, with its flaw and without", async () => {
  await overLoopback(readFlawed);
  await overLoopback(read);
});

test("the register loses what was read, with its flaw, at the same seed on every runtime", async () => {
  const error = await assertRejects(() => checkSeeds(1000, checkFlawed, options), SeedError, flaw);
  assertEquals([error.seed, error.faults], [firstSeed, [{ what: "crash", at: 770, for: 351, host: "client2" }]]);
});

test("the register loses nothing that was read, without its flaw", () => checkSeeds(100, checkRegister, options), {
  timeout: 300_000, // seconds, but minutes on a very busy machine
});

test("the register's check fails if an operation returns an older entry than one before it", async () => {
  const history = new History();
  const returning = (version: number) => () => Promise.resolve({ version, value: `value ${version}` });
  await history.check("a", returning(2));
  await history.check("a", returning(2));
  await assertRejects(() => history.check("b", returning(1)), Error, 'b got "value 1" after a had got "value 2"');
  await history.check("a", async () => { // both began at once
    await history.check("b", returning(3));
    return await returning(2)();
  });
});

/** Runs `tools/sim.ts` to its end. */
async function runSim(...args: readonly string[]): Promise<ProgramEnd & { readonly output: string }> {
  await using program = startProgram(join(root, "tools/sim.ts"), ...args);
  const end = await program.end;
  return { ...end, output: program.output };
}

const example = (name: string) => join(root, `examples/sim/${name}.ts`);

test("sim passes seeds, says how fast it was, and prints nothing to stdout", async () => {
  const { status, output, errors } = await runSim("--seeds=3..5", example("check"));
  assertEquals([status, output], [0, ""]);
  assertMatch(errors, /^3 of 3 seeds passed in \d+\.\d s, \d+ a second\n$/);
});

test("sim stops at the first seed that fails, and prints what is needed to replay it", async () => {
  const { status, output, errors } = await runSim("--trace=json", example("check_flawed"));
  assertEquals(status, 1);
  const report = errors.slice(errors.indexOf("a seed fails: looking for the fewest faults\n"));
  assertEquals(report.split("\n").slice(1, 5), [
    `Cannot pass seed ${firstSeed}: Error: ${flaw}`,
    "faults: [",
    '  {"what":"crash","at":770,"for":351,"host":"client2"},',
    "]",
  ]);
  assertMatch(report, /the cause: Error: [^]*check\.ts:\d+/);
  const events: SimEvent[] = JSON.parse(output);
  assert(events.some(({ time, host, what }) => time === 770 && host === "client2" && what === "crash"));
});

test("sim replays one seed, and prints its trace if it fails", async () => {
  const { status, output } = await runSim(`--seed=${firstSeed}`, example("check_flawed"));
  assertEquals(status, 1);
  assertMatch(output, /^ *5\.341 client1 {2}send SYN {8}client1:32768 -> replica1:7000$/m);
  assertMatch(output, /^ *770\.000 client2 {2}crash$/m);
});

test("sim prints the trace of one seed that passes, if asked to", async () => {
  const { status, output, errors } = await runSim("--seed=-1", "--trace=chrome", example("check"));
  assertEquals([status, JSON.parse(output).displayTimeUnit], [0, "ms"]);
  assertMatch(errors, /^1 of 1 seeds passed/);
});

test("sim runs a scenario without options, and shows where it throws", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    const file = join(folder, "mine.ts");
    writeFileSync(
      file,
      'export default async (sim) => {\n  await sim.run(5);\n  throw new TypeError("planned");\n};\n',
    );
    const { status, errors } = await runSim("--seeds=2", file);
    assertEquals([status, errors.split("\n")[0]], [1, "Cannot pass seed 1: TypeError: planned"]);
    assertMatch(errors, /mine\.ts:3/);
    writeFileSync(file, "export default 5;\n");
    const wrong = await runSim(file);
    const text = `Cannot simulate ${file}: its default export must be a function, and is 5\n`;
    assertEquals([wrong.status, wrong.errors], [2, text]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("sim says which argument is wrong, and how", async () => {
  const file = example("check");
  const cases: [string[], string][] = [
    [[], "needs one FILE, and has 0"],
    [[file, file], "needs one FILE, and has 2"],
    [["--seed=1.5", file], "--seed must be a whole number, and is '1.5'"],
    [["--seed=", file], "--seed must be a whole number, and is ''"],
    [["--seeds=0", file], "--seeds must be a whole number >= 1, and is '0'"],
    [["--seeds=5..3", file], "--seeds must be a whole number >= 5, and is '3'"],
    [["--seeds=x..3", file], "--seeds must be a whole number, and is 'x'"],
    [["--seed=3", "--seeds=4", file], "with --seed and --seeds"],
    [["--trace=xml", file], "--trace must be text, json or chrome, and is 'xml'"],
    [["--nope", file], "'--nope'"],
    [["/none.ts"], "Cannot simulate '/none.ts': there is no such file"],
  ];
  for (const [args, message] of cases) {
    const { status, output, errors } = await runSim(...args);
    assertEquals([status, output, errors.split("\n")[0].includes(message)], [2, "", true], errors);
    assert(errors.includes("usage: deno task sim"));
  }
});
