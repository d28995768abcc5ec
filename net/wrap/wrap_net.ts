// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, checkShape, describe } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { checkIsSwitch, refused, refusedFor, type Switch } from "../../switch/internal.ts";
import {
  type AddrInfoOptions,
  checkDatagramAddress,
  checkIpEndpoint,
  checkStreamAddress,
  checkTargetAddress,
  type ConnectOptions,
  type DatagramAddress,
  type DatagramOptions,
  type DatagramSocket,
  describeAddress,
  type HostAddress,
  type IpAddress,
  type ListeningSocket,
  type ListenOptions,
  type Net,
  type ServiceRecord,
  type StreamAddress,
  type StreamSocket,
  type TcpAddress,
  type UdpAddress,
} from "../internal.ts";
import { ownAddressesOf, setOwnAddresses } from "../provider/internal.ts";
import { checkHooks } from "./_hooks.ts";
import { openWrapped, runAround } from "./_lifetime.ts";
import type { ConnectionHooks } from "./connection_hooks.ts";
import { connectionWith } from "./wrap_connection.ts";
import { type DatagramHooks, datagramSocketWith } from "./wrap_datagram_socket.ts";
import { type ListenerHooks, listenerWith } from "./wrap_listener.ts";

/**
 * Hooks of a network. Each is optional, is read once, and is called without `this`, around one
 * method of the network.
 *
 * A hook receives `next`, which performs the operation, and the operation's arguments: addresses
 * and options are checked, frozen copies, so that the operation uses what the hook has seen. A hook
 * refuses by throwing before `next`, changes nothing by returning `next()`, and may do something
 * else instead. Hooks passed to `next` apply to the opened resource, which is closed at once if the
 * hook throws after `next`.
 *
 * Hooks are called only if the switch can own something new and the scope is not cancelled.
 */
export interface NetHooks {
  /** Called around `connect`. A host name is looked up by the network inside. */
  connect?:
    | ((
      next: (hooks?: ConnectionHooks) => Promise<StreamSocket>,
      target: StreamAddress | HostAddress,
      options: ConnectOptions,
      sw: Switch,
    ) => Promise<StreamSocket>)
    | undefined;
  /** Called around `listen`. */
  listen?:
    | ((
      next: (hooks?: ListenerHooks) => Promise<ListeningSocket>,
      address: StreamAddress,
      options: ListenOptions,
      sw: Switch,
    ) => Promise<ListeningSocket>)
    | undefined;
  /** Called around `datagramSocket`. */
  datagramSocket?:
    | ((
      next: (hooks?: DatagramHooks) => Promise<DatagramSocket>,
      address: DatagramAddress | "udp4" | "udp6",
      options: DatagramOptions,
      sw: Switch,
    ) => Promise<DatagramSocket>)
    | undefined;
  /** Called around `getAddrInfo`. */
  getAddrInfo?:
    | ((
      next: () => Promise<(TcpAddress | UdpAddress)[]>,
      name: string,
      options: AddrInfoOptions,
    ) => Promise<(TcpAddress | UdpAddress)[]>)
    | undefined;
  /** Called around `getNameInfo`. */
  getNameInfo?:
    | ((
      next: () => Promise<{ hostname: string; service: string }>,
      address: TcpAddress | UdpAddress,
    ) => Promise<{ hostname: string; service: string }>)
    | undefined;
  /** Called around `getServices`. */
  getServices?: ((next: () => Promise<ServiceRecord[]>, name: string) => Promise<ServiceRecord[]>) | undefined;
  /** Called around `addresses`. */
  addresses?:
    | ((
      next: () => AsyncIterable<readonly IpAddress[]>,
      name: string,
    ) => AsyncIterable<readonly IpAddress[]>)
    | undefined;
}

/** A network that can look up addresses incrementally. */
interface WithAddresses {
  addresses(name: string): AsyncIterable<readonly IpAddress[]>;
}

