// Copyright 2026 the Sluice authors. MIT license.

/** A handler that forgets an `await` never ends the process, and leaves nothing behind. */
import { assertEquals } from "@std/assert";
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
