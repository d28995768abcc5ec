// Copyright 2026 the Sluice authors. MIT license.

/** What another process holds, as the operating system counts it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Forgets the peak of the process `pid`, so that the next one that is read is of the time from now on. */
export function resetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // A kernel without it: the peak is that of all the time.
  }
}

/** The resident memory of the process `pid`, now or at its peak, in bytes. */
export function readMemory(pid: number, which: "now" | "peak"): number {
  const name = which === "now" ? "VmRSS" : "VmHWM";
  const [, kib] = new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

/** How many descriptors the process `pid` has open. */
export function countDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** How many it may have. */
export function descriptorLimit(pid: number | "self"): number {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8")) ?? [];
  return soft === "unlimited" ? Infinity : Number(soft);
}
