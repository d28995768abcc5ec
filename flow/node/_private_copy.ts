// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";

const slabSize = 8 * 1024;

/** Larger copies get their own memory. */
const mostShared: number = slabSize / 2;

let slab: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(slabSize);
let used = 0;

/**
 * Copies bytes that only the system reads. The copies share a slab, as those of `Buffer.from` do,
 * but not with the rest of the process: any code can read Node's pool through the `buffer` of a
 * small `Buffer`, and must not see what connections send.
 */
export function privateCopy(bytes: Uint8Array): Buffer<ArrayBuffer> {
  const size = bytes.length;
  if (size > mostShared) return copied(Buffer.allocUnsafeSlow(size), bytes);
  if (used + size > slabSize) {
    slab = Buffer.allocUnsafeSlow(slabSize);
    used = 0;
  }
  return copied(slab.subarray(used, used += size), bytes);
}

/** Copies bytes for foreign code, in memory that no other code uses. */
export function ownCopy(bytes: Uint8Array): Buffer<ArrayBuffer> {
  return copied(Buffer.allocUnsafeSlow(bytes.length), bytes);
}

function copied(target: Buffer<ArrayBuffer>, bytes: Uint8Array): Buffer<ArrayBuffer> {
  target.set(bytes);
  return target;
}
