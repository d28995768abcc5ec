// Copyright 2026 the Sluice authors. MIT license.

/**
 * Validation and views of bytes. Bytes are a `Uint8Array` of any realm, recognised by its brand. A
 * program can change own and inherited properties, so the getters and methods used here were taken
 * from the platform when this module was loaded.
 */
import { describe, describeData } from "../base/internal.ts";

type Getter = (this: unknown) => unknown;

const typedArray: Uint8Array = Object.getPrototypeOf(Uint8Array.prototype);
const { set: setBytes, keys: keysOf } = typedArray;
const tagOf: Getter = getter(typedArray, Symbol.toStringTag);
const lengthGetter: Getter = getter(typedArray, "length");
const offsetGetter: Getter = getter(typedArray, "byteOffset");
const bufferGetter: Getter = getter(typedArray, "buffer");
const bufferSizeGetter: Getter = getter(ArrayBuffer.prototype, "byteLength");

/** Reports whether `value` is a `Uint8Array`, of this realm or another one. */
export function isBytes(value: unknown): value is Uint8Array {
  return tagOf.call(value) === "Uint8Array";
}

/** Returns the length of bytes: 0 if their memory is detached or no longer covers them. */
export function lengthOf(bytes: Uint8Array): number {
  return lengthGetter.call(bytes) as number;
}

/**
 * Returns the {@linkcode lengthOf} of bytes that a backend has lent, with a fast check of their
 * type. Throws `TypeError` if they are not a `Uint8Array`.
 */
export function sizeOfLent(bytes: Uint8Array): number {
  if (!(bytes instanceof Uint8Array) && !isBytes(bytes)) throw notBytes(bytes);
  return lengthOf(bytes);
}

/** Copies `bytes` into `target`, starting at `at`. */
export function copyTo(target: Uint8Array, bytes: Uint8Array, at: number): void {
  setBytes.call(target, bytes, at);
}

/**
 * Returns `bytes`, or the first `length` of them, as a plain `Uint8Array` of this realm with a
 * fixed length.
 */
export function viewOf<B extends ArrayBufferLike>(
  bytes: Uint8Array<B>,
  length: number = lengthOf(bytes),
): Uint8Array<B> {
  if (length === 0) return new Uint8Array(0) as Uint8Array<B>; // detached memory cannot be viewed
  return new Uint8Array(bufferGetter.call(bytes) as B, offsetGetter.call(bytes) as number, length);
}

/** The most that {@linkcode writePlain} copies, in bytes. */
const mostCopied = 2 * 1024;

/** The memory of its copies. Undefined while an end uses it. */
let copy: Uint8Array<ArrayBuffer> | undefined = new Uint8Array(mostCopied);

/**
 * Writes bytes to an end as plain ones. A view of few costs more than a copy in the same memory as
 * the last one: with it, a round trip takes up to 1.03 of the time on Node, and 1.04 on Bun. An end
 * of a user must not see that memory.
 */
export function writePlain(end: { write(bytes: Uint8Array): number }, bytes: Uint8Array, size: number): number {
  if (size > mostCopied || copy === undefined) return end.write(viewOf(bytes, size));
  const few = copy.length === size ? copy : new Uint8Array(copy.buffer, 0, size);
  copy = undefined;
  try {
    copyTo(few, bytes, 0);
    return end.write(few);
  } finally {
    copy = few;
  }
}

/**
 * Returns a plain view of each non-empty buffer, or a copy if other threads can write to it: ready
 * to pass to a sink. Returns the error to throw if `buffers` is not an array of bytes.
 */
export function viewsOf(buffers: readonly Uint8Array[]): Uint8Array[] | TypeError {
  try {
    if (!Array.isArray(buffers)) return notBuffers(buffers);
    const views: Uint8Array[] = [];
    for (let i = 0; i < buffers.length; i++) {
      const bytes: unknown = buffers[i];
      if (!isBytes(bytes)) return notBytes(bytes);
      if (lengthOf(bytes) > 0) views.push(unshared(viewOf(bytes)));
    }
    return views;
  } catch {
    return notBuffers(buffers); // a hostile proxy
  }
}

function notBuffers(value: unknown): TypeError {
  return new TypeError(
    `Cannot use ${describeData(value)} as buffers: must be an array of Uint8Arrays`,
  );
}

/** Returns a rejection if `buffer` cannot be read into. */
export function checkBuffer(buffer: Uint8Array): Promise<never> | undefined {
  if (!isBytes(buffer)) return Promise.reject(notBytes(buffer));
  if (lengthOf(buffer) > 0) return undefined;
  return Promise.reject(new RangeError("Cannot read into an empty buffer: its length must be >= 1"));
}

/** Returns a rejection if `bytes` is not a `Uint8Array`. */
export function checkBytes(bytes: Uint8Array): Promise<never> | undefined {
  return isBytes(bytes) ? undefined : Promise.reject(notBytes(bytes));
}

/** Returns an error if any element is not a `Uint8Array`. */
export function buffersProblem(buffers: readonly unknown[]): TypeError | undefined {
  const bad = buffers.findIndex((bytes) => !isBytes(bytes));
  return bad < 0 ? undefined : notBytes(buffers[bad]);
}

