// Copyright 2026 the Sluice authors. MIT license.

import { checkMilliseconds } from "../base/internal.ts";
import { checkStreamAddress, checkUnixPath, describeAddress, type HostAddress, type StreamAddress } from "./address.ts";
import type { ConnectOptions } from "./connection.ts";
import { NetError } from "./errors.ts";

/** How long `close` takes at most, in milliseconds, unless told otherwise. */
export const defaultLinger = 1000;

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
