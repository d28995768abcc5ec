// Copyright 2026 the Sluice authors. MIT license.

/**
 * Networks as capabilities: addresses, connections, listeners, datagram sockets and servers.
 *
 * ```ts
 * import { formatAddress, tcp } from "@sluice/io/net";
 *
 * formatAddress(tcp("127.0.0.1", 80)); // "tcp:127.0.0.1:80"
 * ```
 *
 * @module
 */

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
export { connectAny } from "./connect_any.ts";
export {
  addContext,
  type LookupCode,
  NetError,
  type NetErrorCode,
  type NetErrorOptions,
  type NetErrorSource,
} from "./errors.ts";
export { getAddrInfoDatagram, getAddrInfoStream } from "./get_addr_info.ts";
export { IpAddress } from "./ip_address.ts";
export {
  acceptFork,
  type AcceptForkOptions,
  type ConnectionHandler,
  type ConnectionInfo,
  type ConnectionScope,
  runServer,
  type RunServerOptions,
} from "./serve/mod.ts";
export {
  type GroupMembership,
  type SocketOptionName,
  socketOptionNames,
  type SocketOptions,
  type SocketOptionTypes,
  type SocketOptionValue,
  type SourceMembership,
} from "./socket_option.ts";
export { type AddrInfoOptions, type Net, type NetFeature, type ServiceRecord } from "./net.ts";
export { type Connection, type ConnectOptions, type Socket, type StreamSocket } from "./connection.ts";
export { type Datagram, type DatagramOptions, type DatagramSocket, type ReceivedDatagram } from "./datagram_socket.ts";
export { type ListeningSocket, type ListenOptions } from "./listener.ts";
export { type TcpConnectOptions, withTcpConnect } from "./with_tcp_connect.ts";