/** Returns an error if `bytes` is not a `Uint8Array`. */
export function bytesProblem(bytes: unknown): TypeError | undefined {
  return isBytes(bytes) ? undefined : notBytes(bytes);
}

function notBytes(value: unknown): TypeError {
  return new TypeError(
    `Cannot use ${describeData(value)} as bytes: must be a Uint8Array`,
  );
}

/** Returns the error of an operation whose buffer vanished while it waited. */
export function vanished(operation: "read" | "write" | "receive" | "send"): TypeError {
  return new TypeError(`Cannot ${operation}: the buffer was detached or shrunk while the ${operation} waited`);
}

/**
 * Returns the error of each read of a flow once the memory of unread bytes has vanished, which
 * leaves a gap in its data.
 */
export function lost(): TypeError {
  return new TypeError("Cannot read: the memory of what had arrived was detached or shrunk before it was read");
}

/** Reports whether a view is empty, or its memory has vanished. */
export function isEmpty(view: Uint8Array): boolean {
  return view.length === 0;
}

/** Returns the same bytes, copied only if their memory is shared with other threads. */
export function unshared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return isShared(bytes) ? new Uint8Array(bytes) : bytes as Uint8Array<ArrayBuffer>;
}

/** Joins plain buffers in new memory: at most the first `limit` bytes. */
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

/** Returns the sum of the lengths of plain buffers. */
export function totalLength(buffers: readonly Uint8Array[]): number {
  return buffers.reduce((sum, bytes) => sum + bytes.length, 0);
}

function isShared(bytes: Uint8Array): boolean {
  try {
    bufferSizeGetter.call(bufferGetter.call(bytes));
    return false;
  } catch {
    return true; // the getter of ArrayBuffer refuses other types
  }
}

/** Reports whether the memory of bytes was detached, or shrunk below them. */
export function isGone(bytes: Uint8Array): boolean {
  try {
    keysOf.call(bytes);
    return false;
  } catch {
    return true; // `keys()` throws for detached memory
  }
}

function getter(prototype: object, key: PropertyKey): Getter {
  return Object.getOwnPropertyDescriptor(prototype, key)?.get as Getter;
}

/**
 * Throws `TypeError` unless `value` has these methods: "Cannot make a source of 1: must be a
 * ReadableStream".
 */
export function checkMethods(action: string, value: unknown, kind: string, ...methods: readonly string[]): void {
  const has = (method: string) => typeof (value as Record<string, unknown> | null | undefined)?.[method] === "function";
  if (!methods.every(has)) throw new TypeError(`Cannot ${action} of ${describeData(value)}: must be ${kind}`);
}

/** Returns an error if `how` is not a {@linkcode ShutdownHow}. */
export function howProblem(how: unknown): TypeError | undefined {
  if (how === "send" || how === "receive" || how === "all") return undefined;
  return new TypeError(`Cannot shut down ${describe(how)}: must be "send", "receive" or "all"`);
}

/** One UTF-8 decoder and one encoder for all: making one costs more than using it. */

let decoder: TextDecoder | undefined;
let encoder: TextEncoder | undefined;

/** Decodes UTF-8: invalid bytes become U+FFFD, and a byte order mark is kept. */
export function decode(bytes: Uint8Array): string {
  return (decoder ??= new TextDecoder("utf-8", { ignoreBOM: true })).decode(bytes);
}

/** Encodes `text` in new memory: a lone surrogate becomes U+FFFD. */
export function encode(text: string): Uint8Array<ArrayBuffer> {
  return (encoder ??= new TextEncoder()).encode(text);
}

/** Encodes `text` into `memory`, as far as whole characters fit. */
export function encodeInto(text: string, memory: Uint8Array): { read: number; written: number } {
  return (encoder ??= new TextEncoder()).encodeInto(text, memory);
}

/** Returns the bytes of a text, or a plain view of the caller's bytes. */
export function payloadOf(action: string, data: Uint8Array | string): Uint8Array {
  if (typeof data === "string") return encode(data);
  if (isBytes(data)) return viewOf(data);
  throw new TypeError(`Cannot ${action} ${describeData(data)}: must be a Uint8Array or a string`);
}

/** Formats a byte for messages: `97 ("a")`. */
export function describeByte(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? `${byte} (${JSON.stringify(String.fromCharCode(byte))})` : String(byte);
}

/**
 * Checks and returns the count that a stream end, which a provider may implement, returned for a
 * write of `size` bytes.
 */
export function checkWritten(taken: number, size: number): number {
  if (Number.isInteger(taken) && taken >= 0 && taken <= size) return taken;
  throw new TypeError(`Cannot write as the backend must take from 0 to ${size} bytes: it took ${describeData(taken)}`);
}

/** Checks and returns the count that a borrower returned for a loan of `size` bytes. */
export function checkTaken(taken: number, size: number): number {
  if (Number.isInteger(taken) && taken >= 0 && taken <= size) return taken;
  throw new RangeError(`Cannot lend: the borrower took ${describeData(taken)} of ${size} bytes`);
}
