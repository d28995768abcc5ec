// Copyright 2026 the Sluice authors. MIT license.

/** What the operating system says is open, where it has a `/proc`. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * How many network sockets this process has; `undefined` where that cannot be told. Unix sockets do not count: runtimes keep some for themselves.
 */
export function processSockets(): number | undefined {
  try {
    const unix = new Set(rowsOf("/proc/net/unix").map((row) => `socket:[${row[6]}]`));
    const opened = readdirSync("/proc/self/fd").map((fd) => target(`/proc/self/fd/${fd}`));
    return opened.filter((name) => name.startsWith("socket:") && !unix.has(name)).length;
  } catch {
    return undefined;
  }
}

/**
 * How many sockets, of any process, use the TCP port of 127.0.0.1; `undefined` where that cannot be told. A connection that is over and only remembered
 * for a while (TIME_WAIT) does not count.
 */
export function portSockets(port: number): number | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const timeWait = "06";
  try {
    return rowsOf("/proc/net/tcp").filter(([, local, remote, state]) =>
      state !== timeWait && (local.endsWith(suffix) || remote.endsWith(suffix))
    ).length;
  } catch {
    return undefined;
  }
}

function rowsOf(path: string): string[][] {
  return readFileSync(path, "utf8").trim().split("\n").slice(1).map((row) => row.trim().split(/\s+/));
}

function target(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // closed meanwhile, as the descriptor by which the folder itself was read
  }
}
