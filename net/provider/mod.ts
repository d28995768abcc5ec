// Copyright 2026 the Sluice authors. MIT license.

/**
 * The interface of a network backend, and the network made of it.
 *
 * ```ts
 * import type { Net } from "@sluice/io/net";
 * import { createNet, type NetProvider } from "@sluice/io/net/provider";
 *
 * function netOver(provider: NetProvider): Net {
 *   return createNet(provider);
 * }
 * ```
 *
 * @module
 */

export type { Attempt } from "../internal.ts";
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
