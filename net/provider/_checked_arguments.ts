// Copyright 2026 the Sluice authors. MIT license.

/**
 * Checks and copies of the arguments of {@linkcode Net}, the same for each network. `supportedAt`
 * returns the socket options that can be set on a socket at an address.
 */
import { checkBoolean, checkMilliseconds, checkOptions, describe } from "../../base/internal.ts";
import { checkIsSwitch, type Switch } from "../../switch/internal.ts";
import {
  checkConnectOptions,
  checkDatagramAddress,
  checkStreamAddress,
  checkTargetAddress,
  checkUnixPath,
  type ConnectOptions,
  type DatagramAddress,
  type DatagramOptions,
  defaultLinger,
  describeAddress,
  type HostAddress,
  IpAddress,
  type ListenOptions,
  readConnectOptions,
  type SocketOptionEntry,
  type SocketOptionName,
  type StreamAddress,
  udp,
} from "../internal.ts";
import { checkSocketOptions, initialOption } from "./_option_state.ts";
import { checkReachable, unmapped } from "./_system_datagram_socket.ts";
import type { ProviderConnectOptions, ProviderDatagramOptions, ProviderListenOptions } from "./provider.ts";

type Options = ReadonlySet<SocketOptionName>;

/** Socket options to set before a socket is returned. */
interface Initial {
  readonly initialOptions: readonly SocketOptionEntry[];
}

/** Checked arguments of {@linkcode Net.connect}. */
export interface ConnectArguments extends ProviderConnectOptions, Initial {
  readonly to: StreamAddress | HostAddress;
  /** In milliseconds. */
  readonly timeout: number;
  /** In milliseconds. */
  readonly linger: number;
}

/** Checked arguments of {@linkcode Net.listen}. */
export interface ListenArguments extends Initial {
  readonly at: StreamAddress;
  readonly options: ProviderListenOptions;
  /** In milliseconds. */
  readonly linger: number;
}

/** Checked arguments of {@linkcode Net.datagramSocket}. */
export interface DatagramArguments extends Initial {
  readonly at: DatagramAddress;
  readonly options: ProviderDatagramOptions;
}

/** Default of Linux's `net.core.somaxconn`, and of Go. */
const defaultBacklog = 4096;

/** Checks the arguments of {@linkcode Net.connect}. */
export function checkConnect(
  sw: Switch,
  target: StreamAddress | HostAddress,
  options: ConnectOptions | undefined,
  supportedAt: (to: StreamAddress | HostAddress) => Options,
): ConnectArguments {
  checkIsSwitch(sw, "connect");
  const to = checkTargetAddress(target);
  checkOptions("connect", options);
  const read = readConnectOptions(options);
  const checked = checkConnectOptions(to, read);
  return { to, ...checked, initialOptions: checkSocketOptions(read.socketOptions, to, supportedAt(to)) };
}

/** Checks the arguments of {@linkcode Net.listen}. */
export function checkListen(
  sw: Switch,
  address: StreamAddress,
  options: ListenOptions | undefined,
  supportedAt: (at: StreamAddress) => Options,
): ListenArguments {
  checkIsSwitch(sw, "listen");
  const at = checkStreamAddress(address);
  checkOptions("listen", options);
  if (at.transport === "unix") checkUnixPath(at.path);
  const { backlog = defaultBacklog, reuseAddr = false, reusePort = false, mode, linger = defaultLinger } = options ??
    {};
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
  const initialOptions = checkSocketOptions(options?.socketOptions, at, supportedAt(at));
  const ipv6Only = initialOption(initialOptions, "IPV6_V6ONLY") ?? false;
  const optionNames = initialOptions.map(([name]) => name);
  return { at, options: { backlog, reuseAddr, reusePort, mode, ipv6Only, optionNames }, linger, initialOptions };
}

/** Checks the arguments of {@linkcode Net.datagramSocket}. */
export function checkDatagramSocket(
  sw: Switch,
  address: DatagramAddress | "udp4" | "udp6",
  options: DatagramOptions | undefined,
  supportedAt: (at: DatagramAddress) => Options,
): DatagramArguments {
  const action = "open a datagram socket";
  checkIsSwitch(sw, action);
  const at = bindAddress(address);
  checkOptions(action, options);
  const { reuseAddr = false, reusePort = false, remote: target, socketOptions } = options ?? {};
  checkBoolean(action, "reuseAddr", reuseAddr);
  checkBoolean(action, "reusePort", reusePort);
  const remote = target === undefined ? undefined : unmapped(checkDatagramAddress(target));
  if (remote !== undefined && (remote.transport !== "unix" || at.transport !== "unix")) {
    checkReachable(`bind to ${describeAddress(at)} and connect to`, remote, at);
  }
  const initialOptions = checkSocketOptions(socketOptions, at, supportedAt(at));
  const ipv6Only = initialOption(initialOptions, "IPV6_V6ONLY") ?? false;
  return { at, options: { reuseAddr, reusePort, ipv6Only, remote }, initialOptions };
}

/** Returns the checked address to bind. */
function bindAddress(address: DatagramAddress | "udp4" | "udp6"): DatagramAddress {
  if (address === "udp4") return udp(IpAddress.any4, 0);
  if (address === "udp6") return udp(IpAddress.any6, 0);
  const at = checkDatagramAddress(address);
  if (at.transport === "unix") checkUnixPath(at.path);
  return at;
}
