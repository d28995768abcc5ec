// Copyright 2026 the Sluice authors. MIT license.

import { checkClock, checkOptions, checkShape, checkString, describe, escapeText } from "../../../base/internal.ts";
import { type Closable, ignore, operation } from "../../../flow/internal.ts";
import { type Clock, refused, refusedFor, type Switch, systemClock } from "../../../switch/internal.ts";
import {
  checkIpEndpoint,
  connectWithin,
  describeAddress,
  literalOf,
  openOwned,
  settle,
  type SocketOptionEntry,
} from "../../internal.ts";
import {
  type AddrInfoOptions,
  type ConnectOptions,
  type DatagramAddress,
  type DatagramOptions,
  type DatagramSocket,
  type HostAddress,
  type IpAddress,
  type ListeningSocket,
  type ListenOptions,
  type Net,
  type NetFeature,
  type ServiceRecord,
  type Socket,
  type SocketOptionName,
  socketOptionNames,
  type StreamAddress,
  type StreamSocket,
  type TcpAddress,
  type UdpAddress,
} from "../../mod.ts";
import { checkConnect, checkDatagramSocket, checkListen } from "../../provider/internal.ts";
import { ownBy } from "./_life.ts";
import { MockLog } from "./_mock_log.ts";
import { Script, unscripted } from "./_script.ts";
import type { Action } from "./action.ts";
import { bindDatagramSocket } from "./mock_datagram_socket.ts";
import { bindListener, checkConnection } from "./mock_listener.ts";
import type { MockOptions } from "./mock_options.ts";

/**
 * A network whose calls are scripted. A call without an action fails, and its error names the
 * method to script it with. Created by {@linkcode mockNet}.
 */
export interface MockNet extends Net {
  /**
   * Appends actions for `connect`: the connections to return, such as {@linkcode mockFlow}s.
   *
   * @param actions What the next calls do.
   * @throws {TypeError} If one is not an action, or its value is not a connection. None of them is
   * added then.
   */
  onConnect(...actions: Action<StreamSocket>[]): void;
  /**
   * Appends actions for `listen`: the listeners to return, such as {@linkcode mockListener}s.
   *
   * @param actions What the next calls do.
   * @throws {TypeError} If one is not an action, or its value is not a listener. None of them is
   * added then.
   */
  onListen(...actions: Action<ListeningSocket>[]): void;
  /**
   * Appends actions for `datagramSocket`: the sockets to return, such as
   * {@linkcode mockDatagramSocket}s.
   *
   * @param actions What the next calls do.
   * @throws {TypeError} If one is not an action, or its value is not a datagram socket. None of
   * them is added then.
   */
  onDatagramSocket(...actions: Action<DatagramSocket>[]): void;
  /**
   * Appends actions for `getAddrInfo`, and for `addresses`, which yields the IP addresses once
   * each.
   *
   * @param actions What the next calls do.
   * @throws {TypeError} If one is not an action, or its value is not an array of addresses. None of
   * them is added then.
   */
  onGetAddrInfo(...actions: Action<(TcpAddress | UdpAddress)[]>[]): void;
  /**
   * Appends actions for `getNameInfo`.
   *
   * @param actions What the next calls do.
   * @throws {TypeError} If one is not an action, or its value is not an object. None of them is
   * added then.
   */
  onGetNameInfo(...actions: Action<{ hostname: string; service: string }>[]): void;
  /**
   * Appends actions for `getServices`.
   *
   * @param actions What the next calls do.
   * @throws {TypeError} If one is not an action, or its value is not an array. None of them is
   * added then.
   */
  onGetServices(...actions: Action<ServiceRecord[]>[]): void;
  /** What was done, a line for each. */
  readonly log: readonly string[];
}

/** Options for {@linkcode mockNet}. */
export interface MockNetOptions extends MockOptions {
  /**
   * The clock of the network: of `timeout`, and of what uses `net.clock`.
   *
   * @default {the system's clock}
   */
  clock?: Clock | undefined;
}

