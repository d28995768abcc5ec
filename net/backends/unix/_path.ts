// Copyright 2026 the Sluice authors. MIT license.

/**
 * The files of Unix sockets. Every runtime removes at close whatever has the name under which it bound a socket, so the socket is bound in a folder of its
 * own, beside the path, which is gone when that happens; its name is a link to it, which only we remove, and only while it is still ours.
 */
import type { FileId } from "./_owner.ts";
import { chmodSync, existsSync, linkSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import process from "node:process";
import { NetError, unix } from "../../internal.ts";
import { addName, hasFile, ignoreErrors, leaveRoom, makeRoom, putBack, removeClaim, Room } from "./_room.ts";

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
  /** Where the socket is made; `undefined` where that is in place. */
  readonly #room: Room | undefined;
  #own: FileId | undefined;

  /**
   * @param path The path that is to be listened on. A relative one stays the same file when the working folder changes.
   * @throws The system's error when no folder can be made for a socket with a mode, which a stranger
   * could connect to before it has that mode, or a `NetError` where that cannot be had.
   */
  constructor(path: string, terms: SocketFileTerms) {
    this.#path = path.startsWith("/") ? path : `${process.cwd()}/${path}`;
    this.#terms = terms;
    this.#room = this.#makeRoom(path);
    this.bindPath = this.#room?.bindPath ?? path;
    if (this.#room === undefined && terms.dead !== undefined) removeDead(this.#path, terms.dead);
  }

  #makeRoom(path: string): Room | undefined {
    const { mode, allows } = this.#terms;
    try {
      const room = Room.make(this.#path, path, allows);
      if (room !== undefined || mode === undefined) return room;
    } catch (error) {
      if (mode === undefined) return undefined; // binding will tell
      throw error;
    }
    const isDenied = !allows(`${this.#path}.XXXXXX/s`);
    throw new NetError(isDenied ? "permission_denied" : "not_supported", {
      operation: "listen",
      address: unix(path),
      remedy: isDenied
        ? "with a mode, the program must have permission to use the folder of the path"
        : "with a mode, a path has at most 98 bytes on this system",
    });
  }

  /**
   * Gives the socket, which is listened on by now, its permissions and its name.
   *
   * @throws The system's error, `EADDRINUSE` when the name is taken.
   */
  publish(): void {
    const { mode, dead } = this.#terms;
    const made = this.#room?.file ?? this.#path;
    if (mode !== undefined) chmodSync(made, mode);
    const { dev, ino } = lstatSync(made, { bigint: true });
    if (this.#room !== undefined) {
      if (dead !== undefined) removeDead(this.#path, dead);
      addName(made, this.#path);
      ignoreErrors(() => unlinkSync(made));
      this.#room.leave();
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
    this.#room?.leave();
    this.#room?.close();
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
  ignoreErrors(() => removeClaim(claim, String(dead.ino)));
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

function isFile(path: string, file: FileId): boolean {
  try {
    const { dev, ino, mtimeNs } = lstatSync(path, { bigint: true });
    return dev === file.dev && ino === file.ino && (file.mtimeNs === undefined || mtimeNs === file.mtimeNs);
  } catch {
    return false;
  }
}
