// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChild } from "./_child.ts";
import { withFolder } from "./_helpers.ts";
import { type Case, parseJunit } from "./_junit.ts";
import { root, type Runtime, thisRuntime } from "./_runtimes.ts";
import { runJobs, Suite, summarize, type Tally } from "./_suite.ts";
import { test } from "./_test.ts";

test("test() fails for each leak, stray error and endless body, and for nothing else", async () => {
  const { cases, output } = await runFixture("leaky.ts", { SLUICE_PEERS: undefined });
  const healthy = cases.filter(({ outcome }) => outcome === "passed").map(({ name }) => name);
  assertEquals(healthy, [
    "healthy: waits for what is on its way out",
    "healthy: not blamed for what an earlier test left open",
  ]);
  const skipped = cases.filter(({ outcome }) => outcome === "skipped").map(({ name }) => name);
  assertEquals(skipped, ["needs a tool [needs sluice-no-such-tool]"]);
  assertEquals(cases.filter(({ outcome }) => outcome === "failed").length, 10);
  for (const leak of ["fibers: 1", "sockets: 1", "listeners: -1"]) {
    assertStringIncludes(output, `Test left something open: ${leak}`);
  }
  assertStringIncludes(output, "Test still ran after 50 ms");
});

test("test() fails for a missing tool when SLUICE_PEERS is all", async () => {
  const { cases, output } = await runFixture("needy.ts", { SLUICE_PEERS: "all" });
  assertEquals(cases, [{ name: "needs a tool", outcome: "failed" }]);
  assertStringIncludes(output, "the PATH has no sluice-no-such-tool");
});

test("runChild() kills a child that hangs, with its descendants", async () => {
  await withFolder(async (folder) => {
    const pidFile = join(folder, "pid");
    const script = `sleep 600 & echo $! > ${pidFile}; echo started; wait`;
    const child = await runChild(["sh", "-c", script], { limit: 3000 }); // long enough to start
    assert(child.timedOut);
    assertEquals(child.output, "started\n");
    assert(await isGone(readFileSync(pidFile, "utf8").trim()));
  });
});

test("runChild() kills what a child leaves behind", async () => {
  const child = await runChild(["sh", "-c", "sleep 600 & echo $!; exit 7"], { limit: 30_000 });
  assertEquals(child.code, 7);
  assert(!child.timedOut);
  assert(await isGone(child.output.trim()));
});

test("Suite adds up what the runtimes report", async () => {
  const files = { "a.test.ts": report(["x", "y"]), "b.test.ts": report(["z"]) };
  const { tally, lines } = await runSuite([fake("one", files), fake("two", files)], Object.keys(files));
  assertEquals(tally, { passed: 6, failed: 0 });
  assertEquals(lines.filter((line) => line.startsWith("ok ")).length, 4);
});

test("Suite fails a file that hangs", async () => {
  const { tally, lines } = await runSuite([shell("hangs", "sleep 600")], ["a.test.ts"], 200);
  assertEquals(tally, { passed: 0, failed: 1 });
  assertStringIncludes(lines.join("\n"), "killed: still running after 0.2 s");
});

test("Suite fails a file whose tests differ between the runtimes", async () => {
  const one = fake("one", { "a.test.ts": report(["x", "y"]) });
  const two = fake("two", { "a.test.ts": report(["x"]) });
  const { tally, lines } = await runSuite([one, two], ["a.test.ts"]);
  assertEquals(tally, { passed: 3, failed: 1 });
  assertEquals(lines.at(-1), 'FAILED a.test.ts: the runtimes differ: "y": one 1, two 0');
});

test("Suite fails a file that skips on one runtime only", async () => {
  const one = fake("one", { "a.test.ts": report(["x [needs curl]"], "<skipped/>") });
  const two = fake("two", { "a.test.ts": report(["x"]) });
  const { tally } = await runSuite([one, two], ["a.test.ts"]);
  assertEquals(tally, { passed: 1, failed: 1 });
});

test("Suite fails for a runtime that is missing", async () => {
  const absent: Runtime = { ...shell("absent", ""), program: "/nonexistent/bin/absent" };
  const { tally, lines } = await runSuite([fake("one", { "a.test.ts": report(["x"]) }), absent], ["a.test.ts"]);
  assertEquals(tally, { passed: 1, failed: 1 });
  assertEquals(lines[0], "FAILED absent: there is no /nonexistent/bin/absent");
});

test("Suite fails a file without a report, without a test, or with a bad exit code", async () => {
  const silent = await runSuite([shell("silent", "exit 0")], ["a.test.ts"]);
  assertEquals(silent.tally, { passed: 0, failed: 1 });
  assertStringIncludes(silent.lines.join("\n"), "ended without a report: exit code 0");
  const empty = await runSuite([fake("empty", { "a.test.ts": report([]) })], ["a.test.ts"]);
  assertEquals(empty.tally, { passed: 0, failed: 1 });
  const crash = await runSuite([fake("crash", { "a.test.ts": report(["x"]) }, "exit 3")], ["a.test.ts"]);
  assertEquals(crash.tally, { passed: 1, failed: 1 });
});