/**
 * Creates a network that does what a test has scripted, and logs each call before its action:
 * `net: connect to tcp:10.0.0.1:80`, with ` from tcp:10.0.0.2:0` for `bindTo`,
 * `net: listen on tcp:127.0.0.1:80`, `net: datagram socket on udp:0.0.0.0:0`, with
 * ` to udp:10.0.0.2:53` for `remote`, `net: getAddrInfo example.com`, with `, service http` for a
 * service, `net: getNameInfo tcp:10.0.0.1:80`, and `net: getServices _http._tcp.example.com`. For a
 * network with servers, names and errors of its own there is {@linkcode memoryNet}.
 *
 * What a call returns belongs to its switch, and is closed with it. The socket options of a call
 * are set on it, in their order. Arguments are checked as by a real network, and `timeout` works.
 * Connecting to a name looks nothing up: it is one `connect`. All features are supported.
 *
 * A call that is cancelled has used its action; what the action yields later is closed. A call in a
 * scope that is cancelled already uses none.
 *
 * Source: Eio's `Eio_mock.Net`.
 *
 * @param options The log and the clock.
 * @returns A frozen network.
 * @throws {TypeError} If `clock` is not a clock, or `log` is not an array that can grow.
 *
 * @example Retrying until the server answers
 * ```ts
 * import { type Net, NetError, retry, Switch, tcp } from "@sluice/io";
 * import { mockClock, mockFlow, mockNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const connect = (net: Net) => Switch.run((sw) => net.connect(sw, tcp("10.0.0.1", 80)));
 * const net = mockNet({ clock: mockClock({ autoAdvance: true }) });
 * net.onConnect(
 *   { throw: new NetError("connection_refused", { operation: "connect" }) },
 *   { return: mockFlow("flow", { log: net.log }) },
 * );
 * await retry(net.clock, { delay: 1000 }, () => connect(net));
 * assertEquals(net.clock.now(), 1000);
 * assertEquals(net.log, [
 *   "net: connect to tcp:10.0.0.1:80",
 *   "net: connect to tcp:10.0.0.1:80",
 *   "flow: closed",
 * ]);
 * ```
 */
