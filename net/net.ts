// Copyright 2026 the Sluice authors. MIT license.

import { refused } from "../switch/scope.ts";
import { refusedFor, type Switch } from "../switch/switch.ts";
import {
  checkStreamAddress,
  checkTargetAddress,
  checkUnixPath,
  type HostAddress,
  sameAddress,
  type StreamAddress,
  type TcpAddress,
  type UdpAddress,
} from "./address.ts";
import { connectInOrder, within } from "./connect.ts";
import { NetError, netErrorFrom } from "./errors.ts";
import { ProvidedListener } from "./listening_socket.ts";
import { lookUp } from "./lookup.ts";
import { labelled, openUnder, whileOwned } from "./open.ts";
import { checkConnectOptions, checkListenOptions } from "./options.ts";
import type { NetProvider, ProviderStream } from "./provider.ts";
import { ProvidedSocket } from "./stream_socket.ts";
import type { AddrInfoOptions, ConnectOptions, ListeningSocket, ListenOptions, Net, StreamSocket } from "./types.ts";

/**
 * Makes a network of what a backend supplies: adds ownership by switches, cancellation, checks of arguments, error context and closing, the same for
 * every backend.
 *
 * @param provider The backend.
 * @returns A frozen network. It gives no way back to the provider.
 *
 * @example Wrapping a backend
 * ```ts ignore
 * import { createNet, type NetProvider } from "@sluice/io";
 *
 * const net = createNet(myProvider satisfies NetProvider);
 * ```
 */
export function createNet(provider: NetProvider): Net {
  const { clock } = provider;

  function dial(sw: Switch, address: StreamAddress, options: ConnectOptions, linger: number): Promise<StreamSocket> {
    const failure = (cause: unknown) => netErrorFrom(cause, { operation: "connect", address });
    return openUnder<ProviderStream, ProvidedSocket>({
      sw,
      operation: "connect",
      subject: labelled(address),
      begin: () => provider.connect(address, { bindTo: options.bindTo }),
      wrap: (stream, hook) => new ProvidedSocket(stream, { owner: sw, clock, linger }, hook),
      discard: (stream) => stream.abort(),
      failure,
    }).then((socket) => {
      if (address.transport === "unix" || !sameAddress(socket.local, socket.peer)) return socket;
      // The system chose the port that we connect to as our own, and connected the socket to itself.
      socket.abort();
      const cause = new Error("The socket was connected to itself");
      throw new NetError("connection_refused", { operation: "connect", address, cause });
    });
  }

  async function connect(
    sw: Switch,
    target: StreamAddress | HostAddress,
    options: ConnectOptions = {},
  ): Promise<StreamSocket> {
    const to = checkTargetAddress(target);
    const { linger, timeout, ...checked } = checkConnectOptions(to, options);
    const refusal = refusedFor(sw, "connect");
    if (refusal !== undefined) return await refusal;
    return await within(clock, timeout, to, () => {
      if (to.transport !== "host") return dial(sw, to, checked, linger);
      const resolve = () => getAddrInfo(to.name, { service: String(to.port), type: "stream" });
      const attempt = () => connectInOrder(to, resolve, (address) => dial(sw, address, checked, linger));
      return whileOwned(sw, "connect", labelled(to), attempt);
    });
  }

  async function listen<A extends StreamAddress>(
    sw: Switch,
    address: A,
    options: ListenOptions = {},
  ): Promise<ListeningSocket<A>> {
    const at = checkStreamAddress(address);
    if (at.transport === "unix") checkUnixPath(at.path);
    const { linger, ...checked } = checkListenOptions(at, options);
    const listener = await openUnder({
      sw,
      operation: "listen",
      subject: labelled(at),
      begin: () => provider.listen(at, checked),
      wrap: (given, hook) => new ProvidedListener(given, { clock, linger }, hook),
      discard: (given) => void given.close().catch(() => {}), // nobody is left who could be told
      failure: (cause) => netErrorFrom(cause, { operation: "listen", address: at }),
    });
    return listener as ListeningSocket as ListeningSocket<A>;
  }

  async function getAddrInfo(name: string, options: AddrInfoOptions = {}): Promise<(TcpAddress | UdpAddress)[]> {
    const refusal = refused();
    if (refusal !== undefined) return await refusal;
    return await lookUp(provider, name, options);
  }

  const missing = (operation: string) => () => Promise.reject(new NetError("not_supported", { operation }));
  return Object.freeze({
    connect,
    listen,
    getAddrInfo,
    datagramSocket: async (sw: Switch) => {
      await refusedFor(sw, "open a datagram socket");
      throw new NetError("not_supported", { operation: "open a datagram socket" });
    },
    getNameInfo: missing("look up an address"),
    getServices: missing("look up a service"),
    get features() {
      return new Set(provider.features); // a set of one's own: a Set cannot be frozen
    },
    clock,
  });
}
