// Copyright 2026 the Sluice authors. MIT license.

/**
 * Endpoints: where to connect or to listen, as data that a setting can hold. A resolver makes one of
 * a URL, a {@linkcode Connector} makes a connection of one, and {@linkcode serveEndpoint} a server.
 *
 * ```ts ignore
 * import { run } from "@sluice/io";
 * import { createConnector, parseEndpoint } from "@sluice/io/net/endpoint";
 *
 * await run(async ({ net, sw }) => {
 *   const endpoint = parseEndpoint("tls:db.example/unix:/run/db.sock");
 *   const connection = await createConnector({ net }).connect(sw, endpoint);
 * });
 * ```
 *
 * A connector reaches what its network grants. It has no global registry, and reads no environment
 * variable.
 *
 * Source: conduit, of MirageOS.
 *
 * @module
 */

export { createConnector } from "./connector.ts";
export type { Connector, ConnectorOptions, EndpointConnection, TlsOptionsOf } from "./connector.ts";
export { custom, endpointFromJson, endpointToJson, tls, unknown } from "./endpoint.ts";
export type { CustomEndpoint, Endpoint, JsonValue, TlsEndpoint, UnknownEndpoint } from "./endpoint.ts";
export { formatEndpoint, parseEndpoint } from "./endpoint_text.ts";
export { firstOf, localhostResolver, staticResolver, systemResolver } from "./resolver.ts";
export type { ResolveOptions, Resolver, ResolverOptions, SystemResolverOptions } from "./resolver.ts";
export type { Rewrites, RewriteTarget } from "./resolver.ts";
export { serveEndpoint, type ServeEndpointOptions } from "./serve_endpoint.ts";
export { orElse, type Service, type Services, servicesOf, standardServices } from "./services.ts";
