// Copyright 2026 the Sluice authors. MIT license.

/**
 * The files of Unix sockets. Every runtime removes at close whatever has the name under which it bound a socket, so the socket is bound in a folder of its
 * own, beside the path, which is gone when that happens; its name is a link to it, which only we remove, and only while it is still ours.
 */
import { chmodSync, existsSync, linkSync, lstatSync, mkdtempSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import process from "node:process";
import { maxUnixPathBytes } from "../address.ts";

/** After so many milliseconds whoever made a claim has died: it is held within one turn. */
const longestClaim = 5000;

/** Which file it is that has a name. */
export interface FileId {
  readonly dev: bigint;
  readonly ino: bigint;
  /** When it was made, for one that nobody holds: the system may give its number to the next file. */
  readonly mtimeNs?: bigint;
}

/** What there is to know about the file of a socket. */
export interface SocketFileTerms {
  /** Its permissions. */
  readonly mode: number | undefined;
  /** A file that it may replace. */
  readonly dead: FileId | undefined;
  /** Whether the program may bind to a path, without asking the user. */
  allows(path: string): boolean;
}

/** The file of a socket that is listened on: made, named, and removed. */
export class SocketFile {
  /** Where to bind the socket. */
  readonly bindPath: string;
  readonly #path: string;
  readonly #terms: SocketFileTerms;
  /** The folder in which the socket is made; `undefined` where it is made in place. */
  readonly #room: string | undefined;
  #own: FileId | undefined;

  /** @param path The path that is to be listened on. A relative one stays the same file when the working folder changes. */
  constructor(path: string, terms: SocketFileTerms) {
    this.#path = path.startsWith("/") ? path : `${process.cwd()}/${path}`;
    this.#terms = terms;
    const base = [this.#path, path].find((base) => fits(`${base}.XXXXXX/s`));
    this.#room = base !== undefined && terms.allows(`${this.#path}.XXXXXX/s`) ? makeRoom(this.#path) : undefined;
    this.bindPath = this.#room === undefined ? path : `${base}${this.#room.slice(this.#path.length)}/s`;
    if (this.#room === undefined && terms.dead !== undefined) removeDead(this.#path, terms.dead);
  }

  /**
   * Gives the socket, which is listened on by now, its permissions and its name.
   *
   * @throws The system's error, `EADDRINUSE` when the name is taken.
   */
  publish(): void {
    const { mode, dead } = this.#terms;
    const made = this.#room === undefined ? this.#path : `${this.#room}/s`;
    if (mode !== undefined) chmodSync(made, mode);
    const { dev, ino } = lstatSync(made, { bigint: true });
    if (this.#room !== undefined) {
      if (dead !== undefined) removeDead(this.#path, dead);
      addName(made, this.#path);
      ignoreErrors(() => unlinkSync(made));
      leaveRoom(this.#room);
    }
    this.#own = { dev, ino };
  }

  /**
   * Removes the name, if it is still ours, and stops listening. What has taken its place stays.
   *
   * @param stop Stops listening, and removes whatever has the path that was bound.
   */
  close(stop: () => void): void {
    if (this.#own !== undefined) removeName(this.#path, this.#own);
    const foreign = this.#own !== undefined && this.#room === undefined && hasFile(this.#path);
    if (foreign) hideWhile(this.#path, stop);
    else stop();
    if (this.#room !== undefined) leaveRoom(this.#room);
  }
}

/**
 * Removes a name if it is that of `file`. Another file that takes the name in this very moment is put back, so that it can only be missed for an instant.
 */
export function removeName(path: string, file: FileId): void {
  if (!isFile(path, file)) return;
  const room = makeRoom(path);
  if (room === undefined) return ignoreErrors(() => unlinkSync(path));
  const aside = `${room}/s`;
  ignoreErrors(() => {
    renameSync(path, aside);
    if (isFile(aside, file)) unlinkSync(aside);
    else putBack(aside, path);
  });
  leaveRoom(room);
}

/**
 * Removes the name of a dead socket. Of several processes that want to, only the one does that has given that very file the name of a claim, lest a slow one
 * takes away what a quick one has put there meanwhile. Whether the name is free then, adding one's own will tell.
 */
function removeDead(path: string, dead: FileId): void {
  const claim = `${path}.${dead.ino}`;
  ignoreErrors(() => {
    if (isFile(claim, dead) && Date.now() - lstatSync(claim).ctimeMs > longestClaim) unlinkSync(claim);
  });
  try {
    linkSync(path, claim);
  } catch (error) {
    // Somebody has the claim, or has removed the file. Where there are no links, there are no claims.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST" && code !== "ENOENT") removeName(path, dead);
    return;
  }
  if (isFile(claim, dead)) removeName(path, dead);
  ignoreErrors(() => unlinkSync(claim));
}

/** What a failure to bind means: libuv turns "no such folder" into "access denied", as on Windows. */
export function bindError(path: string, error: NodeJS.ErrnoException): Error {
  if (error.code !== "EACCES" || existsSync(path.slice(0, path.lastIndexOf("/") + 1) || ".")) return error;
  return Object.assign(new Error(`There is no folder for ${path}`, { cause: error }), { code: "ENOENT" });
}

/** Keeps the file that has a name out of sight, as far as may be, while `action` removes the name. */
function hideWhile(path: string, action: () => void): void {
  const room = makeRoom(path);
  const aside = `${room}/s`;
  ignoreErrors(() => renameSync(path, aside));
  action();
  ignoreErrors(() => putBack(aside, path));
  if (room !== undefined) leaveRoom(room);
}

/** Gives a file its name back. Should a third one have taken the name, both are left. */
function putBack(aside: string, path: string): void {
  addName(aside, path);
  ignoreErrors(() => unlinkSync(aside));
}

/** Gives a file one more name, which nobody has. */
function addName(file: string, path: string): void {
  try {
    linkSync(file, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" && !hasFile(path)) {
      return renameSync(file, path); // a file system without links
    }
    throw Object.assign(new Error(`There is a file already: ${path}`, { cause: error }), { code: "EADDRINUSE" });
  }
}

/** A folder beside a path that only we can enter; `undefined` where none can be made. */
function makeRoom(path: string): string | undefined {
  try {
    return mkdtempSync(`${path}.`);
  } catch {
    return undefined;
  }
}

/** Removes a room. A file that had to stay keeps it. */
function leaveRoom(room: string): void {
  ignoreErrors(() => rmdirSync(room));
}

function isFile(path: string, file: FileId): boolean {
  try {
    const { dev, ino, mtimeNs } = lstatSync(path, { bigint: true });
    return dev === file.dev && ino === file.ino && (file.mtimeNs === undefined || mtimeNs === file.mtimeNs);
  } catch {
    return false;
  }
}

function hasFile(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function fits(path: string): boolean {
  return new TextEncoder().encode(path).length <= maxUnixPathBytes;
}

/** For what somebody else may have done already, or has made impossible. */
function ignoreErrors(action: () => unknown): void {
  try {
    action();
  } catch {
    // What matters is seen by whoever looks at the path next.
  }
}
