// Copyright 2026 the Sluice authors. MIT license.

import { isOfKind } from "../../base/internal.ts";
import { noLongerNeeded, refused, runIn, Scope } from "../../switch/internal.ts";
import {
  type Borrower,
  BusyError,
  checkBuffer,
  checkTaken,
  copyTo,
  labelOf,
  lend,
  type LendingSource,
  lends,
  lengthOf,
  lost,
  registerLayers,
  type ShutdownHow,
  type TwoWay,
  vanished,
  viewOf,
} from "../internal.ts";

type Method = (...args: never[]) => unknown;

/** The flow under each flow that has bytes put back. */
const inner: WeakMap<object, object> = new WeakMap();
registerLayers((flow) => inner.get(flow));

const nothing: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** The methods that drop the prefix, because no read follows. */
const endings: readonly PropertyKey[] = ["close", "abort", Symbol.asyncDispose, Symbol.dispose];

/**
 * Returns a flow whose reads begin with `bytes`, which no other code may write to. Its members are
 * those of `flow`, called on `flow`: an object that inherits from a flow, or a proxy of one, has no
 * access to its private fields.
 */
export function unreadTo<F extends TwoWay>(flow: F, bytes: Uint8Array<ArrayBuffer>): F {
  const front = new Front(flow, bytes);
  const same = mirrorOf(flow);
  for (const key of endings) {
    const end = (flow as Record<PropertyKey, unknown>)[key];
    if (typeof end === "function") define(same, key, (...args) => front.end(() => Reflect.apply(end, flow, args)));
  }
  define(same, "read", (buffer: Uint8Array) => front.read(buffer));
  define(same, "shutdown", (how: ShutdownHow) => front.shutdown(how));
  if (lends(flow)) define(same, lend, (use: Borrower) => front.lend(use));
  inner.set(same, flow);
  return Object.freeze(same) as F;
}

/** The receiving half of a flow, with a prefix of bytes. */
class Front {
  readonly #flow: TwoWay;
  #bytes: Uint8Array<ArrayBuffer>;
  /** The size of the prefix, even if its memory vanishes. */
  #size: number;
  #lending = false;

  constructor(flow: TwoWay, bytes: Uint8Array<ArrayBuffer>) {
    this.#flow = flow;
    this.#bytes = bytes;
    this.#size = bytes.length;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#passed) return this.#flow.read(buffer);
    return checkBuffer(buffer) ?? this.#refuse() ?? this.#unlessClosed(() => this.#read(buffer));
  }

  #read(buffer: Uint8Array): Promise<number | null> {
    if (this.#passed) return this.#flow.read(buffer); // shut down or closed meanwhile
    if (lengthOf(buffer) === 0) return Promise.reject(vanished("read"));
    const bytes = this.#bytes;
    if (bytes.length === 0) return Promise.reject(lost());
    const size = Math.min(bytes.length, lengthOf(buffer));
    copyTo(buffer, bytes.subarray(0, size), 0);
    this.#take(bytes, size);
    return Promise.resolve(size);
  }

  lend(use: Borrower): Promise<number | null> {
    if (this.#passed && lends(this.#flow)) return this.#flow[lend](use);
    return this.#refuse() ?? this.#unlessClosed(() => this.#lend(use));
  }

  /** Lends the prefix and, if all of that was taken synchronously, what the flow lends. */
  async #lend(use: Borrower): Promise<number | null> {
    const flow = this.#flow as TwoWay & LendingSource;
    if (this.#passed) return await flow[lend](use); // shut down or closed meanwhile
    const bytes = this.#bytes;
    if (bytes.length === 0) throw lost();
    const size = this.#size; // before the borrower can transfer the memory
    this.#lending = true;
    try {
      const answer = use(viewOf(bytes), true);
      const taken = checkTaken(await answer, size);
      this.#take(bytes, taken);
      if (typeof answer !== "number" || taken < size) return taken;
    } finally {
      this.#lending = false;
    }
    return size + (await flow[lend](use) ?? 0);
  }

  shutdown(how: ShutdownHow): Promise<void> {
    if (how === "receive" || how === "all") this.#drop();
    return this.#flow.shutdown(how);
  }

  end<T>(end: () => T): T {
    this.#drop();
    return end();
  }

  /**
   * Calls `read`. If the flow was closed through another object, drops the prefix and throws
   * instead. To find out, it borrows from the flow, takes nothing and cancels the loan at once, so
   * a flow that does not lend is not checked.
   */
  async #unlessClosed<T>(read: () => Promise<T>): Promise<T> {
    const flow = this.#flow;
    if (!lends(flow)) return await read();
    this.#lending = true;
    const scope = new Scope(undefined, "unread");
    try {
      const asked = runIn(scope, () => flow[lend](() => 0));
      scope.cancel(noLongerNeeded());
      await asked;
    } catch (error) {
      if (isOfKind(error, "ClosedError")) {
        this.#drop();
        throw error;
      }
      // Not closed: any other error of the flow comes after the prefix.
    } finally {
      scope.finish();
      this.#lending = false;
    }
    return await read();
  }

  /** Whether the prefix is consumed, so that reads go to the flow. */
  get #passed(): boolean {
    return this.#size === 0 && !this.#lending;
  }

  #refuse(): Promise<never> | undefined {
    const refusal = refused();
    if (refusal !== undefined || !this.#lending) return refusal;
    return Promise.reject(new BusyError("read", { flow: labelOf(this.#flow) }));
  }

  /**
   * Consumes bytes of the prefix, unless the borrower has closed the flow or shut down receiving
   * meanwhile.
   */
  #take(bytes: Uint8Array<ArrayBuffer>, size: number): void {
    if (this.#bytes !== bytes) return;
    this.#size -= size;
    if (this.#size === 0) this.#bytes = nothing;
    else if (bytes.length > 0) this.#bytes = bytes.subarray(size);
  }

  #drop(): void {
    this.#bytes = nothing;
    this.#size = 0;
  }
}

/** Makes an object with all members of `flow`, including inherited ones. */
function mirrorOf(flow: object): object {
  const mirror: object = Object.create(null);
  for (let from: object | null = flow; from !== null && from !== Object.prototype; from = Object.getPrototypeOf(from)) {
    for (const key of Reflect.ownKeys(from)) {
      if (key === "constructor" || Object.hasOwn(mirror, key)) continue;
      const { value, get, set, writable, enumerable } = Object.getOwnPropertyDescriptor(
        from,
        key,
      ) as PropertyDescriptor;
      if (typeof value === "function") define(mirror, key, value.bind(flow), enumerable);
      else {
        Object.defineProperty(mirror, key, {
          get: get === undefined && set !== undefined ? undefined : () => Reflect.get(flow, key),
          set: set === undefined && writable !== true ? undefined : (next) => Reflect.set(flow, key, next),
          enumerable: enumerable === true,
          configurable: true,
        });
      }
    }
  }
  return mirror;
}

function define(target: object, key: PropertyKey, value: Method, enumerable?: boolean): void {
  const before = Object.getOwnPropertyDescriptor(target, key);
  Object.defineProperty(target, key, {
    value,
    enumerable: enumerable ?? before?.enumerable ?? false,
    configurable: true,
  });
}
