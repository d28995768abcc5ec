// Copyright 2026 the Sluice authors. MIT license.

/** The checks of options, before any system call. */

import { checkBoolean } from "../switch/check.ts";
import { describe } from "../switch/text.ts";
import { checkStreamAddress, checkUnixPath, describeAddress, type HostAddress, type StreamAddress } from "./address.ts";
import { NetError } from "./errors.ts";
import type { ProviderListenOptions } from "./provider.ts";
import type { SocketOptionEntry, SocketOptionName } from "./socket_option.ts";
import { checkSocketOptions, givenOption } from "./socket_settings.ts";
import type { ConnectOptions, ListenOptions } from "./types.ts";

/** What Linux allows by default (`net.core.somaxconn`), and so what Go asks for. */
const defaultBacklog = 4096;
const defaultLinger = 1000;

/** The options of {@linkcode Net.connect}, each of which is read once. */
export function readConnectOptions(options: ConnectOptions | undefined): ConnectOptions {
  const { timeout, linger, bindTo, socketOptions } = options ?? {};
  return { timeout, linger, bindTo, socketOptions };
}

/** Checks what {@linkcode Net.connect} was given, but for socket options. */
export function checkConnectOptions(
  to: StreamAddress | HostAddress,
  options: ConnectOptions,
): { bindTo: StreamAddress | undefined; timeout: number; linger: number } {
  const { timeout = Infinity, linger = defaultLinger, bindTo: from } = options;
  const action = `connect to ${describeAddress(to)}`;
  if (to.transport === "unix") checkUnixPath(to.path);
  else if (to.port === 0) throw new RangeError(`Cannot ${action}: port 0 can only be listened on`);
  const bindTo = from === undefined ? undefined : checkStreamAddress(from);
  if (bindTo !== undefined && (bindTo.transport === "unix") !== (to.transport === "unix")) {
    throw new TypeError(`Cannot ${action} from ${describeAddress(bindTo)}: bindTo must be of the same transport`);
  }
  if (bindTo?.transport === "tcp" && to.transport === "tcp" && bindTo.ip.version !== to.ip.version) {
    throw new TypeError(`Cannot ${action} from ${describeAddress(bindTo)}: bindTo must be of the same IP version`);
  }
  if (bindTo?.transport === "unix") throw new NetError("not_supported", { operation: "bind", address: bindTo });
  checkMilliseconds(action, "timeout", timeout);
  checkMilliseconds(action, "linger", linger);
  return { bindTo, timeout, linger };
}

/** Checks what {@linkcode Net.listen} was given. */
export function checkListenOptions(
  at: StreamAddress,
  options: ListenOptions,
  reach: ReadonlySet<SocketOptionName>,
): ProviderListenOptions & { linger: number; given: readonly SocketOptionEntry[] } {
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
  const given = checkSocketOptions(options.socketOptions, at, reach);
  const ipv6Only = givenOption(given, "IPV6_V6ONLY") ?? false;
  return { backlog, reuseAddr, reusePort, mode, ipv6Only, linger, given };
}

/** Checks a number of milliseconds, which may be `Infinity`. */
export function checkMilliseconds(action: string, name: string, value: unknown): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot ${action} as ${name} must be a number: current value is ${describe(value)}`);
  }
  if (!(value >= 0)) {
    throw new RangeError(`Cannot ${action} as ${name} must be >= 0 milliseconds: current value is ${value}`);
  }
}
