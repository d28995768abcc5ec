// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/provider/`. Users import `mod.ts`. */
export { checkConnect, checkDatagramSocket, checkListen } from "./_checked_arguments.ts";
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
