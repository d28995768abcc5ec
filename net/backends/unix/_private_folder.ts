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
  renameSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { maxUnixPathBytes } from "../../internal.ts";
import { ownMark } from "./_process_mark.ts";

/** Reports whether the program may use a path, without prompting the user. */
export type Allows = (path: string) => boolean;

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
    const mark = readableMark(allows);
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

/** Returns the mark of this process, unless the program would need permission to read `/proc`. */
export function readableMark(allows: Allows): string | undefined {
  return allows("/proc/self/fd/0/s") ? ownMark() : undefined;
}

/** Creates a private folder beside `path`; undefined on failure. */
export function makeFolder(path: string, allows: Allows): string | undefined {
  try {
    const mark = readableMark(allows);
    return mkdtempSync(mark === undefined ? `${path}.` : `${path}.${mark}.`);
  } catch {
    return undefined;
  }
}

/** Removes a private folder, unless a file is left in it. */
export function removeFolder(folder: string): void {
  ignoreErrors(() => rmdirSync(folder));
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

/** Opens a folder. */
export function openFolder(folder: string): number {
  return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** Returns a path of the socket in an open folder that is always short. */
export function inFolder(descriptor: number): string {
  return `/proc/self/fd/${descriptor}/s`;
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= maxUnixPathBytes;
}
