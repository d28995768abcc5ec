// Copyright 2026 the Sluice authors. MIT license.

import { checkBoolean, checkMilliseconds, describe } from "../../base/internal.ts";
import {
  defaultLinger,
  describeAddress,
  type ListenOptions,
  type SocketOptionEntry,
  type SocketOptionName,
  type StreamAddress,
} from "../internal.ts";
import { checkSocketOptions, initialOption } from "./_option_state.ts";
import type { ProviderListenOptions } from "./provider.ts";

/** Default of Linux's `net.core.somaxconn`, and of Go. */
const defaultBacklog = 4096;

/** Checks the arguments of {@linkcode Net.listen}. */
export function checkListenOptions(
  at: StreamAddress,
  options: ListenOptions,
  supportedOptions: ReadonlySet<SocketOptionName>,
): ProviderListenOptions & { linger: number; initialOptions: readonly SocketOptionEntry[] } {
  const { backlog = defaultBacklog, reuseAddr = false, reusePort = false, mode, linger = defaultLinger } = options;
  const action = `listen on ${describeAddress(at)}`;
  checkBoolean(action, "reuseAddr", reuseAddr);
  checkBoolean(action, "reusePort", reusePort);
  if (!Number.isSafeInteger(backlog) || backlog < 1) {
    throw new RangeError(
      `Cannot ${action} as backlog must be a whole number >= 1: current value is ${describe(backlog)}`,
    );
  }
  if (mode !== undefined && (!Number.isInteger(mode) || mode < 0 || mode > 0o777)) {
    throw new RangeError(
      `Cannot ${action} as mode must be a number from 0 to 0o777: current value is ${describe(mode)}`,
    );
  }
  if (mode !== undefined && (at.transport !== "unix" || at.path.startsWith("\0"))) {
    throw new TypeError(`Cannot ${action} with a mode: only the file of a Unix socket has one`);
  }
  checkMilliseconds(action, "linger", linger);
  const initialOptions = checkSocketOptions(options.socketOptions, at, supportedOptions);
  const ipv6Only = initialOption(initialOptions, "IPV6_V6ONLY") ?? false;
  return { backlog, reuseAddr, reusePort, mode, ipv6Only, linger, initialOptions };
}
