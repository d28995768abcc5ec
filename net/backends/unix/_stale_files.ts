// Copyright 2026 the Sluice authors. MIT license.

import { closeSync, constants, lstatSync, readdirSync, unlinkSync } from "node:fs";
import process from "node:process";
import { removeHolder, removeStaleClaim } from "./_claim.ts";
import { type Allows, ignoreErrors, inFolder, openFolder, readableMark } from "./_private_folder.ts";
import type { DeadTest } from "./_probe.ts";
import { hasExited } from "./_process_mark.ts";

/** Removes what killed processes left beside a path: private folders, dead sockets, claims. */
export async function removeStaleFiles(path: string, isDead: DeadTest, allows: Allows): Promise<void> {
  if (!allows(path) || readableMark(allows) === undefined) return;
  const slash = path.lastIndexOf("/") + 1;
  let names: string[] = [];
  ignoreErrors(() => names = readdirSync(path.slice(0, slash) || "."));
  const base = `${path.slice(slash)}.`;
  for (const name of names) {
    if (!name.startsWith(base)) continue;
    const mark = /^(.+)\.[A-Za-z0-9]{6}$/.exec(name.slice(base.length))?.[1];
    const left = path.slice(0, slash) + name;
    if (mark !== undefined) {
      if (isOurs(left) && hasExited(mark)) await clearFolder(left, mark, isDead);
    } else if (/^\d+\.claim$/.test(name.slice(base.length))) removeStaleClaim(left, true);
  }
}

/** Reports whether a path is a folder of this user that others cannot access. */
function isOurs(folder: string): boolean {
  try {
    const { uid, mode } = lstatSync(folder);
    return (mode & constants.S_IFMT) === constants.S_IFDIR && (mode & 0o077) === 0 && uid === process.geteuid?.();
  } catch {
    return false;
  }
}

/**
 * Removes a private folder, unless it contains anything but a dead socket or an unfinished claim.
 */
async function clearFolder(folder: string, mark: string, isDead: DeadTest): Promise<void> {
  if (await hasDeadSocket(folder, isDead)) ignoreErrors(() => unlinkSync(`${folder}/s`));
  removeHolder(folder, mark);
}

/** Reports whether the file in a private folder is a socket without a listener. */
async function hasDeadSocket(folder: string, isDead: DeadTest): Promise<boolean> {
  let descriptor: number | undefined;
  try {
    if (!lstatSync(`${folder}/s`).isSocket()) return false;
    descriptor = openFolder(folder);
    return await isDead(inFolder(descriptor));
  } catch {
    return false;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