export function mockNet(options?: MockNetOptions): MockNet {
  checkOptions("make a mock network", options);
  const { log: lines, clock = systemClock } = options ?? {};
  checkClock("make a mock network", clock);
  const log = new MockLog("make a mock network", "net", lines);

  function script<T extends object>(operation: string, handler: string, check: (value: unknown) => T): Script<T> {
    return new Script<T>({
      handler,
      check,
      otherwise: unscripted(log, operation, handler),
      late: (value) => discard(value),
    });
  }

  const connects = script("connect", "onConnect", checkConnection);
  const listens = script("listen", "onListen", (value) => {
    checkShape("use a scripted listener", "it", "a ListeningSocket", value, "accept", "close");
    return value as ListeningSocket;
  });
  const datagramSockets = script("open a datagram socket", "onDatagramSocket", (value) => {
    checkShape("use a scripted socket", "it", "a DatagramSocket", value, "send", "recv", "close");
    return value as DatagramSocket;
  });
  const addrInfos = script("look up addresses", "onGetAddrInfo", (value) => checkList(value).map(checkIpEndpoint));
  const nameInfos = script("look up names", "onGetNameInfo", (value) => {
    checkShape("use scripted names", "they", "an object", value);
    return value as { hostname: string; service: string };
  });
  const services = script("look up services", "onGetServices", (value) => checkList(value) as ServiceRecord[]);

  /** Opens what the next action of `from` returns. */
  function open<T extends Socket>(
    sw: Switch,
    from: Script<T>,
    plan: {
      readonly operation: string;
      readonly subject: string;
      readonly line: string;
      readonly initialOptions: readonly SocketOptionEntry[];
      readonly opened?: (resource: T) => void;
    },
  ): Promise<T> {
    const { operation, subject, line, initialOptions, opened } = plan;
    return openOwned({
      sw,
      operation,
      subject: { label: subject },
      begin: () => {
        log.note(line);
        return from.attempt();
      },
      wrap: (resource: T, hook) => {
        opened?.(resource);
        for (const [name, value] of initialOptions) resource.setOption(name, value);
        return ownBy(hook, resource, subject);
      },
      discard,
      failure: (cause) => cause,
    });
  }

  async function connect(
    sw: Switch,
    target: StreamAddress | HostAddress,
    options: ConnectOptions | undefined,
  ): Promise<StreamSocket> {
    const { to, bindTo, timeout, initialOptions } = checkConnect(sw, target, options, () => allOptions);
    const refusal = refusedFor(sw, "connect");
    if (refusal !== undefined) return await refusal;
    const subject = describeAddress(to);
    const line = `connect to ${subject}${bindTo === undefined ? "" : ` from ${describeAddress(bindTo)}`}`;
    const plan = { operation: "connect", subject, line, initialOptions };
    return await connectWithin(clock, timeout, to, () => open(sw, connects, plan));
  }

  async function listen<A extends StreamAddress>(
    sw: Switch,
    address: A,
    options: ListenOptions | undefined,
  ): Promise<ListeningSocket<A>> {
    const { at, initialOptions } = checkListen(sw, address, options, () => allOptions);
    const subject = describeAddress(at);
    const opened = (listener: ListeningSocket) => bindListener(listener, at, clock);
    const plan = { operation: "listen", subject, line: `listen on ${subject}`, initialOptions, opened };
    return await open(sw, listens, plan) as ListeningSocket as ListeningSocket<A>;
  }

  async function datagramSocket<A extends DatagramAddress>(
    sw: Switch,
    address: A | "udp4" | "udp6",
    options: DatagramOptions | undefined,
  ): Promise<DatagramSocket<A>> {
    const checked = checkDatagramSocket(sw, address, options, () => allOptions);
    const { at, options: { remote }, initialOptions } = checked;
    const subject = describeAddress(at);
    const line = `datagram socket on ${subject}${remote === undefined ? "" : ` to ${describeAddress(remote)}`}`;
    const opened = (socket: DatagramSocket) => bindDatagramSocket(socket, at, remote);
    const plan = { operation: "bind", subject, line, initialOptions, opened };
    return await open(sw, datagramSockets, plan) as DatagramSocket as DatagramSocket<A>;
  }

  /** Runs a lookup. */
  async function lookUp<T>(from: Script<T>, call: string, subject: string): Promise<T> {
    const refusal = refused();
    if (refusal !== undefined) return await refusal;
    log.note(`${call} ${subject}`);
    return await settle({
      operation: "lookup",
      subject: { label: subject },
      begin: () => from.attempt(),
      discard: () => {},
      failure: (cause) => cause,
    });
  }

  async function getAddrInfo(name: string, options?: AddrInfoOptions): Promise<(TcpAddress | UdpAddress)[]> {
    const { service } = checkOptions("look up addresses", options);
    checkString("look up addresses", "name", name);
    if (service !== undefined) checkString("look up addresses", "service", service);
    const suffix = service === undefined ? "" : `, service ${escapeText(service)}`;
    return [...await lookUp(addrInfos, "getAddrInfo", `${escapeText(name)}${suffix}`)];
  }

  async function* addresses(name: string): AsyncGenerator<readonly IpAddress[], void> {
    checkString("look up addresses", "name", name);
    const literal = literalOf(name);
    if (literal !== undefined) return yield [literal];
    const found = await lookUp(addrInfos, "addresses", escapeText(name));
    yield [...new Map(found.map(({ ip }) => [ip.text, ip])).values()];
  }

  return Object.freeze({
    connect: (sw: Switch, target: StreamAddress | HostAddress, options?: ConnectOptions) =>
      operation(() => connect(sw, target, options)),
    listen: <A extends StreamAddress>(sw: Switch, address: A, options?: ListenOptions) =>
      operation(() => listen(sw, address, options)),
    datagramSocket: <A extends DatagramAddress>(
      sw: Switch,
      address: A | "udp4" | "udp6",
      options?: DatagramOptions,
    ) => operation(() => datagramSocket(sw, address, options)),
    getAddrInfo: (name: string, options?: AddrInfoOptions) => operation(() => getAddrInfo(name, options)),
    addresses: (name: string) => ({ [Symbol.asyncIterator]: () => addresses(name) }),
    getNameInfo: (address: TcpAddress | UdpAddress) =>
      operation(async () => await lookUp(nameInfos, "getNameInfo", describeAddress(checkIpEndpoint(address)))),
    getServices: (name: string) =>
      operation(async () => {
        checkString("look up services", "name", name);
        return [...await lookUp(services, "getServices", escapeText(name))];
      }),
    get features() {
      return new Set(allFeatures); // a copy: a Set cannot be frozen
    },
    clock,
    onConnect: (...actions: Action<StreamSocket>[]) => connects.add(actions),
    onListen: (...actions: Action<ListeningSocket>[]) => listens.add(actions),
    onDatagramSocket: (...actions: Action<DatagramSocket>[]) => datagramSockets.add(actions),
    onGetAddrInfo: (...actions: Action<(TcpAddress | UdpAddress)[]>[]) => addrInfos.add(actions),
    onGetNameInfo: (...actions: Action<{ hostname: string; service: string }>[]) => nameInfos.add(actions),
    onGetServices: (...actions: Action<ServiceRecord[]>[]) => services.add(actions),
    log: log.lines as readonly string[],
  });
}

const allOptions: ReadonlySet<SocketOptionName> = new Set(socketOptionNames);

const allFeatures: readonly NetFeature[] = [
  "pullAccept",
  "acceptErrors",
  "reset",
  "reusePort",
  "ipv6Only",
  "abstractUnix",
  "datagrams",
  "datagramReusePort",
  "datagramErrors",
  "multicast",
  "unixDatagrams",
];

function checkList(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError(`Cannot use ${describe(value)} as the scripted result of a lookup: must be an array`);
}

/** Closes a late result, unless it is that of a lookup. */
function discard(value: object): void {
  const { close } = value as Partial<Closable>;
  if (typeof close === "function") Promise.resolve(close.call(value)).catch(ignore);
}
