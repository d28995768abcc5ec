// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/`. Users import `mod.ts`. */
export { closeGracefully, closeWithin, linger, type Lingering } from "./_closing.ts";
export { allFailed, connectToAny, connectWithin } from "./_connect.ts";
export { checkConnectable, checkConnectOptions, defaultLinger, readConnectOptions } from "./_connect_options.ts";
export { domainNameProblem, literalOf } from "./_host_name.ts";
export {
  type Attempt,
  closedState,
  labelled,
  openOwned,
  type OpenPlan,
  ownerGone,
  settle,
  whileOwned,
} from "./_open_owned.ts";
export {
  addServed,
  addWatch,
  isServed,
  onAccept,
  type ServedListener,
  tellServer,
  type Watch,
  Watches,
  watchOf,
} from "./_served_listener.ts";
export {
  type Address,
  checkDatagramAddress,
  checkHostName,
  checkIpEndpoint,
  checkStreamAddress,
  checkTargetAddress,
  checkUnixPath,
  type DatagramAddress,
  describeAddress,
  type HostAddress,
  maxUnixPathBytes,
  sameAddress,
  type StreamAddress,
  tcp,
  type TcpAddress,
  udp,
  type UdpAddress,
  unix,
  type UnixAddress,
} from "./address.ts";
export { connectToAnyOf } from "./connect_any.ts";
export type { Connection, ConnectOptions, StreamSocket } from "./connection.ts";
export type { Datagram, DatagramOptions, DatagramSocket, ReceivedDatagram } from "./datagram_socket.ts";
export { addContext, lookupCodeOf, NetError, netErrorFrom } from "./errors.ts";
export { hasPlainZone, IpAddress, systemIp } from "./ip_address.ts";
export type { ListeningSocket, ListenOptions } from "./listener.ts";
export { type AddrInfoOptions, clockOfNet, type Net, type NetFeature, type ServiceRecord } from "./net.ts";
export {
  checkOptionName,
  checkOptionValue,
  type GroupMembership,
  type SocketOptionEntry,
  type SocketOptionName,
  type SocketOptions,
  type SocketOptionTypes,
  type SocketOptionValue,
  type SourceMembership,
} from "./socket_option.ts";
