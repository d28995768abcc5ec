// Copyright 2026 the Sluice authors. MIT license.

import { closeSync, lstatSync, openSync } from "node:fs";
import { connect } from "node:net";
import { guard } from "../../../base/internal.ts";
import type { FileId } from "./_owner.ts";

/** Whether nobody listens on the socket file at a path. Whoever does sees one connection, which is closed at once. */
export type DeadTest = (path: string) => Promise<boolean>;

/** Finds the file of a Unix socket on which nobody listens. A live one, and any other file, is `undefined`. */
export async function findDeadSocket(path: string, isDead: DeadTest): Promise<FileId | undefined> {
  try {
    const file = lstatSync(path, { bigint: true });
    return file.isSocket() && await isDead(path) ? file : undefined;
  } catch {
    return undefined; // nothing is there, or nothing that we may see: binding will tell
  }
}

/** The test by what `node:net` says. */
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
 * The test on Bun, whose `node:net` calls it refused too when a live socket has a full backlog, and when it is one for datagrams. Its `fetch` tells the
 * truth; it is asked only then, lest a live server that speaks something else gets a request.
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

/** Whether this process can open no more files, which Bun calls a refusal, or by no code at all. */
export function isOutOfDescriptors(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EMFILE" || code === "ENFILE";
  }
}

/** What the system would have said then. */
export function noFileLeft(cause: unknown): Error {
  return Object.assign(new Error("No file is left", { cause }), { code: "EMFILE" });
}
