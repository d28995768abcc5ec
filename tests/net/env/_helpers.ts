// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of `run`, which start its programs. */
import { assertEquals } from "@std/assert";
import { type Peer, runThis, thisCommand } from "../../runtime/_peers.ts";

/** The command that runs a program of `_program.ts` on this runtime; append its name. */
export const command: readonly string[] = thisCommand("tests/net/env/_program.ts");

/** Starts a program of `_program.ts` on this runtime. */
export function start(name: string): Peer {
  return runThis("tests/net/env/_program.ts", name);
}

/** Runs a program, and returns its output once it has exited with 0. */
export async function outputOf(name: string, input: string = ""): Promise<string> {
  await using peer = start(name);
  peer.say(input);
  peer.endInput();
  const ending = await peer.ended;
  assertEquals([ending, peer.errors], [{ code: 0, signal: null }, ""]);
  return peer.output;
}
