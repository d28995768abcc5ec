// Copyright 2026 the Sluice authors. MIT license.

/** A handler that forgets an `await` never ends the process, and leaves nothing behind. */
import { assertEquals, assertMatch } from "@std/assert";
import process from "node:process";
import { test } from "../_test.ts";
import { runThis } from "./_peers.ts";

/** What a handler forgets to await, and how often that is reported for two connections. */
const cases: readonly [name: string, reported: number][] = [
  ["copyString", 0],
  ["writeAll", 0],
  ["write", 0],
  ["read", 0],
  ["copy", 0],
  ["readAll", 0],
  ["line", 0],
  ["proxy", 0],
  ["withBufWriter", 2],
  ["shutdown", 0],
  ["switchRun", 2],
  ["withTimeout", 2],
  ["sleep", 0],
  ["connect", 0],
  ["connectInFunction", 0],
  ["connectAny", 0],
  ["withTcpConnect", 2],
  ["getAddrInfo", 0],
  ["accept", 0],
  ["runServer", 0],
  ["receive", 0],
  ["ownFunction", 0],
  ["ownLoop", 0],
];
for (const [name, reported] of cases) {
  test(`runServer() survives a handler that forgets to await: ${name}`, async () => {
    await using program = runThis("tests/runtime/_forgetful_program.ts", name);
    const ending = await program.ended;
    assertEquals([program.output, program.errors, ending.code], [`served, reported: ${reported}\nended\n`, "", 0]);
  });
}

/** What fails by itself, although nothing awaits it: it goes to `onError`. Bun does not say whose it was, and shows it. */
const failing: readonly [name: string, reported: number, message: RegExp][] = [
  ["failedScope", 2, /JSON/],
  ["failedFunction", 2, /Cannot serve/],
  ["misuse", 2, /Cannot use a string as bytes/],
];
for (const [name, reported, message] of failing) {
  test(`runServer() survives a handler that forgets to await what fails: ${name}`, async () => {
    await using program = runThis("tests/runtime/_forgetful_program.ts", name);
    const ending = await program.ended;
    const bun = process.versions.bun !== undefined;
    assertEquals([program.output, ending.code], [`served, reported: ${bun ? 0 : reported}\nended\n`, 0]);
    assertMatch(program.errors, bun ? message : /^$/);
  });
}

test("runServer() survives a handler that forgets to await a connection that is refused", async () => {
  await using program = runThis("tests/runtime/_forgetful_program.ts", "refused");
  assertEquals((await program.ended).code, 0);
});
