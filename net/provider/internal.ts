// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/provider/`. Users import `mod.ts`. */
export { checkListenOptions } from "./_listen_options.ts";
export { bindAddress, checkDatagramOptions } from "./_open_datagram_socket.ts";
export { checkSocketOptions } from "./_option_state.ts";
export { type OwnAddresses, ownAddressesOf, setOwnAddresses } from "./_own_addresses.ts";
export { createNet } from "./create_net.ts";
export type {
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