/**
 * Wraps a network in hooks, for confinement, metering, revocation, observation or limits.
 *
 * The result is frozen and does not expose the network, whose features and clock it has. Opened
 * resources keep their owner, fast paths and options, and are wrapped only if they have hooks.
 *
 * @param net The network, which may itself be a wrapper.
 * @param hooks The hooks.
 * @returns The wrapper.
 * @throws {TypeError} If `net` is not a network, or a hook is not a function.
 *
 * @example A network that connects to one port only
 * ```ts
 * import { type Net, NetError } from "@sluice/io";
 * import { wrapNet } from "@sluice/io/net/wrap";
 *
 * function httpsOnly(net: Net): Net {
 *   return wrapNet(net, {
 *     async connect(next, target) {
 *       if (target.transport === "unix" || target.port !== 443) {
 *         throw new NetError("permission_denied", { operation: "connect", address: target });
 *       }
 *       return await next();
 *     },
 *   });
 * }
 * ```
 *
 * @example A network that counts sent bytes
 * ```ts
 * import type { Net } from "@sluice/io";
 * import { wrapNet } from "@sluice/io/net/wrap";
 *
 * function counted(net: Net): { net: Net; sent(): number } {
 *   let total = 0;
 *   const sent = (size: number) => void (total += size);
 *   return {
 *     net: wrapNet(net, {
 *       connect: (next) => next({ sent }),
 *       listen: (next) => next({ accept: (next) => next({ sent }) }),
 *       datagramSocket: (next) => next({ sent }),
 *     }),
 *     sent: () => total,
 *   };
 * }
 * ```
 */
