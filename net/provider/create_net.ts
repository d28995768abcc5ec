// Copyright 2026 the Sluice authors. MIT license.

import { checkClock, checkShape } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { type Hook, isSwitchCancelled, refused, refusedFor, type Switch, systemClock } from "../../switch/internal.ts";
import {
  addContext,
  type AddrInfoOptions,
  type ConnectOptions,
  connectToAny,
  connectWithin,
  type DatagramAddress,
  type DatagramOptions,
  describeAddress,
  type HostAddress,
  labelled,
  type ListeningSocket,
  type ListenOptions,
  type Net,
  NetError,
  netErrorFrom,
  openOwned,
  type OpenPlan,
  ownerGone,
  sameAddress,
  settle,
  type SocketOptionEntry,
  type StreamAddress,
  type StreamSocket,
  tcp,
  type TcpAddress,
  type UdpAddress,
  whileOwned,
} from "../internal.ts";
import { checkConnect, checkListen } from "./_checked_arguments.ts";
import { answersTo, lookUp } from "./_lookup.ts";
import { nameInfo } from "./_name_info.ts";
import { openDatagramSocket } from "./_open_datagram_socket.ts";
import { setOwnAddresses } from "./_own_addresses.ts";
import { fitting, supportedOptionsOf } from "./_option_state.ts";
import type { Question } from "./_query.ts";
import { lookUpServices } from "./_service_records.ts";
import { SystemConnection } from "./_system_connection.ts";
import { SystemListener } from "./_system_listener.ts";
import type { NetProvider, ProviderStream } from "./provider.ts";

/** Options for connecting to one address. */
interface DialOptions {
  readonly bindTo: StreamAddress | undefined;
  readonly linger: number;
  readonly initialOptions: readonly SocketOptionEntry[];
}

/**
 * Makes a network of a backend: adds ownership by switches, cancellation, argument checks, error
 * context and closing, in the same way for every backend.
 *
 * @param provider The backend.
 * @returns A frozen network. It does not expose the provider.
 *
 * @example Wrapping a backend
 * ```ts ignore
 * import { createNet, type NetProvider } from "@sluice/io/net/provider";
 *
 * const net = createNet(myProvider satisfies NetProvider);
 * ```
 */
