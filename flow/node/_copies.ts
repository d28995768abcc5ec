// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";
import { copyTo, lengthOf } from "../internal.ts";

/**
 * Copies of bytes that are being sent. The system most often takes one within the same turn, so
 * that a few memories serve all sockets. Only the system reads them. The views are kept too:
 * with messages of one size, sending allocates nothing, which saves a twentieth of a round trip on
 * Deno.
 */
const sizes = [2 * 1024, 16 * 1024, 64 * 1024] as const;
const pools: readonly Buffer<ArrayBuffer>[][] = sizes.map(() => []);

/** How many bytes of each size are kept: a turn may send on many connections. */
const poolLimit = 2 * 1024 * 1024;

/** The most that {@linkcode copyOf} takes. */
export const mostCopied: number = sizes[2];

/** Returns a copy of at most {@linkcode mostCopied} bytes. */
export function copyOf(bytes: Uint8Array): Buffer<ArrayBuffer> {
  const length = lengthOf(bytes);
  const kind = kindOf(length);
  let copy = pools[kind].pop();
  if (copy === undefined || lengthOf(copy) !== length) {
    const { buffer } = copy ?? Buffer.allocUnsafeSlow(sizes[kind]);
    copy = Buffer.from(buffer, 0, length);
  }
  copyTo(copy, bytes, 0);
  return copy;
}

/** Takes back a copy that the system no longer reads. */
export function recycle(copy: Buffer<ArrayBuffer>): void {
  const kind = kindOf(lengthOf(copy));
  if (pools[kind].length * sizes[kind] < poolLimit) pools[kind].push(copy);
}

function kindOf(length: number): 0 | 1 | 2 {
  return length <= sizes[0] ? 0 : length <= sizes[1] ? 1 : 2;
}
