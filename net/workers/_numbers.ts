// Copyright 2026 the Sluice authors. MIT license.

/** The numbers of a worker's monitor, in memory that the main thread sees. */
import type { ServerMonitor } from "../serve/internal.ts";

/** The numbers, in the order of the memory. */
const names = ["accepted", "ended", "failed", "dropped", "acceptErrors"] as const;

/** Numbers of one worker. */
export type Numbers = Readonly<Record<typeof names[number], number>>;

/** Makes the memory for the numbers of one worker. */
export function numberMemory(): BigInt64Array<SharedArrayBuffer> {
  return new BigInt64Array(new SharedArrayBuffer(names.length * BigInt64Array.BYTES_PER_ELEMENT));
}

/** Shows the numbers of `monitor` to the main thread. */
export function showNumbers(memory: BigInt64Array, monitor: ServerMonitor): void {
  const { accepted, active, failed, dropped, acceptErrors } = monitor;
  const values = { accepted, ended: accepted - active, failed, dropped, acceptErrors };
  names.forEach((name, i) => Atomics.store(memory, i, BigInt(values[name])));
}

/** Reads the numbers of a worker. */
export function readNumbers(memory: BigInt64Array): Numbers {
  const [accepted, ended, failed, dropped, acceptErrors] = names.map((_, i) => Number(Atomics.load(memory, i)));
  return { accepted, ended, failed, dropped, acceptErrors };
}
