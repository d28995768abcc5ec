// Copyright 2026 the Sluice authors. MIT license.

/**
 * Private folders beside the path of a Unix socket, which only this user can enter: a socket is
 * bound there, and files are moved aside there. The name of a folder has the mark of its process,
 * so that another process can remove what a killed one left behind.
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
import { hasExited, ownMark } from "./_process_mark.ts";
import type { DeadTest } from "./_probe.ts";

/** The age in milliseconds at which a claim is stale: a live process holds one for one turn. */
export const maxClaimAge = 5000;

/** Reports whether the program may use a path, without prompting the user. */
type Allows = (path: string) => boolean;

/** A private folder in which a socket is bound. */
export class SocketFolder {
  /** The path of the socket. */
  readonly file: string;
  /** The path of the socket in a form that fits in a socket address. */
  readonly bindPath: string;
  readonly #folder: string;
  /** An open descriptor of the folder, if only its path under `/proc/self/fd` is short enough. */
  #descriptor: number | undefined;

  constructor(folder: string, bindPath: string, descriptor?: number) {
    this.#folder = folder;
    this.file = `${folder}/s`;
    this.bindPath = bindPath;
    this.#descriptor = descriptor;
  }

  /**
   * Creates a private folder.
   *
   * @param path The absolute path of the socket.
   * @param given The path as the caller gave it.
   * @returns `undefined` if the address would be too long, or the program may not bind there.
   * @throws The system's error if the folder cannot be created.
   */
  static make(path: string, given: string, allows: Allows): SocketFolder | undefined {
    if (!allows(`${path}.XXXXXX/s`)) return undefined;
    const mark = allows("/proc/self/fd/0/s") ? ownMark() : undefined;
    if (mark === undefined) {
      const base = [path, given].find((base) => fits(`${base}.XXXXXX/s`));
      if (base === undefined) return undefined;
      const folder = mkdtempSync(`${path}.`);
      return new SocketFolder(folder, `${base}${folder.slice(path.length)}/s`);
    }
    const folder = mkdtempSync(`${path}.${mark}.`);
    const base = [path, given].find((base) => fits(`${base}${folder.slice(path.length)}/s`));
    if (base !== undefined) return new SocketFolder(folder, `${base}${folder.slice(path.length)}/s`);
    try {
      const descriptor = openFolder(folder);
      return new SocketFolder(folder, inFolder(descriptor), descriptor);
    } catch (error) {
      removeFolder(folder);
      throw error;
    }
  }

  /** Removes the folder, unless a file is left in it. */
  remove(): void {
    removeFolder(this.#folder);
  }

  /** Closes the folder's descriptor, once the bound path is no longer used. */
  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** Creates a private folder beside `path` for a file that is moved aside; undefined on failure. */
export function makeFolder(path: string): string | undefined {
  try {
    const mark = ownMark();
    return mkdtempSync(mark === undefined ? `${path}.` : `${path}.${mark}.`);
  } catch {
    return undefined;
  }
}

/** Removes a private folder, unless a file is left in it. */
export function removeFolder(folder: string): void {
  ignoreErrors(() => rmdirSync(folder));
}

/**
 * Removes what killed processes left beside a path: dead sockets in private folders, stale claims.
 */
export async function removeStaleFiles(path: string, isDead: DeadTest, allows: Allows): Promise<void> {
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
      if (isOurs(left) && hasExited(mark)) await clearFolder(left, isDead);
    } else ignoreErrors(() => removeClaim(left, name.slice(base.length)));
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

/** Removes a private folder, unless it contains anything but a dead socket. */
async function clearFolder(folder: string, isDead: DeadTest): Promise<void> {
  if (await hasDeadSocket(folder, isDead)) ignoreErrors(() => unlinkSync(`${folder}/s`));
  removeFolder(folder);
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

/** Removes a stale claim to a dead socket: a second hard link to it. */
export function removeClaim(claim: string, ino: string): void {
  const { ino: own, ctimeMs, mode } = lstatSync(claim);
  const isClaim = String(own) === ino && (mode & constants.S_IFMT) === constants.S_IFSOCK;
  if (isClaim && Date.now() - ctimeMs > maxClaimAge) unlinkSync(claim);
}

/** Moves a file back to its path. If another file has taken the path, both are kept. */
export function putBack(aside: string, path: string): void {
  addName(aside, path);
  ignoreErrors(() => unlinkSync(aside));
}

/** Links a file to an unused path. */
export function addName(file: string, path: string): void {
  try {
    linkSync(file, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" && !hasFile(path)) {
      return renameSync(file, path); // the file system has no hard links
    }
    throw Object.assign(new Error(`${path} already exists`, { cause: error }), { code: "EADDRINUSE" });
  }
}

/** Reports whether a path exists, as a file of any kind. */
export function hasFile(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Calls `action`, ignoring errors: another process may have done the same, or prevented it. */
export function ignoreErrors(action: () => unknown): void {
  try {
    action();
  } catch {
    // The next use of the path shows what matters.
  }
}

function openFolder(folder: string): number {
  return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** Returns a path of the socket in an open folder that is always short. */
function inFolder(descriptor: number): string {
  return `/proc/self/fd/${descriptor}/s`;
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= maxUnixPathBytes;
}
