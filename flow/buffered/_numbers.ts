// Copyright 2026 the Sluice authors. MIT license.

/** The binary formats of numbers: one table for reading and writing. */
import { describe } from "../../base/internal.ts";

/** One binary format of a number. */
export interface NumberFormat<T> {
  /** How many bytes it takes. */
  readonly size: number;
  /** Reads the number at `at`. */
  get(view: DataView, at: number): T;
  /** Writes the number at `at`. It must have passed `check`. */
  set(view: DataView, at: number, value: T): void;
  /**
   * Throws unless `value` can be written without loss of its magnitude.
   *
   * @throws {TypeError} If `value` has another type.
   * @throws {RangeError} If `value` is out of range.
   */
  check(value: T): void;
}

export const uint8: NumberFormat<number> = {
  size: 1,
  get: (view, at) => view.getUint8(at),
  set: (view, at, value) => view.setUint8(at, value),
  check: (value) => checkUint("uint8", value, 0xff),
};

export const uint16be: NumberFormat<number> = {
  size: 2,
  get: (view, at) => view.getUint16(at),
  set: (view, at, value) => view.setUint16(at, value),
  check: (value) => checkUint("uint16", value, 0xffff),
};

export const uint16le: NumberFormat<number> = {
  size: 2,
  get: (view, at) => view.getUint16(at, true),
  set: (view, at, value) => view.setUint16(at, value, true),
  check: uint16be.check,
};

export const uint32be: NumberFormat<number> = {
  size: 4,
  get: (view, at) => view.getUint32(at),
  set: (view, at, value) => view.setUint32(at, value),
  check: (value) => checkUint("uint32", value, 0xffff_ffff),
};

export const uint32le: NumberFormat<number> = {
  size: 4,
  get: (view, at) => view.getUint32(at, true),
  set: (view, at, value) => view.setUint32(at, value, true),
  check: uint32be.check,
};

export const uint48be: NumberFormat<number> = {
  size: 6,
  get: (view, at) => view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2),
  set(view, at, value) {
    view.setUint16(at, Math.floor(value / 2 ** 32));
    view.setUint32(at + 2, value); // modulo 2 ** 32
  },
  check: (value) => checkUint("uint48", value, 2 ** 48 - 1),
};

export const uint48le: NumberFormat<number> = {
  size: 6,
  get: (view, at) => view.getUint32(at, true) + view.getUint16(at + 4, true) * 2 ** 32,
  set(view, at, value) {
    view.setUint32(at, value, true);
    view.setUint16(at + 4, Math.floor(value / 2 ** 32), true);
  },
  check: uint48be.check,
};

export const uint64be: NumberFormat<bigint> = {
  size: 8,
  get: (view, at) => view.getBigUint64(at),
  set: (view, at, value) => view.setBigUint64(at, value),
  check: checkUint64,
};

export const uint64le: NumberFormat<bigint> = {
  size: 8,
  get: (view, at) => view.getBigUint64(at, true),
  set: (view, at, value) => view.setBigUint64(at, value, true),
  check: checkUint64,
};

export const float32be: NumberFormat<number> = {
  size: 4,
  get: (view, at) => view.getFloat32(at),
  set: (view, at, value) => view.setFloat32(at, value),
  check: checkFloat32,
};

export const float32le: NumberFormat<number> = {
  size: 4,
  get: (view, at) => view.getFloat32(at, true),
  set: (view, at, value) => view.setFloat32(at, value, true),
  check: checkFloat32,
};

export const float64be: NumberFormat<number> = {
  size: 8,
  get: (view, at) => view.getFloat64(at),
  set: (view, at, value) => view.setFloat64(at, value),
  check: (value) => checkType("float64", value, "number"),
};

export const float64le: NumberFormat<number> = {
  size: 8,
  get: (view, at) => view.getFloat64(at, true),
  set: (view, at, value) => view.setFloat64(at, value, true),
  check: float64be.check,
};

/** Returns an error unless `value` is a whole number from `least` to `most`. */
export function countProblem(name: string, value: unknown, least: number, most = Infinity): Error | undefined {
  if (Number.isSafeInteger(value) && value as number >= least && value as number <= most) return undefined;
  const rule = most === Infinity ? `a whole number >= ${least}` : `a whole number from ${least} to ${most}`;
  if (typeof value !== "number") return new TypeError(`Cannot use ${describe(value)} as ${name}: must be ${rule}`);
  return new RangeError(`Cannot use ${value} as ${name}: must be ${rule}`);
}

function checkUint(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= most) return;
  checkType(name, value, "number");
  throw new RangeError(`Cannot write ${value} as ${name}: must be a whole number from 0 to ${most}`);
}

function checkUint64(value: bigint): void {
  checkType("uint64", value, "bigint");
  if (value >= 0n && value < 2n ** 64n) return;
  throw new RangeError(`Cannot write ${describe(value)} as uint64: must be from 0 to ${2n ** 64n - 1n}`);
}

function checkFloat32(value: number): void {
  checkType("float32", value, "number");
  if (Number.isFinite(Math.fround(value)) || !Number.isFinite(value)) return;
  throw new RangeError(`Cannot write ${value} as float32: must round to a finite number`);
}

function checkType(name: string, value: unknown, type: "number" | "bigint"): void {
  const actual: string = typeof value;
  if (actual !== type) throw new TypeError(`Cannot write ${describe(value)} as ${name}: must be a ${type}`);
}
