// Copyright 2026 the Sluice authors. MIT license.

/**
 * The files of Unix sockets. When a runtime closes a listener, it removes whatever file has the
 * path that was bound. So the socket is bound in a private folder beside the requested path, and
 * then linked to that path; only this library removes the link, and only while it still refers to
 * this socket.
 */
import { chmodSync, existsSync, lstatSync, renameSync, unlinkSync } from "node:fs";
import process from "node:process";
import { NetError, unix } from "../../internal.ts";
import { withClaim } from "./_claim.ts";
import {
  addName,
  type Allows,
  hasFile,
  ignoreErrors,
  makeFolder,
  putBack,
  removeFolder,
  SocketFolder,
} from "./_private_folder.ts";
import type { FileId } from "./_probe.ts";

/** The options of a socket's file. */
export interface SocketFileOptions {
  /** Its permission bits. */
  readonly mode: number | undefined;
  /** The dead socket that it may replace. */
  readonly dead: FileId | undefined;
  /** Reports whether the program may bind to a path, without prompting the user. */
  readonly allows: Allows;
}

/** The file of a listening socket: created, linked to its path, and removed. */
export class SocketFile {
  /** The path to bind the socket to. */
  readonly bindPath: string;
  readonly #path: string;
  readonly #options: SocketFileOptions;
  /** The folder in which the socket is bound; `undefined` if it is bound in place. */
  readonly #folder: SocketFolder | undefined;
  #own: FileId | undefined;

  /**
   * @param path The path to listen on. A relative path is resolved now, against the working folder.
   * @throws The system's error, or a `NetError`, if a mode is given and no private folder can be
   * made: anyone could connect to the socket before it has its mode.
   */
  constructor(path: string, options: SocketFileOptions) {
    this.#path = path.startsWith("/") ? path : `${process.cwd()}/${path}`;
    this.#options = options;
    this.#folder = this.#makeFolder(path);
    this.bindPath = this.#folder?.bindPath ?? path;
    if (this.#folder === undefined && options.dead !== undefined) removeDead(this.#path, options.dead, options.allows);
  }

  #makeFolder(path: string): SocketFolder | undefined {
    const { mode, allows } = this.#options;
    try {
      const folder = SocketFolder.make(this.#path, path, allows);
      if (folder !== undefined || mode === undefined) return folder;
    } catch (error) {
      if (mode === undefined) return undefined; // bind reports the cause
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
   * Sets the permissions of the listening socket, and links it to its path.
   *
   * @throws The system's error: `EADDRINUSE` if the path exists.
   */
  publish(): void {
    const { mode, dead, allows } = this.#options;
    const boundFile = this.#folder?.file ?? this.#path;
    if (mode !== undefined) chmodSync(boundFile, mode);
    const { dev, ino } = lstatSync(boundFile, { bigint: true });
    if (this.#folder !== undefined) {
      if (dead !== undefined) removeDead(this.#path, dead, allows);
      addName(boundFile, this.#path);
      ignoreErrors(() => unlinkSync(boundFile));
      this.#folder.remove();
    }
    this.#own = { dev, ino };
  }

  /**
   * Removes the path if it still refers to this socket, and stops listening. A file that has
   * replaced it stays.
   *
   * @param stop Stops listening, which removes whatever file has the bound path.
   */
  close(stop: () => void): void {
    const { allows } = this.#options;
    if (this.#own !== undefined) removeName(this.#path, this.#own, allows);
    const foreign = this.#own !== undefined && this.#folder === undefined && hasFile(this.#path);
    if (foreign) hideWhile(this.#path, allows, stop);
    else stop();
    this.#folder?.remove();
    this.#folder?.close();
  }
}

/**
 * Removes a path if it refers to `file`. A file that replaces that one in the same moment is moved
 * too, and put back.
 */
function removeName(path: string, file: FileId, allows: Allows): void {
  if (!isFile(path, file)) return;
  const folder = makeFolder(path, allows);
  if (folder === undefined) return ignoreErrors(() => unlinkSync(path));
  const aside = `${folder}/s`;
  ignoreErrors(() => {
    renameSync(path, aside);
    if (isFile(aside, file)) unlinkSync(aside);
    else putBack(aside, path);
  });
  removeFolder(folder);
}

/**
 * Removes the path of a dead socket. Several processes may try at once, and a slow one must not
 * remove the new socket of a fast one: so only the one with the claim does. The caller learns
 * whether the path is free by linking its new socket.
 */
function removeDead(path: string, dead: FileId, allows: Allows): void {
  withClaim(path, dead.ino, allows, () => removeName(path, dead, allows));
}

/** Returns the cause of a failure to bind: libuv maps ENOENT to EACCES, as on Windows. */
export function bindError(path: string, error: NodeJS.ErrnoException): Error {
  if (error.code !== "EACCES" || existsSync(path.slice(0, path.lastIndexOf("/") + 1) || ".")) return error;
  return Object.assign(new Error(`The folder of ${path} does not exist`, { cause: error }), { code: "ENOENT" });
}

/** Moves the file at `path` aside, if possible, while `action` removes whatever is at `path`. */
function hideWhile(path: string, allows: Allows, action: () => void): void {
  const folder = makeFolder(path, allows);
  const aside = `${folder}/s`;
  ignoreErrors(() => renameSync(path, aside));
  action();
  ignoreErrors(() => putBack(aside, path));
  if (folder !== undefined) removeFolder(folder);
}

function isFile(path: string, file: FileId): boolean {
  try {
    const { dev, ino, mtimeNs } = lstatSync(path, { bigint: true });
    return dev === file.dev && ino === file.ino && (file.mtimeNs === undefined || mtimeNs === file.mtimeNs);
  } catch {
    return false;
  }
}
