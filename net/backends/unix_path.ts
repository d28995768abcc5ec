// Copyright 2026 the Sluice authors. MIT license.

import { existsSync } from "node:fs";
import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname } from "node:path";

/**
 * Removes the file of a Unix socket on which nobody answers. A live socket, and any other file, is left alone: binding to it fails then.
 */
export async function removeDeadSocket(path: string): Promise<void> {
  if (path.startsWith("\0") || !await isSocket(path) || !await isDead(path)) return;
  await unlink(path).catch(() => {}); // gone already, or not ours to remove: binding will tell
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSocket();
  } catch {
    return false;
  }
}

function isDead(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
    probe.on("connect", () => {
      probe.destroy();
      resolve(false);
    });
  });
}

/** What a failure to bind means: libuv turns "no such folder" into "access denied", as on Windows. */
export function bindError(path: string, error: NodeJS.ErrnoException): Error {
  if (error.code !== "EACCES" || path.startsWith("\0") || existsSync(dirname(path))) return error;
  return Object.assign(new Error(`There is no folder for ${path}`, { cause: error }), { code: "ENOENT" });
}
