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

export { acceptFork, type AcceptForkOptions, type ConnectionHandler } from "./accept.ts";
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
  ProviderListener,
  ProviderListenerEvents,
  ProviderListenOptions,
  ProviderStream,
  ProviderStreamEvents,
} from "./provider.ts";
export type { StreamEnd, StreamEvents } from "../flow/stream_end.ts";
export { runServer, type RunServerOptions } from "./run_server.ts";
export type {
  AddrInfoOptions,
  ConnectOptions,
  DatagramOptions,
  DatagramSocket,
  ListeningSocket,
  ListenOptions,
  Net,
  NetFeature,
  ServiceRecord,
  Socket,
  SocketOptions,
  StreamSocket,
} from "./types.ts";
