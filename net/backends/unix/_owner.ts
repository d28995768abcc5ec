// Copyright 2026 the Sluice authors. MIT license.

/** Names of processes that tell, later, whether the process is gone. */
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/** The mark of this process, once made; `undefined` where the system has no `/proc`. */
let own: { readonly mark: string | undefined } | undefined;

/**
 * The mark of this process: its number, when it was started, and the boot and the namespace in which
 * its number is unique. It has no more than lower-case letters, digits and dots.
 */
export function ownMark(): string | undefined {
  return (own ??= { mark: makeMark() }).mark;
}

/**
 * Whether the process that has a mark is gone for certain. A process of this user is meant: others
 * may be hidden. One of another boot or namespace cannot be judged.
 */
export function isGone(mark: string): boolean {
  const [pid, start, ...realm] = mark.split(".");
  const [, , ...ownRealm] = (ownMark() ?? "").split(".");
  if (realm.length === 0 || realm.join(".") !== ownRealm.join(".")) return false;
  const number = parseInt(pid, 36);
  try {
    return number > 0 && (isFree(number) || startOf(number) !== start);
  } catch {
    return false; // it has just gone, or nothing can be told
  }
}

function makeMark(): string | undefined {
  try {
    const start = startOf(process.pid);
    const namespace = /\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0];
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 8);
    if (start === undefined || namespace === undefined) return undefined;
    return `${process.pid.toString(36)}.${start}.${Number(namespace).toString(36)}.${boot}`;
  } catch {
    return undefined;
  }
}

/** Whether no process has a number. */
function isFree(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** When a process was started, in ticks since the boot: proc_pid_stat(5). A zombie has ended. */
function startOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from the third one, the state
  const hasEnded = /[ZX]/.test(fields[0]) && Number(fields[17]) <= 1; // with no other thread
  return hasEnded ? undefined : Number(fields[19]).toString(36);
}

/** Which file it is that has a name. */
export interface FileId {
  readonly dev: bigint;
  readonly ino: bigint;
  /** When it was made, for one that nobody holds: the system may give its number to the next file. */
  readonly mtimeNs?: bigint;
}
