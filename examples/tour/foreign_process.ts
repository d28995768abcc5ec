// Copyright 2026 the Sluice authors. MIT license.

/** Runs `foreign.ts` in a child process, on the same runtime as the tour. */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { currentSignal } from "@sluice/io";
import type { Payload } from "./payloads.ts";

const program = fileURLToPath(new URL("foreign.ts", import.meta.url));

/** The clients that a process runs: `count` clients from number `first`, of `of` in all. */
export interface ForeignClients {
  readonly port: number;
  readonly first: number;
  readonly count: number;
  readonly of: number;
}

/**
 * Runs foreign clients, which send `payloads`, in a process, and waits for its end. Calls `checked`
 * with the size of each correct reply.
 *
 * Cancelling kills the process, which has the signal of the current scope, and waits for its end.
 */
export async function runForeignClients(
  { port, first, count, of }: ForeignClients,
  payloads: readonly Payload[],
  checked: (bytes: number) => void,
): Promise<void> {
  const run = process.versions.deno === undefined ? [] : ["run", "-A"];
  const child = spawn(process.execPath, [...run, program, ...[port, first, count, of].map(String)], {
    detached: true, // so that only the tour receives Ctrl-C
    signal: currentSignal(),
  });
  createInterface({ input: child.stdout }).on("line", (line) => checked(Number(line)));
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => complaint += text);
  child.stdin.on("error", () => {}); // if it ended early, its exit code is the better error
  for (const { bytes } of payloads) child.stdin.write(bytes);
  child.stdin.end();
  let failure: Error | undefined;
  child.on("error", (error) => failure = error); // such as that it was killed; "close" follows
  await new Promise<void>((resolve, reject) => {
    child.on("close", (code, signal) => {
      if (failure === undefined && code === 0) return resolve();
      reject(failure ?? new Error(`Foreign clients failed (${signal ?? `exit code ${code}`}): ${complaint.trim()}`));
    });
  });
}
