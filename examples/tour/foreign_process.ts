// Copyright 2026 the Sluice authors. MIT license.

/** Runs `foreign.ts` in a process of its own, on the runtime that runs the tour. */
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { currentSignal } from "@sluice/io";

const program = fileURLToPath(new URL("foreign.ts", import.meta.url));

/**
 * Runs some foreign clients and waits for them. Cancelling kills the process: it is given the signal of the current scope.
 *
 * @param numbers The port, the first client, how many clients, and of how many.
 * @param checked Told the size of every reply that was right.
 */
export async function runForeignClients(numbers: readonly number[], checked: (bytes: number) => void): Promise<void> {
  const run = process.versions.deno === undefined ? [] : ["run", "-A"];
  const child = spawn(process.execPath, [...run, program, ...numbers.map(String)], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // Ctrl-C is for the tour alone to answer
    signal: currentSignal(),
  });
  createInterface({ input: child.stdout }).on("line", (line) => checked(Number(line)));
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => complaint += text);
  await new Promise<void>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`Foreign clients failed (${signal ?? `exit code ${code}`}): ${complaint.trim()}`));
    });
  });
}
