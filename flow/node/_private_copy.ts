// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";

const slabSize = 8 * 1024;

/** Larger copies have memory of their own. */
const mostShared: number = slabSize / 2;

let slab: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(slabSize);
let used = 0;

/**
 * Copies bytes that only the system sees. The copies share memory, as those of `Buffer.from` do, but
 * not with the rest of the process: any code can read the pool of Node through the `buffer` of a small
 * `Buffer` of its own, and what a connection sends is not for any code.
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

/** Copies bytes for code of others, which must not see those of a third. */
export function ownCopy(bytes: Uint8Array): Buffer<ArrayBuffer> {
  return copied(Buffer.allocUnsafeSlow(bytes.length), bytes);
}

function copied(target: Buffer<ArrayBuffer>, bytes: Uint8Array): Buffer<ArrayBuffer> {
  target.set(bytes);
  return target;
}
