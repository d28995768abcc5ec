// Copyright 2026 the Sluice authors. MIT license.

import type { Clock } from "../switch/clock.ts";
import { TimeoutError, withTimeout } from "../switch/timeout.ts";
import { formatAddress, type HostAddress, type StreamAddress, type TcpAddress, type UdpAddress } from "./address.ts";
import { addContext, NetError } from "./errors.ts";
import type { StreamSocket } from "./types.ts";

/** Runs `fn`, for at most `timeout` milliseconds; then it fails with `connection_timeout`. */
export async function within<T>(
  clock: Clock,
  timeout: number,
  target: StreamAddress | HostAddress,
  fn: () => Promise<T>,
): Promise<T> {
  if (timeout === Infinity) return await fn();
  try {
    return await withTimeout(clock, timeout, fn);
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    throw new NetError("connection_timeout", { operation: "connect", address: target, cause: error });
  }
}

/** Looks a host up once and tries its addresses one after the other. When all fail, the error has the last code, and all errors as its cause. */
export async function connectInOrder(
  target: HostAddress,
  lookUp: () => Promise<(TcpAddress | UdpAddress)[]>,
  dial: (address: TcpAddress) => Promise<StreamSocket>,
): Promise<StreamSocket> {
  const failures: NetError[] = [];
  const addresses = await lookUp().catch((error) => {
    throw addContext(error, `connecting to ${formatAddress(target)}`);
  });
  for (const address of addresses) {
    try {
      return await dial(address as TcpAddress);
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      failures.push(error);
    }
  }
  const { code } = failures[failures.length - 1] as NetError;
  throw new NetError(code, {
    operation: "connect",
    address: target,
    cause: new AggregateError(failures, `All ${failures.length} addresses failed`),
  });
}
