// Copyright 2026 the Sluice authors. MIT license.

/** The CPU time of another process, as the operating system counts it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** What each thread of a process had used, in nanoseconds, by its id. */
export type CpuTimes = ReadonlyMap<string, number>;

/** What one tick of `/proc/PID/stat` is, in nanoseconds: it is 100 Hz for programs on every Linux. */
const tick = 10_000_000;

/** Reads the CPU time of the process `pid`: exactly where the kernel tells (`schedstat`), else in ticks of 10 ms (`stat`). */
export function readCpu(pid: number): CpuTimes {
  if (!existsSync(`/proc/${pid}/schedstat`)) return new Map([["", readTicks(pid)]]);
  const times = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [onCpu] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
      times.set(thread, Number(onCpu));
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return times;
}

/** What was used between two readings, in nanoseconds. */
export function cpuBetween(before: CpuTimes, after: CpuTimes): number {
  let sum = 0;
  for (const [thread, time] of after) sum += time - (before.get(thread) ?? 0);
  return sum;
}

/** utime and stime, the 14th and 15th fields; the second one is a name that may hold anything, up to the last parenthesis. */
function readTicks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * tick;
}
