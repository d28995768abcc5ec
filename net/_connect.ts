// Copyright 2026 the Sluice authors. MIT license.

/** Connecting to a host name and to any of several addresses: the common part. */
import { isInstance } from "../base/internal.ts";
import { asOperation, type Clock, MultipleErrors, TimeoutError, withTimeout } from "../switch/internal.ts";
import { type Dialled, race } from "./_race.ts";
import type { HostAddress, StreamAddress, TcpAddress } from "./address.ts";
import type { StreamSocket } from "./connection.ts";
import { NetError } from "./errors.ts";

/** Runs `fn`, which fails with `connection_timeout` after `timeout` milliseconds. */
export async function connectWithin<T>(
  clock: Clock,
  timeout: number,
  target: StreamAddress | HostAddress | string,
  fn: () => Promise<T>,
): Promise<T> {
  if (timeout === Infinity) return await fn();
  try {
    return await asOperation("connect", () => withTimeout(clock, timeout, fn));
  } catch (error) {
    if (!isTimeout(error)) throw error;
    throw new NetError("connection_timeout", { operation: "connect", address: target, cause: error });
  }
}

/** Reports whether an attempt timed out. It may fail by itself in the same turn. */
function isTimeout(error: unknown): boolean {
  const errors: unknown[] = isInstance(error, MultipleErrors) ? error.errors : [error];
  return errors.some((each) => isInstance(each, TimeoutError)) &&
    errors.every((each) => isInstance(each, TimeoutError) || isInstance(each, NetError));
}

/** The target of {@linkcode connectToAny}, and how to connect to it. */
export interface AnyTarget<A, D extends Dialled> {
  /** The clock on which the delays run. */
  readonly clock: Clock;
  /** The target's name in errors. */
  readonly target: HostAddress | string;
  /** The local address. Addresses of the other family are skipped. */
  readonly bindTo: StreamAddress | undefined;
  /** See {@linkcode race}. */
  readonly answers: AsyncIterable<A>;
  /** See {@linkcode race}. */
  addressesOf(answer: A): readonly TcpAddress[];
  /** See {@linkcode race}. */
  dial(address: TcpAddress): Promise<D>;
  /** See {@linkcode race}. */
  take(connection: D): StreamSocket;
}

/**
 * Races the addresses of one target. If all fail, the error has the code and the remedy of the last
 * one, and all errors as its cause.
 */
export function connectToAny<A, D extends Dialled>(plan: AnyTarget<A, D>): Promise<StreamSocket> {
  const { target, bindTo } = plan;
  const version = bindTo?.transport === "tcp" ? bindTo.ip.version : undefined;
  let count = 0;
  return race({
    ...plan,
    addressesOf(answer) {
      const addresses = plan.addressesOf(answer);
      count += addresses.length;
      return addresses.filter(({ ip }) => version === undefined || ip.version === version);
    },
    failure(failures) {
      if (failures.length === 1) return allFailed(target, failures, "The only address failed");
      if (failures.length > 1) return allFailed(target, failures, `All ${failures.length} addresses failed`);
      if (count === 0) return new RangeError("Cannot connect to any address: no address was given");
      const lookupCode = "ADDRFAMILY"; // there are addresses, but bindTo can reach none
      return new NetError("address_lookup_failed", { operation: "connect", address: target, lookupCode });
    },
  });
}

/** Returns the error of attempts that have failed, with the code and the remedy of the last one. */
export function allFailed(address: HostAddress | string, failures: readonly unknown[], message: string): NetError {
  const last = failures[failures.length - 1];
  const details = { operation: "connect", address, cause: new AggregateError(failures, message) };
  if (isInstance(last, NetError)) return new NetError(last.code, { ...details, remedy: last.remedy });
  const remedy = isInstance(last, Error) ? last.message.replace(/^Cannot/, "cannot") : undefined;
  return new NetError("unknown", { ...details, remedy });
}
