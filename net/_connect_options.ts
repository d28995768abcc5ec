// Copyright 2026 the Sluice authors. MIT license.

import { checkMilliseconds } from "../base/internal.ts";
import { checkStreamAddress, checkUnixPath, describeAddress, type HostAddress, type StreamAddress } from "./address.ts";
import type { ConnectOptions } from "./connection.ts";
import { NetError } from "./errors.ts";

/** How long `close` lingers by default, in milliseconds. */
export const defaultLinger = 1000;

/** Reads each option of {@linkcode Net.connect} once. */
export function readConnectOptions(options: ConnectOptions | undefined): ConnectOptions {
  const { timeout, linger, bindTo, socketOptions } = options ?? {};
  return { timeout, linger, bindTo, socketOptions };
}

/** Checked options of {@linkcode Net.connect}, without socket options. */
export interface CheckedConnectOptions {
  readonly bindTo: StreamAddress | undefined;
  /** In milliseconds. */
  readonly timeout: number;
  /** In milliseconds. */
  readonly linger: number;
}

/** Throws unless `to` is a valid destination. */
export function checkConnectable(to: StreamAddress | HostAddress): void {
  if (to.transport === "unix") checkUnixPath(to.path);
  else if (to.port === 0) {
    throw new RangeError(`Cannot connect to ${describeAddress(to)}: port 0 can only be listened on`);
  }
}

/**
 * Checks the options of {@linkcode Net.connect}, except socket options.
 *
 * @param to The destination. If it is a description of several addresses, `bindTo` may fit only
 * some.
 */
export function checkConnectOptions(
  to: StreamAddress | HostAddress | string,
  options: ConnectOptions,
): CheckedConnectOptions {
  const { timeout = Infinity, linger = defaultLinger, bindTo: from } = options;
  const action = () => `connect to ${typeof to === "string" ? to : describeAddress(to)}`;
  if (typeof to !== "string") checkConnectable(to);
  const transport = typeof to === "string" ? "host" : to.transport;
  const bindTo = from === undefined ? undefined : checkStreamAddress(from);
  if (bindTo !== undefined && (bindTo.transport === "unix") !== (transport === "unix")) {
    throw new TypeError(`Cannot ${action()} from ${describeAddress(bindTo)}: bindTo must be of the same transport`);
  }
  if (
    bindTo?.transport === "tcp" && typeof to !== "string" && to.transport === "tcp" &&
    bindTo.ip.version !== to.ip.version
  ) {
    throw new TypeError(`Cannot ${action()} from ${describeAddress(bindTo)}: bindTo must be of the same IP version`);
  }
  if (bindTo?.transport === "unix") throw new NetError("not_supported", { operation: "bind", address: bindTo });
  if (timeout !== Infinity) checkMilliseconds(action(), "timeout", timeout);
  if (linger !== defaultLinger) checkMilliseconds(action(), "linger", linger);
  return { bindTo, timeout, linger };
}
