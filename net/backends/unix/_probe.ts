// Copyright 2026 the Sluice authors. MIT license.

import { closeSync, lstatSync, openSync } from "node:fs";
import { connect } from "node:net";
import { guard } from "../../../base/internal.ts";

/** The identity of a file. */
export interface FileId {
  readonly dev: bigint;
  readonly ino: bigint;
  /** Its modification time, unless the file is kept open: the system may reuse its inode. */
  readonly mtimeNs?: bigint;
}

/**
 * Reports whether the socket file at a path has no listener. A live listener sees one connection,
 * which is closed at once.
 */
export type DeadTest = (path: string) => Promise<boolean>;

/**
 * Returns the identity of the Unix socket at `path` if it has no listener; `undefined` for a live
 * socket or any other file.
 */
export async function findDeadSocket(path: string, isDead: DeadTest): Promise<FileId | undefined> {
  try {
    const file = lstatSync(path, { bigint: true });
    return file.isSocket() && await isDead(path) ? file : undefined;
  } catch {
    return undefined; // absent or not accessible: bind reports the cause
  }
}

/** The {@linkcode DeadTest} of `node:net`: whether a connection is refused. */
export function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const alive = () => resolve(false);
    probe.on("error", guard((error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"), alive));
    const connected = guard(() => {
      probe.destroy();
      alive();
    }, alive);
    probe.on("connect", connected);
  });
}

/**
 * The {@linkcode DeadTest} on Bun. Bun's `node:net` also reports "refused" for a live socket with a
 * full backlog, and for a datagram socket. Its `fetch` reports the truth, but sends a request to a
 * live server of any protocol, so it is only used after a refusal.
 */
export async function isRefusedOnBun(path: string): Promise<boolean> {
  if (!await isRefused(path) || isOutOfDescriptors()) return false;
  try {
    const init = { unix: path, method: "HEAD", signal: AbortSignal.timeout(1000) };
    await fetch("http://localhost/", init);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
  }
}

/** Reports whether this process has no file descriptors left; Bun reports that as a refusal. */
export function isOutOfDescriptors(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EMFILE" || code === "ENFILE";
  }
}

/** Returns the error that the system would have reported: EMFILE. */
export function descriptorLimitError(cause: unknown): Error {
  return Object.assign(new Error("The process has no file descriptors left", { cause }), { code: "EMFILE" });
}
