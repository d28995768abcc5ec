// Copyright 2026 the Sluice authors. MIT license.

/**
 * Networks as capabilities: addresses, connections, listeners and servers, and what a backend supplies.
 *
 * ```ts
 * import { formatAddress, tcp } from "@sluice/io/net";
 *
 * formatAddress(tcp("127.0.0.1", 80)); // "tcp:127.0.0.1:80"
 * ```
 *
 * @module
 */

export { acceptFork, type AcceptForkOptions, type ConnectionHandler, type ConnectionInfo } from "./accept.ts";
export {
  type Address,
  type DatagramAddress,
  formatAddress,
  type HostAddress,
  hostAddress,
  parseAddress,
  sameAddress,
  type StreamAddress,
  tcp,
  type TcpAddress,
  udp,
  type UdpAddress,
  unix,
  type UnixAddress,
} from "./address.ts";
export { getAddrInfoDatagram, getAddrInfoStream } from "./addr_info.ts";
export { connectAny } from "./connect_any.ts";
export type { ConnectionScope } from "./connection_scope.ts";
export {
  addContext,
  type LookupCode,
  NetError,
  type NetErrorCode,
  type NetErrorOptions,
  type NetErrorSource,
} from "./errors.ts";
export { IpAddress } from "./ip_address.ts";
export { createNet } from "./net.ts";
export type {
  Attempt,
  NetProvider,
  ProviderConnectOptions,
  ProviderDatagram,
  ProviderDatagramEvents,
  ProviderDatagramOptions,
  ProviderListener,
  ProviderListenerEvents,
  ProviderListenOptions,
  ProviderOptions,
  ProviderStream,
  ProviderStreamEvents,
  SocketKind,
} from "./provider.ts";
export type { StreamEnd, StreamEvents } from "../flow/stream_end.ts";
export { runServer, type RunServerOptions } from "./run_server.ts";
export {
  type GroupMembership,
  type SocketOptionName,
  socketOptionNames,
  type SocketOptions,
  type SocketOptionTypes,
  type SocketOptionValue,
  type SourceMembership,
} from "./socket_option.ts";
export type {
  AddrInfoOptions,
  Connection,
  ConnectOptions,
  Datagram,
  DatagramOptions,
  DatagramSocket,
  ListeningSocket,
  ListenOptions,
  Net,
  NetFeature,
  ReceivedDatagram,
  ServiceRecord,
  Socket,
  StreamSocket,
} from "./types.ts";
export { type TcpConnectOptions, withTcpConnect } from "./with_tcp_connect.ts";
