// Copyright 2026 the Sluice authors. MIT license.

/**
 * Claims to dead sockets: of several processes that may remove a dead socket, only the holder of
 * the claim does. A claim is a folder beside the path, `PATH.INODE.claim`. It contains one empty
 * folder, named by the mark of the holder's process: the claim of a killed process is stale.
 *
 * rename(2) moves a folder onto an empty folder, but fails on any other: so only one process can
 * have the claim. A stale claim is emptied first. That removes the mark of a process that has
 * ended, never the mark of one that has taken the claim since.
 */
import { lstatSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { type Allows, ignoreErrors, makeFolder, readableMark, removeFolder } from "./_private_folder.ts";
import { hasExited } from "./_process_mark.ts";

/**
 * The age in milliseconds at which a claim is stale if its mark cannot be judged: without `/proc`,
 * or from another boot or PID namespace. A live process holds a claim for one turn.
 */
const maxClaimAge = 5000;

/** Calls `action` if this process gets the claim to the dead socket `ino` at `path`. */
export function withClaim(path: string, ino: bigint, allows: Allows, action: () => void): void {
  const claim = `${path}.${ino}.claim`;
  const folder = makeFolder(path, allows);
  if (folder === undefined) return action(); // the program may only use the path itself
  const mark = readableMark(allows);
  const holder = mark ?? "unmarked";
  removeStaleClaim(claim, mark !== undefined);
  try {
    mkdirSync(`${folder}/${holder}`);
    renameSync(folder, claim);
  } catch {
    return removeHolder(folder, holder); // another process has the claim
  }
  try {
    action();
  } finally {
    removeHolder(claim, holder);
  }
}

/**
 * Removes a claim, unless its holder may still be running.
 *
 * @param judges Whether holders can be judged by their marks, and not only by age.
 */
export function removeStaleClaim(claim: string, judges: boolean): void {
  ignoreErrors(() => {
    for (const holder of readdirSync(claim)) {
      if ((judges ? hasExited(holder) : undefined) ?? isOld(claim)) removeHolder(claim, holder);
    }
  });
  removeFolder(claim);
}

/** Removes the folder of a holder from a claim, and the claim if it is now empty. */
export function removeHolder(claim: string, holder: string): void {
  removeFolder(`${claim}/${holder}`);
  removeFolder(claim);
}

function isOld(claim: string): boolean {
  return Date.now() - lstatSync(claim).mtimeMs > maxClaimAge;
}
