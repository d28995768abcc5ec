// Copyright 2026 the Sluice authors. MIT license.

/** Counts of open sockets from the operating system's `/proc`. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * Returns the number of network sockets of this process, or `undefined` if there is no `/proc`.
 * Unix sockets are excluded, because runtimes use some internally.
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
 * Returns the number of sockets, of any process, that use a TCP port of 127.0.0.1, or `undefined` if
 * there is no `/proc`. Sockets in TIME_WAIT are excluded.
 */
export function portSockets(port: number): number | undefined {
  const end = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`; // on 127.0.0.1
  const timeWait = "06";
  try {
    return rowsOf("/proc/net/tcp").filter(([, local, remote, state]) =>
      state !== timeWait && (local === end || remote === end)
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
    return ""; // closed meanwhile, like the descriptor that was used to read the folder
  }
}