export function createNet(provider: NetProvider): Net {
  checkShape("make a network", "provider", "a NetProvider", provider, "connect");
  const { clock = systemClock } = provider;
  checkClock("make a network", clock);

  /** Plans a connection to one address. Its socket is owned by `sw`. */
  function dialPlan(sw: Switch, address: StreamAddress, options: DialOptions): OpenPlan<ProviderStream, StreamSocket> {
    const { linger } = options;
    const supportedOptions = supportedOptionsOf(provider, "tcp", address);
    const initialOptions = fitting(options.initialOptions, address);
    return {
      sw,
      operation: "connect",
      subject: labelled(address),
      begin: () =>
        provider.connect(address, { bindTo: options.bindTo, optionNames: initialOptions.map(([name]) => name) }),
      wrap(stream: ProviderStream, hook: Hook): StreamSocket {
        if (address.transport !== "unix" && sameAddress(stream.local, stream.peer)) {
          // The system chose the destination port as the local port, and connected the socket to
          // itself.
          const cause = new Error("The socket was connected to itself");
          throw new NetError("connection_refused", { operation: "connect", address, cause });
        }
        return new SystemConnection(stream, { clock, linger, supportedOptions, initialOptions }, sw, hook);
      },
      discard: (stream: ProviderStream) => stream.abort(),
      failure: (cause: unknown) => netErrorFrom(cause, { operation: "connect", address }),
    };
  }

  /**
   * Like {@linkcode connectAny} over {@linkcode Net.addresses}, but only the winner gets an owner.
   */
  function dialHost(sw: Switch, host: HostAddress, options: DialOptions): Promise<StreamSocket> {
    const { name, port } = host;
    const question: Question = { operation: "lookup", address: name, service: String(port) };
    const failed = (error: unknown) => addContext(error, `connecting to ${describeAddress(host)}`);
    return whileOwned(sw, "connect", labelled(host), (hook) =>
      connectToAny({
        clock,
        target: host,
        bindTo: options.bindTo,
        answers: answersTo(provider, question, failed),
        addressesOf: (ips) => ips.map((ip) => tcp(ip, port)),
        async dial(address) {
          const refusal = refusedFor(sw, "connect");
          if (refusal !== undefined) return await refusal;
          const plan = dialPlan(sw, address, options);
          const stream = await settle(plan);
          return { take: () => plan.wrap(stream, hook), abort: () => stream.abort() };
        },
        take(dialled) {
          if (isSwitchCancelled(sw)) throw ownerGone(sw, "connect");
          return dialled.take();
        },
      }));
  }

  async function connect(
    sw: Switch,
    target: StreamAddress | HostAddress,
    options: ConnectOptions | undefined,
  ): Promise<StreamSocket> {
    const checked = checkConnect(sw, target, options, (to) => supportedOptionsOf(provider, "tcp", to));
    const { to } = checked;
    const refusal = refusedFor(sw, "connect");
    if (refusal !== undefined) return await refusal;
    return await connectWithin(
      clock,
      checked.timeout,
      to,
      () => to.transport === "host" ? dialHost(sw, to, checked) : openOwned(dialPlan(sw, to, checked)),
    );
  }

  async function listen<A extends StreamAddress>(
    sw: Switch,
    address: A,
    options: ListenOptions | undefined,
  ): Promise<ListeningSocket<A>> {
    const supportedAt = (at: StreamAddress) => supportedOptionsOf(provider, "tcpListener", at);
    const { at, options: checked, linger, initialOptions } = checkListen(sw, address, options, supportedAt);
    const supportedOptions = {
      ofListener: supportedAt(at),
      ofConnections: supportedOptionsOf(provider, "tcp", at),
    };
    const listener = await openOwned({
      sw,
      operation: "listen",
      subject: labelled(at),
      begin: () => {
        if (checked.reusePort && !provider.features.has("reusePort")) {
          throw new NetError("not_supported", { operation: "setOption", address: "SO_REUSEPORT" });
        }
        return provider.listen(at, checked);
      },
      wrap: (system, hook) => new SystemListener(system, { clock, linger, supportedOptions, initialOptions }, sw, hook),
      discard: (system) => void system.close().catch(() => {}), // no caller is left to report to
      failure: (cause) => netErrorFrom(cause, { operation: "listen", address: at }),
    });
    return listener as ListeningSocket as ListeningSocket<A>;
  }

  const net: Net = Object.freeze({
    connect: (sw: Switch, target: StreamAddress | HostAddress, options?: ConnectOptions) =>
      operation(() => connect(sw, target, options)),
    listen: <A extends StreamAddress>(sw: Switch, address: A, options?: ListenOptions) =>
      operation(() => listen(sw, address, options)),
    getAddrInfo: (name: string, options?: AddrInfoOptions) =>
      operation(async () => await (refused() ?? lookUp(provider, name, options))),
    getNameInfo: (address: TcpAddress | UdpAddress) =>
      operation(async () => await (refused() ?? nameInfo(provider, address))),
    addresses: (name: string) => answersTo(provider, { operation: "lookup", address: name }),
    getServices: (name: string) => operation(async () => await (refused() ?? lookUpServices(provider, name))),
    datagramSocket: <A extends DatagramAddress>(
      sw: Switch,
      address: A | "udp4" | "udp6",
      options?: DatagramOptions,
    ) => operation(() => openDatagramSocket(provider, sw, address, options)),
    get features() {
      return new Set(provider.features); // a copy: a Set cannot be frozen
    },
    clock,
  });
  setOwnAddresses(net, provider.ownAddresses && (() => provider.ownAddresses?.()));
  return net;
}
