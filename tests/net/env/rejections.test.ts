// Copyright 2026 the Sluice authors. MIT license.

/** Async calls that a program does not await. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { thisRuntime } from "../../_runtimes.ts";
import { test } from "../../_test.ts";
import { runThis } from "../../runtime/_peers.ts";
import { ownPort } from "../_helpers.ts";

/** Returns the exit code and the output of a program of `_stray_program.ts`. */
async function resultOf(...args: string[]): Promise<{ code: number | null; output: string; errors: string }> {
  await using peer = runThis("tests/net/env/_stray_program.ts", ...args);
  const { code } = await peer.ended;
  return { code, output: peer.output, errors: peer.errors };
}

test("run() ignores a cancelled async function that was not awaited", async () => {
  assertEquals(await resultOf("cancelled"), { code: 0, output: "main ends\n", errors: "" });
});

for (const name of ["closed", "thrown"]) {
  test(`run() ignores an async function that was not awaited and lost its flow: ${name}`, async () => {
    assertEquals(await resultOf(name), { code: 0, output: "main goes on\nafter\n", errors: "" });
  });
}

test("run() shows an error of the network that nothing awaits as a warning", async () => {
  const { code, output, errors } = await resultOf("network", String(ownPort()));
  assertEquals([code, output], [0, "main goes on\n"]);
  assertMatch(errors, /SluiceWarning: .* NetError: Cannot connect to tcp:127.0.0.1:\d+: connection refused/);
});

test("run() shows a timeout that nothing awaits as a warning", async () => {
  const { code, output, errors } = await resultOf("timeout");
  assertEquals([code, output], [0, "main goes on\n"]);
  assertStringIncludes(errors, "TimeoutError");
});

for (const name of ["failed", "text"]) {
  test(`run() leaves any other rejection to the platform: ${name}`, async () => {
    const guarded = await resultOf(name);
    const bare = await resultOf(`${name}Bare`);
    assertEquals([guarded.code, guarded.output], [1, bare.output]);
    const written = (text: string) => text.split("\n").filter((line) => /Cannot serve|a text/.test(line));
    assertEquals(written(guarded.errors), written(bare.errors));
    if (name === "failed") assertMatch(guarded.errors, /at .*fail/);
  });
}

test("run() leaves a failure to the platform where cancelled functions are beside it", async () => {
  const { code, errors } = await resultOf("beside");
  assertEquals(code, 1);
  assertStringIncludes(errors, "Cannot serve");
  assert(!errors.includes("Cancelled"), errors);
});

test("run() leaves a rejection to the listener that the program has", async () => {
  const output = "told Error: Cannot serve\nmain goes on\nafter\n";
  assertEquals(await resultOf("own"), { code: 0, output, errors: "" });
});

const ownFailures: [name: string, text: string][] = [
  ["top", "NetError"],
  ["floating", "NetError"],
  ["floatingAsync", "NetError"],
  ["floatingClosed", "ClosedError"],
  ["floatingCancelled", "Cancelled"],
];

for (const [name, text] of ownFailures) {
  test(`run() that fails itself ends the process, whatever the error: ${name}`, async () => {
    const { code, errors } = await resultOf(name, String(ownPort()));
    assertEquals(code, 1);
    assertStringIncludes(errors, text);
    assert(!errors.includes("SluiceWarning"), errors);
  });
}

test("run() that was not awaited in a switch is reported by that, and ends no process", async () => {
  const output = 'Error: Cannot end a switch: a Switch.run "run" was not awaited\n';
  assertEquals(await resultOf("forgottenRun"), { code: 0, output, errors: "" });
});

test("run() lets a listener for uncaught exceptions hear of rejections, where the platform does", async () => {
  const { code, output } = await resultOf("uncaught");
  const told = "told Error: Cannot serve unhandledRejection\nguarded 1\n";
  const expected = thisRuntime().name === "bun" ? [1, "guarded 1\n".repeat(2)] : [0, told.repeat(2)];
  assertEquals([code, output], expected);
});

test("run() listens for rejections until the last one has ended", async () => {
  assertEquals((await resultOf("removed")).output, "0 1 1 0\n");
});
