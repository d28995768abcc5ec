// Copyright 2026 the Sluice authors. MIT license.

/** What connecting to a name and connecting to any of several addresses share. */
import { isInstance } from "../base/internal.ts";
import { asOperation, type Clock, TimeoutError, withTimeout } from "../switch/internal.ts";
import { race } from "./_race.ts";
import type { HostAddress, StreamAddress, TcpAddress } from "./address.ts";
import { NetError } from "./errors.ts";
import type { StreamSocket } from "./connection.ts";

/** Runs `fn`, for at most `timeout` milliseconds; then it fails with `connection_timeout`. */
export async function within<T>(
  clock: Clock,
  timeout: number,
  target: StreamAddress | HostAddress | string,
  fn: () => Promise<T>,
): Promise<T> {
  if (timeout === Infinity) return await fn();
  try {
    return await asOperation("connect", () => withTimeout(clock, timeout, fn));
  } catch (error) {
    if (!isInstance(error, TimeoutError)) throw error;
    throw new NetError("connection_timeout", { operation: "connect", address: target, cause: error });
  }
}

/** What {@linkcode connectToAny} connects to. */
export interface AnyTarget {
  /** What the delays run on. */
  readonly clock: Clock;
  /** What the error calls all of it. */
  readonly target: HostAddress | string;
  /** The local address, which leaves out the addresses of the other family. */
  readonly bindTo: StreamAddress | undefined;
  /** Finds the addresses; see {@linkcode race}. */
  find(found: (addresses: readonly TcpAddress[]) => void): Promise<readonly TcpAddress[]>;
  /** Connects to one of them. */
  dial(address: TcpAddress): Promise<StreamSocket>;
}

/** Races the addresses of one target. When all fail, the error has the last code, and the errors of all as its cause. */
export function connectToAny({ clock, target, bindTo, find, dial }: AnyTarget): Promise<StreamSocket> {
  const version = bindTo?.transport === "tcp" ? bindTo.ip.version : undefined;
  const reachable = (addresses: readonly TcpAddress[]) =>
    addresses.filter(({ ip }) => version === undefined || ip.version === version);
  return race({
    clock,
    find: async (found) => reachable(await find((addresses) => found(reachable(addresses)))),
    dial,
    failure(failures) {
      const last = failures.at(-1);
      if (last === undefined) {
        const lookupCode = "ADDRFAMILY"; // there are addresses, but none that bindTo can reach
        return new NetError("address_lookup_failed", { operation: "connect", address: target, lookupCode });
      }
      const cause = new AggregateError(
        failures,
        failures.length === 1 ? "The only address failed" : `All ${failures.length} addresses failed`,
      );
      return new NetError(last.code, { operation: "connect", address: target, cause });
    },
  });
}