test("Suite counts an error and a cancelled test as failed, and prints the child's output", async () => {
  const cancelled = fake(
    "one",
    { "a.test.ts": report(["x"], '<failure type="cancelledByParent"/>') },
    "echo why; exit 1",
  );
  const { tally, lines } = await runSuite([cancelled], ["a.test.ts"]);
  assertEquals(tally, { passed: 0, failed: 1 });
  assertEquals(lines.at(-1), "why\n");
  const errored = await runSuite([fake("one", { "a.test.ts": report(["x"], "<error/>") })], ["a.test.ts"]);
  assertEquals(errored.tally, { passed: 0, failed: 1 });
});

test("Suite lists a skip once, and fails one that has no reason", async () => {
  const files = { "a.test.ts": report(["x [needs socat]"], "<skipped/>") };
  const { tally, skips } = await runSuite([fake("one", files), fake("two", files)], ["a.test.ts"]);
  assertEquals(tally, { passed: 0, failed: 0 });
  assertEquals(skips, ["skipped a.test.ts: x [needs socat]"]);
  const silent = await runSuite([fake("one", { "a.test.ts": report(["x"], "<skipped/>") })], ["a.test.ts"]);
  assertEquals(silent.tally, { passed: 0, failed: 1 });
});

test("summarize() ends with the counts, alone on their line", () => {
  assertEquals(
    summarize({ passed: 12, failed: 1 }, ["skipped a", "skipped b"]),
    "skipped a\nskipped b\n12 passed, 1 failed",
  );
  assertEquals(summarize({ passed: 1, failed: 0 }, []), "1 passed, 0 failed");
});

test("runJobs() runs as many at once as it may", async () => {
  let running = 0;
  let most = 0;
  const job = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return { passed: 1, failed: 2 };
  };
  assertEquals(await runJobs(Array(7).fill(job), 3), { passed: 7, failed: 14 });
  assertEquals(most, 3);
});

test("parseJunit() reads what each runner writes", () => {
  const xml = '<testsuites><testcase name="a &lt; &amp;quot;b&amp;quot; -> &#233;&#x41;" time="0"/>\n' +
    '<testcase name="b" failure="<x>"><failure type="t" message="a > b">at &lt;/testcase></failure></testcase>\n' +
    '<testcase name="c"><skipped type="skipped" message=""/></testcase><testcase name="d"></testcase></testsuites>';
  assertEquals(parseJunit(xml), [
    { name: 'a < "b" -> éA', outcome: "passed" },
    { name: "b", outcome: "failed" },
    { name: "c", outcome: "skipped" },
    { name: "d", outcome: "passed" },
  ]);
  assertEquals(parseJunit(xml.slice(0, -1)), undefined);
});

/** Runs the failing tests of the fixture on the current runtime. */
async function runFixture(
  file: string,
  env: Record<string, string | undefined>,
): Promise<{ cases: Case[]; output: string }> {
  return await withFolder(async (folder) => {
    const path = join(folder, "report.xml");
    const child = await runChild(thisRuntime().testCommand(join(root, "tests/fixtures", file), path), {
      limit: 100_000,
      cwd: root,
      env: { NO_COLOR: "1", NODE_TEST_CONTEXT: undefined, ...env },
    });
    assert(child.code !== 0, child.output);
    return { cases: parseJunit(readFileSync(path, "utf8")) ?? [], output: child.output };
  });
}

async function runSuite(
  runtimes: Runtime[],
  files: string[],
  limit = 20_000,
): Promise<{ tally: Tally; lines: string[]; skips: string[] }> {
  const lines: string[] = [];
  const suite = new Suite({ root: tmpdir(), limit, print: (text) => lines.push(text) });
  const tally = await runJobs(suite.jobs(files, runtimes), 2);
  return { tally, lines, skips: suite.finish() };
}

/** Returns a runtime that writes the given reports and then runs `script`. */
function fake(name: string, reports: Record<string, string>, script = "exit 0"): Runtime {
  const write = (path: string, to: string) => `cat > '${to}' <<'END'\n${reports[path.split("/").pop() ?? ""]}\nEND\n`;
  return { ...shell(name, ""), testCommand: (path, to) => ["/bin/sh", "-c", write(path, to) + script] };
}

function shell(name: string, script: string): Runtime {
  const command = () => ["/bin/sh", "-c", script];
  return { name, program: "/bin/sh", testCommand: command, runCommand: command };
}

function report(names: string[], inner = ""): string {
  return `<testsuites>${names.map((name) => `<testcase name="${name}">${inner}</testcase>`).join("")}</testsuites>`;
}

/** Waits some seconds for the process to end; a zombie counts as ended. */
async function isGone(pid: string): Promise<boolean> {
  for (let turn = 0; turn < 2000; turn++) {
    const status = `/proc/${pid}/stat`;
    if (!existsSync(status) || /\) Z /.test(readFileSync(status, "utf8"))) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}
