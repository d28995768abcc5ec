// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/provider/`. Not for users: see `mod.ts`. */
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
