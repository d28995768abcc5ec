// Copyright 2026 the Sluice authors. MIT license.

/**
 * Folders beside the path of a Unix socket that only this user can enter: there the socket is made,
 * and there a file is put aside. The name of one says which process has made it, so that another
 * process can remove what a killed one has left.
 */
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import process from "node:process";
import { maxUnixPathBytes } from "../../internal.ts";
import { isGone, ownMark } from "./_owner.ts";
import type { DeadTest } from "./_probe.ts";

/** After so many milliseconds the maker of a claim has died: a claim is held within one turn. */
export const longestClaim = 5000;

/** Whether the program may use a path, without asking the user. */
type Allows = (path: string) => boolean;

/** A folder beside a path, in which a socket is bound. */
export class Room {
  /** The socket. */
  readonly file: string;
  /** The socket, as the system takes its address. */
  readonly bindPath: string;
  readonly #folder: string;
  /** The folder, where only `/proc/self/fd` has a name for it that is short enough. */
  #descriptor: number | undefined;

  constructor(folder: string, bindPath: string, descriptor?: number) {
    this.#folder = folder;
    this.file = `${folder}/s`;
    this.bindPath = bindPath;
    this.#descriptor = descriptor;
  }

  /**
   * Makes one.
   *
   * @param path The absolute path of the socket.
   * @param given The path as it was given.
   * @returns `undefined` where the address would be too long, or the program may not bind there.
   * @throws The system's error, when no folder can be made.
   */
  static make(path: string, given: string, allows: Allows): Room | undefined {
    if (!allows(`${path}.XXXXXX/s`)) return undefined;
    const mark = allows("/proc/self/fd/0/s") ? ownMark() : undefined;
    if (mark === undefined) {
      const base = [path, given].find((base) => fits(`${base}.XXXXXX/s`));
      if (base === undefined) return undefined;
      const folder = mkdtempSync(`${path}.`);
      return new Room(folder, `${base}${folder.slice(path.length)}/s`);
    }
    const folder = mkdtempSync(`${path}.${mark}.`);
    const base = [path, given].find((base) => fits(`${base}${folder.slice(path.length)}/s`));
    if (base !== undefined) return new Room(folder, `${base}${folder.slice(path.length)}/s`);
    try {
      const descriptor = openFolder(folder);
      return new Room(folder, inFolder(descriptor), descriptor);
    } catch (error) {
      leaveRoom(folder);
      throw error;
    }
  }

  /** Removes the folder. A file that had to stay keeps it. */
  leave(): void {
    leaveRoom(this.#folder);
  }

  /** Forgets the folder, once the path at which the socket was bound is out of use. */
  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** A folder beside a path for a file that is put aside; `undefined` where none can be made. */
export function makeRoom(path: string): string | undefined {
  try {
    const mark = ownMark();
    return mkdtempSync(mark === undefined ? `${path}.` : `${path}.${mark}.`);
  } catch {
    return undefined;
  }
}

/** Removes such a folder. A file that had to stay keeps it. */
export function leaveRoom(room: string): void {
  ignoreErrors(() => rmdirSync(room));
}

/**
 * Removes what killed processes have left beside a path: folders whose maker is gone for certain,
 * with the dead sockets in them, and old claims.
 */
export async function sweepRooms(path: string, isDead: DeadTest, allows: Allows): Promise<void> {
  if (!allows("/proc/self/fd/0/s") || !allows(path) || ownMark() === undefined) return;
  const slash = path.lastIndexOf("/") + 1;
  let names: string[] = [];
  ignoreErrors(() => names = readdirSync(path.slice(0, slash) || "."));
  const base = `${path.slice(slash)}.`;
  for (const name of names) {
    if (!name.startsWith(base)) continue;
    const mark = /^(.+)\.[A-Za-z0-9]{6}$/.exec(name.slice(base.length))?.[1];
    const left = path.slice(0, slash) + name;
    if (mark !== undefined) {
      if (isOurs(left) && isGone(mark)) await clearRoom(left, isDead);
    } else ignoreErrors(() => removeClaim(left, name.slice(base.length)));
  }
}

/** Whether a path is a folder of this user, into which no one else can have put anything. */
function isOurs(folder: string): boolean {
  try {
    const { uid, mode } = lstatSync(folder);
    return (mode & constants.S_IFMT) === constants.S_IFDIR && (mode & 0o077) === 0 && uid === process.geteuid?.();
  } catch {
    return false;
  }
}

/** Removes a room, unless something else than a dead socket is in it. */
async function clearRoom(room: string, isDead: DeadTest): Promise<void> {
  if (await isLeftSocket(room, isDead)) ignoreErrors(() => unlinkSync(`${room}/s`));
  leaveRoom(room);
}

/** Whether the file in a room is a socket without a listener. */
async function isLeftSocket(room: string, isDead: DeadTest): Promise<boolean> {
  let descriptor: number | undefined;
  try {
    if (!lstatSync(`${room}/s`).isSocket()) return false;
    descriptor = openFolder(room);
    return await isDead(inFolder(descriptor));
  } catch {
    return false;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Removes the claim to a dead socket, which is another name of it. */
export function removeClaim(claim: string, ino: string): void {
  const { ino: own, ctimeMs, mode } = lstatSync(claim);
  const isClaim = String(own) === ino && (mode & constants.S_IFMT) === constants.S_IFSOCK;
  if (isClaim && Date.now() - ctimeMs > longestClaim) unlinkSync(claim);
}

/** Gives a file its name back. Should a third one have taken the name, both are left. */
export function putBack(aside: string, path: string): void {
  addName(aside, path);
  ignoreErrors(() => unlinkSync(aside));
}

/** Adds a name that is not in use to a file. */
export function addName(file: string, path: string): void {
  try {
    linkSync(file, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" && !hasFile(path)) {
      return renameSync(file, path); // a file system without links
    }
    throw Object.assign(new Error(`There is a file already: ${path}`, { cause: error }), { code: "EADDRINUSE" });
  }
}

export function hasFile(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** For what another process may have done already, or made impossible. */
export function ignoreErrors(action: () => unknown): void {
  try {
    action();
  } catch {
    // What matters shows when the path is looked at next.
  }
}

function openFolder(folder: string): number {
  return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** The socket in an open folder, by a path that is always short. */
function inFolder(descriptor: number): string {
  return `/proc/self/fd/${descriptor}/s`;
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= maxUnixPathBytes;
}
