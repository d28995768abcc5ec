// Copyright 2026 the Sluice authors. MIT license.

/** Refuses what cannot be read into. */
export function checkBuffer(buffer: Uint8Array): Promise<never> | undefined {
  const bad = checkBytes(buffer);
  if (bad !== undefined) return bad;
  if (buffer.length > 0) return undefined;
  return Promise.reject(new RangeError("Cannot read into an empty buffer: its length must be >= 1"));
}

/** Refuses what is no byte array. */
export function checkBytes(bytes: Uint8Array): Promise<never> | undefined {
  const problem = bytesProblem(bytes);
  return problem === undefined ? undefined : Promise.reject(problem);
}

/** Refuses a list in which anything is no byte array. */
export function checkBuffers(buffers: readonly Uint8Array[]): Promise<never> | undefined {
  for (const bytes of buffers) {
    const bad = checkBytes(bytes);
    if (bad !== undefined) return bad;
  }
  return undefined;
}

/** What to throw for what is no byte array. */
export function bytesProblem(bytes: unknown): TypeError | undefined {
  if (bytes instanceof Uint8Array) return undefined;
  return new TypeError(`Cannot use ${String(bytes)} as bytes: must be a Uint8Array`);
}

/** The same bytes, copied only where their memory is shared with other threads. */
export function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? bytes as Uint8Array<ArrayBuffer> : new Uint8Array(bytes);
}

/** All buffers in one, in new memory; at most the first `limit` bytes. */
export function joined(buffers: readonly Uint8Array[], limit = Infinity): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(Math.min(totalLength(buffers), limit));
  let end = 0;
  for (const bytes of buffers) {
    const left = whole.length - end;
    whole.set(bytes.length > left ? bytes.subarray(0, left) : bytes, end);
    end += bytes.length;
    if (end >= whole.length) break;
  }
  return whole;
}

/** How many bytes the buffers hold together. */
export function totalLength(buffers: readonly Uint8Array[]): number {
  return buffers.reduce((sum, bytes) => sum + bytes.length, 0);
}

/** The same bytes without what a subclass makes of them: the `slice` of Node's `Buffer` is something else. */
export function plain(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
