// Copyright 2026 the Sluice authors. MIT license.

import { checkFields, checkRecord, describe } from "../../base/internal.ts";
import { type Address, type HostAddress, NetError } from "../internal.ts";
import type { ByteQuota } from "../wrap/mod.ts";

/** The target of an operation, for its error. */
type Target = Address | HostAddress | string | undefined;

const names = ["maxSockets", "maxConnects", "maxBytesIn", "maxBytesOut", "maxLookups"] as const;

/** The name of a quota. */
export type QuotaName = typeof names[number];

/** Checks quotas, each read once, and returns them; a missing one is `Infinity`. */
export function checkQuota(quota: unknown): Record<QuotaName, number> {
  const action = "limit a network";
  checkRecord(action, "quota", quota);
  checkFields(action, "quota", quota, names);
  const checked = {} as Record<QuotaName, number>;
  for (const name of names) {
    const value = (quota as Record<string, unknown>)[name];
    if (value === undefined) {
      checked[name] = Infinity;
      continue;
    }
    const problem = `Cannot ${action} as ${name} must be an integer >= 0 or Infinity: current value is`;
    if (typeof value !== "number") throw new TypeError(`${problem} ${describe(value)}`);
    if (value < 0 || !(Number.isSafeInteger(value) || value === Infinity)) throw new RangeError(`${problem} ${value}`);
    checked[name] = value;
  }
  return checked;
}

/** Returns the error for an operation that a quota refuses. */
export function exceeded(name: QuotaName, max: number, operation: string, target: Target): NetError {
  return new NetError("quota_exceeded", { operation, address: target, remedy: `${name} is ${max}` });
}

/** What is left of a quota. */
export class Budget {
  readonly #name: QuotaName;
  readonly #max: number;
  #left: number;

  constructor(name: QuotaName, max: number) {
    this.#name = name;
    this.#max = max;
    this.#left = max;
  }

  /** Whether there is a quota. */
  get isLimited(): boolean {
    return this.#max !== Infinity;
  }

  /** Throws if nothing is left. */
  check(operation: string, target: Target): void {
    if (this.#left === 0) throw exceeded(this.#name, this.#max, operation, target);
  }

  /** Takes one of what is counted, or throws. */
  takeOne(operation: string, target: Target): void {
    this.check(operation, target);
    this.#left--;
  }

  /** Returns this quota for an operation of one socket, or `undefined` if it is not limited. */
  bytesOf(operation: string, target: () => Target): ByteQuota | undefined {
    if (!this.isLimited) return undefined;
    return {
      take: (size, least) => {
        const taken = Math.min(size, this.#left);
        if (taken < least) throw exceeded(this.#name, this.#max, operation, target());
        this.#left -= taken;
        return taken;
      },
      giveBack: (size) => {
        this.#left += size;
      },
    };
  }
}
