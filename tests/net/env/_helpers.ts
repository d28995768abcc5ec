// Copyright 2026 the Sluice authors. MIT license.

/** What the tests of `run` share: they start its programs. */
import { assertEquals } from "@std/assert";
import { type Peer, runThis, thisCommand } from "../../runtime/_peers.ts";

/** The command that runs a program of `_program.ts` on this runtime; the name follows. */
export const command: readonly string[] = thisCommand("tests/net/env/_program.ts");

/** Starts a program of `_program.ts` on this runtime. */
export function start(name: string): Peer {
  return runThis("tests/net/env/_program.ts", name);
}

/** Starts a program, and gives what it wrote once it has ended well. */
export async function outputOf(name: string, input: string = ""): Promise<string> {
  await using peer = start(name);
  peer.say(input);
  peer.endInput();
  const ending = await peer.ended;
  assertEquals([ending, peer.errors], [{ code: 0, signal: null }, ""]);
  return peer.output;
}
