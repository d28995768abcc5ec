// Copyright 2026 the Sluice authors. MIT license.

/** Runs `foreign.ts` in a process of its own, on the runtime that runs the tour. */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { currentSignal } from "@sluice/io";
import type { Payload } from "./payloads.ts";

const program = fileURLToPath(new URL("foreign.ts", import.meta.url));

/** Which clients a process runs: `count` from number `first` on, of all there are. */
export interface ForeignClients {
  readonly port: number;
  readonly first: number;
  readonly count: number;
  readonly of: number;
}

/**
 * Runs some foreign clients, which send `payloads`, and waits until they are done. `checked` is told the size of every reply that was right.
 *
 * Cancelling kills the process, because it is given the signal of the current scope, and waits for its end.
 */
export async function runForeignClients(
  { port, first, count, of }: ForeignClients,
  payloads: readonly Payload[],
  checked: (bytes: number) => void,
): Promise<void> {
  const run = process.versions.deno === undefined ? [] : ["run", "-A"];
  const child = spawn(process.execPath, [...run, program, ...[port, first, count, of].map(String)], {
    detached: true, // Ctrl-C is for the tour alone to answer
    signal: currentSignal(),
  });
  createInterface({ input: child.stdout }).on("line", (line) => checked(Number(line)));
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => complaint += text);
  child.stdin.on("error", () => {}); // it has ended early, and its exit code tells more
  for (const { bytes } of payloads) child.stdin.write(bytes);
  child.stdin.end();
  let failure: Error | undefined;
  child.on("error", (error) => failure = error); // that it was killed, say; but it is not over before it is closed
  await new Promise<void>((resolve, reject) => {
    child.on("close", (code, signal) => {
      if (failure === undefined && code === 0) return resolve();
      reject(failure ?? new Error(`Foreign clients failed (${signal ?? `exit code ${code}`}): ${complaint.trim()}`));
    });
  });
}
