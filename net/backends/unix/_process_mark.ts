// Copyright 2026 the Sluice authors. MIT license.

/** Marks of processes, which tell later whether a process has ended, even if its ID was reused. */
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";

/** The cached mark of this process. Without `/proc` it has none. */
let own: { readonly mark: string | undefined } | undefined;

/**
 * Returns the mark of this process: its ID, its start time, and the PID namespace and boot in which
 * the ID is unique. It consists of lower-case letters, digits and dots.
 */
export function ownMark(): string | undefined {
  return (own ??= { mark: makeMark() }).mark;
}

/**
 * Reports whether the process with a mark has certainly ended. It must be a process of this user,
 * because the system may hide those of others.
 *
 * @returns `undefined` if that cannot be known: the mark is of another boot or PID namespace.
 */
export function hasExited(mark: string): boolean | undefined {
  const [pid, start, ...realm] = mark.split(".");
  const [, , ...ownRealm] = (ownMark() ?? "").split(".");
  if (realm.length === 0 || realm.join(".") !== ownRealm.join(".")) return undefined;
  const number = parseInt(pid, 36);
  try {
    return number > 0 && (isFree(number) || startOf(number) !== start);
  } catch {
    return false; // it is just ending, or `/proc` cannot be read
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

/** Reports whether no process has this ID. */
function isFree(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** Returns a process's start time in ticks since boot; undefined for a zombie: proc_pid_stat(5). */
function startOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The fields from the third one, the state.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const hasEnded = /[ZX]/.test(fields[0]) && Number(fields[17]) <= 1; // no thread is left
  return hasEnded ? undefined : Number(fields[19]).toString(36);
}
