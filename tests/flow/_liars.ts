// Copyright 2026 the Sluice authors. MIT license.

/**
 * Byte arrays with false properties, and values that only look like bytes: the one table of them.
 */
import { assert } from "@std/assert";
import vm from "node:vm";

type Bytes = Uint8Array<ArrayBuffer>;

const realm = vm.createContext({});

/** Makes each liar from honest bytes, which are its true content. */
const makers: Readonly<Record<string, (bytes: Bytes) => Uint8Array<ArrayBufferLike>>> = {
  "an own length that is larger": (bytes) => own(bytes, "length", 10_000),
  "an own length that is smaller": (bytes) => own(bytes, "length", 1),
  "an own length of 0": (bytes) => own(bytes, "length", 0),
  "an own length that is no number": (bytes) => own(bytes, "length", "many"),
  "an own byteLength": (bytes) => own(own(bytes, "byteLength", 10_000), "length", 10_000),
  "an own byteOffset": (bytes) => own(inTheMiddle(bytes), "byteOffset", 0),
  "an own buffer": (bytes) => own(bytes, "buffer", new Uint8Array(20_000).fill(secret).buffer),
  "an own set()": (bytes) => own(own(bytes, "set", () => {}), "fill", () => {}),
  "own subarray() and slice()": (bytes) => own(own(bytes, "subarray", secrets), "slice", secrets),
  "an own iterator": (bytes) => own(own(bytes, Symbol.iterator, () => secrets().values()), "values", () => []),
  "an own constructor and tag": (bytes) => own(own(bytes, "constructor", Array), Symbol.toStringTag, "Uint16Array"),
  "a subclass with getters": (bytes) => new Getters(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  "a subclass with a species": (bytes) => new Species(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  "a prototype of its own": (bytes) => Object.setPrototypeOf(bytes, { length: 10_000, byteLength: 10_000 }),
  "no prototype": (bytes) => Object.setPrototypeOf(bytes, null),
  "a Buffer with an own length": (bytes) => own(own(bufferOf(bytes), "length", 10_000), "byteLength", 10_000),
  "another realm": foreign,
  "another realm and an own length": (bytes) => own(foreign(bytes), "length", 10_000),
  "a length that tracks a resizable buffer": tracking,
  "memory shared with other threads": shared,
  "a part of larger memory": inTheMiddle,
};

/** A byte that no test writes. */
export const secret = 0x53;

/**
 * Returns the names of all liars, each with a function that makes one over {@linkcode honest}
 * bytes.
 */
export function liars(size: number): [name: string, make: () => Bytes][] {
  return Object.entries(makers).map(([name, make]) => [name, () => make(honest(size)) as Bytes]);
}

/** Returns `size` bytes, none of them 0 or {@linkcode secret}. */
export function honest(size: number): Bytes {
  return Uint8Array.from({ length: size }, (_, i) => 100 + i % 89);
}

/** Returns the true bytes of an array that may lie. */
export function truth(bytes: Uint8Array): Bytes {
  return new Uint8Array(bytes); // the constructor reads internal slots, not properties
}

/** Returns values that are not bytes, though some look like them. */
export function impostors(): [name: string, value: unknown][] {
  const revoked = Proxy.revocable(honest(3), {});
  revoked.revoke();
  const lyingProxy = new Proxy(honest(3), { get: (_, key) => key === "length" ? 10_000 : secret });
  return [
    ["a proxy", new Proxy(honest(3), {})],
    ["a proxy that lies", lyingProxy],
    ["a revoked proxy", revoked.proxy],
    ["a proxy of a liar", new Proxy(own(honest(3), "length", 10_000), {})],
    ["a Uint16Array", new Uint16Array(1_000_000)],
    ["an Int8Array", new Int8Array(3)],
    ["a Uint8ClampedArray", new Uint8ClampedArray(3)],
    ["a Float64Array named Uint8Array", own(new Float64Array(3), Symbol.toStringTag, "Uint8Array")],
    ["a DataView", new DataView(new ArrayBuffer(3))],
    ["an ArrayBuffer", new ArrayBuffer(3)],
    ["an object without a prototype", Object.create(null)],
    ["an object that inherits from bytes", Object.create(honest(3))],
    ["an object with the prototype of bytes", Object.create(Uint8Array.prototype)],
    ["an object with length and tag", own(own({}, "length", 3), Symbol.toStringTag, "Uint8Array")],
    ["a list of numbers", Array.from({ length: 1_000_000 }, () => 7)],
    ["a number", 7],
    ["a symbol", Symbol("bytes")],
    ["null", null],
    ["undefined", undefined],
  ];
}

/** Makes an `ArrayBuffer` that can shrink. */
export function resizable(size: number): ArrayBuffer & { resize(size: number): void } {
  const Resizable = ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => ArrayBuffer;
  return new Resizable(size, { maxByteLength: size }) as ArrayBuffer & { resize(size: number): void };
}

/**
 * The ways in which the memory of bytes vanishes: each makes the bytes and a function to lose them.
 */
export const losses: Readonly<Record<string, (bytes: Bytes) => { bytes: Bytes; lose: () => void }>> = {
  "transferred": (bytes) => ({
    bytes,
    lose: () => void structuredClone(bytes.buffer, { transfer: [bytes.buffer] }),
  }),
  "sent to a port": (bytes) => ({
    bytes,
    lose: () => {
      const { port1, port2 } = new MessageChannel();
      port1.postMessage(bytes, [bytes.buffer]);
      port1.close();
      port2.close();
    },
  }),
  "shrunk to nothing": (bytes) => shrinking(bytes, 0),
  "shrunk by a byte": (bytes) => shrinking(bytes, bytes.length - 1),
  "tracking a buffer that is shrunk to nothing": (bytes) => shrinking(bytes, 0, true),
};

function shrinking(bytes: Bytes, to: number, tracks = false): { bytes: Bytes; lose: () => void } {
  const memory = resizable(bytes.length);
  const view = tracks ? new Uint8Array(memory) : new Uint8Array(memory, 0, bytes.length);
  view.set(bytes);
  return { bytes: view, lose: () => memory.resize(to) };
}

function own<T extends object>(target: T, key: PropertyKey, value: unknown): T {
  return Object.defineProperty(target, key, { value, configurable: true, writable: true });
}

function secrets(): Bytes {
  return new Uint8Array(10_000).fill(secret);
}

/** Returns the same bytes with secrets on both sides. */
function inTheMiddle(bytes: Bytes): Bytes {
  const memory = new Uint8Array(bytes.length + 200).fill(secret);
  memory.set(bytes, 100);
  return memory.subarray(100, 100 + bytes.length);
}

function bufferOf(bytes: Bytes): Bytes {
  const { Buffer } = globalThis as unknown as { Buffer: { from(bytes: Uint8Array): Bytes } };
  return Buffer.from(bytes);
}

function foreign(bytes: Bytes): Bytes {
  const made = vm.runInContext(`new Uint8Array(${bytes.length})`, realm);
  for (const [at, byte] of bytes.entries()) made[at] = byte;
  assert(!(made instanceof Uint8Array), "Expected another realm");
  return made;
}

function tracking(bytes: Bytes): Bytes {
  const made = new Uint8Array(resizable(bytes.length));
  made.set(bytes);
  return made;
}

function shared(bytes: Bytes): Uint8Array<SharedArrayBuffer> {
  const made = new Uint8Array(new SharedArrayBuffer(bytes.length));
  made.set(bytes);
  return made;
}

class Getters extends Uint8Array<ArrayBuffer> {
  override get length(): number {
    return 10_000;
  }
  override get byteLength(): number {
    return 10_000;
  }
  override get byteOffset(): number {
    return 0;
  }
  override get buffer(): ArrayBuffer {
    return secrets().buffer;
  }
  override subarray(): Uint8Array<ArrayBuffer> {
    return secrets();
  }
  override slice(): Uint8Array<ArrayBuffer> {
    return secrets();
  }
  override set(): void {}
}

class Species extends Uint8Array<ArrayBuffer> {
  static get [Symbol.species](): unknown {
    return function () {
      return secrets();
    };
  }
}

/** The message about memory that vanished. */
export const whileItWaited: string = "was detached or shrunk while the";
export const beforeItWasRead: string = "was detached or shrunk before it was read";
