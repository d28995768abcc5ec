// Copyright 2026 the Sluice authors. MIT license.

import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";

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