export function wrapNet(net: Net, hooks: NetHooks): Net {
  checkShape("wrap a network", "net", "a Net", net, "connect");
  checkHooks(
    "wrap a network",
    hooks,
    "connect",
    "listen",
    "datagramSocket",
    "getAddrInfo",
    "getNameInfo",
    "getServices",
    "addresses",
  );
  const around = { ...hooks };
  const inner: Net & Partial<WithAddresses> = net;

  async function connect(
    sw: Switch,
    target: StreamAddress | HostAddress,
    options: ConnectOptions | undefined,
  ): Promise<StreamSocket> {
    checkIsSwitch(sw, "connect");
    const to = checkTargetAddress(target);
    const { bindTo, ...others } = checkOptions("connect", options);
    const given = frozen({ ...others, bindTo: bindTo && checkStreamAddress(bindTo) });
    const refusal = refusedFor(sw, "connect");
    if (refusal !== undefined) return await refusal;
    const dial = async () => await net.connect(sw, to, given);
    const open = async (hooks: ConnectionHooks | undefined) =>
      hooks === undefined ? await dial() : await openWrapped(sw, {
        operation: "connect",
        name: () => describeAddress(to),
        hooks,
        open: dial,
        wrap: (connection, lifetime) => connectionWith(connection, hooks, lifetime),
      });
    const hook = around.connect;
    return await (hook === undefined ? dial() : runAround(open, (next) => hook(next, to, given, sw)));
  }

  async function listen(
    sw: Switch,
    address: StreamAddress,
    options: ListenOptions | undefined,
  ): Promise<ListeningSocket> {
    checkIsSwitch(sw, "listen");
    const at = checkStreamAddress(address);
    const given = frozen({ ...checkOptions("listen", options) });
    const refusal = refusedFor(sw, "listen");
    if (refusal !== undefined) return await refusal;
    const start = async () => await net.listen(sw, at, given);
    const open = async (hooks: ListenerHooks | undefined) =>
      hooks === undefined ? await start() : await openWrapped(sw, {
        operation: "listen",
        name: () => describeAddress(at),
        hooks,
        open: start,
        wrap: (listener, lifetime) => listenerWith(listener, hooks, lifetime),
      });
    const hook = around.listen;
    return await (hook === undefined ? start() : runAround(open, (next) => hook(next, at, given, sw)));
  }

  async function datagramSocket(
    sw: Switch,
    address: DatagramAddress | "udp4" | "udp6",
    options: DatagramOptions | undefined,
  ): Promise<DatagramSocket> {
    const action = "open a datagram socket";
    checkIsSwitch(sw, action);
    const at = address === "udp4" || address === "udp6" ? address : checkDatagramAddress(address);
    const { remote, ...others } = checkOptions(action, options);
    const given = frozen({ ...others, remote: remote && checkDatagramAddress(remote) });
    const refusal = refusedFor(sw, "bind");
    if (refusal !== undefined) return await refusal;
    const bind = async (): Promise<DatagramSocket> => await net.datagramSocket(sw, at, given);
    const open = async (hooks: DatagramHooks | undefined) =>
      hooks === undefined ? await bind() : await openWrapped(sw, {
        operation: "bind",
        name: () => typeof at === "string" ? at : describeAddress(at),
        hooks,
        open: bind,
        wrap: (socket, lifetime) => datagramSocketWith(socket, hooks, lifetime),
      });
    const hook = around.datagramSocket;
    return await (hook === undefined ? bind() : runAround(open, (next) => hook(next, at, given, sw)));
  }

  const wrapper: Net = Object.freeze({
    connect: (sw: Switch, target: StreamAddress | HostAddress, options?: ConnectOptions) =>
      operation(() => connect(sw, target, options)),
    listen: <A extends StreamAddress>(sw: Switch, address: A, options?: ListenOptions) =>
      operation(() => listen(sw, address, options) as Promise<ListeningSocket> as Promise<ListeningSocket<A>>),
    datagramSocket: <A extends DatagramAddress>(sw: Switch, address: A | "udp4" | "udp6", options?: DatagramOptions) =>
      operation(() => datagramSocket(sw, address, options) as Promise<DatagramSocket> as Promise<DatagramSocket<A>>),
    getAddrInfo: (name: string, options?: AddrInfoOptions) =>
      operation(async () => {
        const { getAddrInfo: hook } = around;
        if (hook === undefined) return await net.getAddrInfo(name, options);
        checkLookedUp(name);
        const given = frozen({ ...checkOptions("look up a host", options) });
        return await (refused() ?? hook(async () => await net.getAddrInfo(name, given), name, given));
      }),
    getNameInfo: (address: TcpAddress | UdpAddress) =>
      operation(async () => {
        const { getNameInfo: hook } = around;
        if (hook === undefined) return await net.getNameInfo(address);
        const given = checkIpEndpoint(address);
        return await (refused() ?? hook(async () => await net.getNameInfo(given), given));
      }),
    getServices: (name: string) =>
      operation(async () => {
        const { getServices: hook } = around;
        if (hook === undefined) return await net.getServices(name);
        checkLookedUp(name);
        return await (refused() ?? hook(async () => await net.getServices(name), name));
      }),
    addresses: (name: string) => {
      const { addresses: hook } = around;
      const next = () => (inner as WithAddresses).addresses(name);
      if (hook === undefined) return next();
      return typeof name === "string" ? hook(next, name) : failing(() => checkLookedUp(name));
    },
    get features() {
      return new Set(net.features); // a copy: a Set cannot be frozen
    },
    get clock() {
      return net.clock;
    },
  });
  setOwnAddresses(wrapper, ownAddressesOf(net));
  return wrapper;
}

/** Freezes options, so that they cannot change after a hook has seen them. */
function frozen<T extends object>(options: T): Readonly<T> {
  return Object.freeze(options);
}

/**
 * Throws `TypeError` unless a name is a string: a network inside may convert another value, so that
 * it looks up something else than the hook has seen.
 */
function checkLookedUp(name: unknown): void {
  if (typeof name !== "string") throw new TypeError(`Cannot look up ${describe(name)}: must be a string`);
}

/** Returns answers of which the first throws what `check` throws. */
function failing(check: () => void): AsyncIterable<never> {
  return Object.freeze({
    [Symbol.asyncIterator]: () => Object.freeze({ next: () => operation<never>(async () => await check() as never) }),
  });
}
