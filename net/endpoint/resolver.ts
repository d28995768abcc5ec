// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions, checkRecord, checkShape, fieldOf, mustBe } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { interruptible, refused } from "../../switch/internal.ts";
import { IpAddress, literalOf, NetError, tcp } from "../internal.ts";
import { getAddrInfoStream, hostAddress, type Net } from "../mod.ts";
import { functionsOf } from "./_functions.ts";
import { normalizeHost, parseAuthority, splitUrl } from "./_url.ts";
import { checkEndpoint, type Endpoint, tls, unknown } from "./endpoint.ts";
import { checkService, type Service, type Services, standardServices } from "./services.ts";

/**
 * What a rewrite is asked about.
 *
 * @example A rewrite that keeps the port
 * ```ts
 * import type { RewriteTarget } from "@sluice/io/net/endpoint";
 * import { tcp } from "@sluice/io";
 *
 * const toLoopback = ({ port }: RewriteTarget) => tcp("127.0.0.1", port);
 * ```
 */
export interface RewriteTarget {
  /** The host of the URL: a name in lower case without a trailing dot, or the text of an address. */
  readonly host: string;
  /** What the scheme stands for. */
  readonly service: Service;
  /** The port of the URL, or else that of the service. */
  readonly port: number;
}

/**
 * Where hosts are, by suffix. A name, such as `"example.com"`, stands for itself and everything
 * below it; with a dot before it, `".example.com"`, only for what is below; `""` for every host. An
 * IP address stands for itself. The longest suffix that matches wins.
 *
 * TLS is added around the endpoint where the service requires it.
 *
 * @example A host that is reached by a Unix socket
 * ```ts
 * import { formatEndpoint, type Rewrites, systemResolver } from "@sluice/io/net/endpoint";
 * import { unix } from "@sluice/io";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const rewrites: Rewrites = { "docker.internal": () => unix("/run/docker.sock") };
 * const endpoint = await systemResolver(memoryNet(), { rewrites }).resolve("http://docker.internal/info");
 * assertEquals(formatEndpoint(endpoint), "unix:/run/docker.sock");
 * ```
 */
export type Rewrites = Readonly<Record<string, (target: RewriteTarget) => Endpoint | Promise<Endpoint>>>;

/**
 * Finds the endpoint of a URL.
 *
 * @example A resolver of one's own
 * ```ts
 * import { parseEndpoint, type Resolver } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * const settings = new Map([["db:", "unix:/run/db.sock"]]);
 * const resolver: Resolver = {
 *   resolve: (url) => Promise.resolve(parseEndpoint(settings.get(`${url}`) ?? "unknown:not in the settings")),
 * };
 * assertEquals((await resolver.resolve("db:")).transport, "unix");
 * ```
 */
export interface Resolver {
  /**
   * Resolves a URL. The path, the query and the user in it do not matter.
   *
   * A resolver of this library goes on in this order. A URL without a scheme is
   * `unknown("no scheme")`, and `"a.test:80"` has none. The scheme must be a service, or the result
   * is `unknown("no such service")`. The host is `localhost` if there is none. The port is that of
   * the URL, even the default one if `url` is text, or else that of the service; a `URL` does not
   * tell whether a default port was written. Then the rewrite with the longest suffix of the host
   * decides, or else the resolver itself. Around the result is TLS if that is how the service is
   * reached, unless it is unknown.
   *
   * A host is compared in lower case, without a trailing dot; an internationalized name is converted
   * to its A-label form, and an IP address to its canonical text.
   *
   * @param url The URL.
   * @param options More rewrites.
   * @returns The endpoint; `unknown` with the reason if there is none.
   * @throws {TypeError} If an argument, or what a rewrite returns, is of the wrong type.
   * @throws {SyntaxError} If the host or the port of the URL is malformed.
   * @throws {Cancelled} If the current scope is cancelled. A rewrite is not awaited then.
   * @throws {unknown} What a rewrite throws, or a lookup, unless it finds no address.
   */
  resolve(url: string | URL, options?: ResolveOptions): Promise<Endpoint>;
}

/** Options for {@linkcode Resolver.resolve}. */
export interface ResolveOptions {
  /**
   * Rewrites that are laid over those of the resolver.
   *
   * @default {{}}
   */
  rewrites?: Rewrites | undefined;
}

/** Options of resolvers. */
export interface ResolverOptions {
  /**
   * The services.
   *
   * @default {standardServices}
   */
  services?: Services | undefined;
  /**
   * Where hosts are, before the resolver itself is asked.
   *
   * @default {{}}
   */
  rewrites?: Rewrites | undefined;
}

/** Options for {@linkcode systemResolver}. */
export interface SystemResolverOptions extends ResolverOptions {
  /**
   * Looks names up, and takes the first address of this version of IP, or else the first one. Without
   * it the endpoint keeps the name, so that connecting races all addresses.
   *
   * @default {undefined}
   */
  prefer?: 4 | 6 | undefined;
}

const action = "make a resolver";

/** The endpoint of a name that has no address. */
const failed: Endpoint = unknown("name resolution failed");

/**
 * Returns a resolver that finds hosts as `net` does: the endpoint of a name is a host address, that
 * of an IP address is TCP.
 *
 * @param net The network.
 * @param options Services, rewrites, and the preferred version of IP.
 * @returns The resolver, frozen. With `prefer`, a name without an address resolves to
 * `unknown("name resolution failed")`; another error of the lookup is thrown.
 * @throws {TypeError} If an argument is of the wrong type.
 * @throws {SyntaxError} If the suffix of a rewrite is not valid.
 * @throws {RangeError} If `prefer` is neither 4 nor 6.
 *
 * @example Usage
 * ```ts
 * import { formatEndpoint, systemResolver } from "@sluice/io/net/endpoint";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const resolver = systemResolver(memoryNet());
 * const endpoint = await resolver.resolve("https://Example.com/index.html");
 * assertEquals(formatEndpoint(endpoint), "tls:example.com/host:example.com:443");
 * ```
 */
export function systemResolver(net: Net, options?: SystemResolverOptions): Resolver {
  const { prefer, ...rest } = checkOptions(action, options);
  checkShape(action, "net", "a Net", net, prefer === undefined ? "connect" : "getAddrInfo");
  if (![undefined, 4, 6].includes(prefer)) throw new RangeError(mustBe(action, "prefer", "4 or 6", prefer));
  return resolverOf(rest, async ({ host, port }) => {
    const literal = literalOf(host);
    if (literal !== undefined) return tcp(literal, port);
    if (prefer === undefined) return hostAddress(host, port);
    try {
      const addresses = await interruptible(getAddrInfoStream(net, host));
      const { ip } = addresses.find(({ ip }) => ip.version === prefer) ?? addresses[0];
      return tcp(ip, port);
    } catch (error) {
      if (fieldOf(error, NetError, "code") !== "address_lookup_failed") throw error;
      return failed;
    }
  });
}

/**
 * Returns a resolver with a table of hosts. A host that is not in it is
 * `unknown("name resolution failed")`.
 *
 * @param table The endpoint of each host, or a function from the port to it. Hosts match whole, not
 * by suffix. It is copied.
 * @param options Services and rewrites.
 * @returns The resolver, frozen.
 * @throws {TypeError} If an argument, or what a function of the table returns, is of the wrong type.
 * @throws {SyntaxError} If a host, or the suffix of a rewrite, is not valid.
 *
 * @example Usage
 * ```ts
 * import { formatEndpoint, staticResolver } from "@sluice/io/net/endpoint";
 * import { tcp, unix } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const resolver = staticResolver({
 *   "web.test": (port) => tcp("192.0.2.7", port),
 *   "db.test": unix("/run/db.sock"),
 * });
 * assertEquals(formatEndpoint(await resolver.resolve("http://web.test:8080/")), "tcp:192.0.2.7:8080");
 * assertEquals(formatEndpoint(await resolver.resolve("redis://db.test")), "unix:/run/db.sock");
 * ```
 */
export function staticResolver(
  table: Readonly<Record<string, Endpoint | ((port: number) => Endpoint)>>,
  options?: ResolverOptions,
): Resolver {
  checkRecord(action, "table", table);
  const hosts = new Map<string, (typeof table)[string]>();
  for (const [host, entry] of Object.entries(table)) {
    hosts.set(normalizeHost(host), typeof entry === "function" ? entry : checkEndpoint(entry));
  }
  return resolverOf(checkOptions(action, options), ({ host, port }) => {
    const entry = hosts.get(host) ?? failed;
    return typeof entry === "function" ? entry(port) : entry;
  });
}

/**
 * Returns a resolver that knows one host: `localhost` is `127.0.0.1`. Every other one is
 * `unknown("name resolution failed")`.
 *
 * @param options Services and rewrites.
 * @returns The resolver, frozen.
 * @throws {TypeError} If an option is of the wrong type.
 * @throws {SyntaxError} If the suffix of a rewrite is not valid.
 *
 * @example Usage
 * ```ts
 * import { formatEndpoint, localhostResolver } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint = await localhostResolver().resolve("http://localhost:8080");
 * assertEquals(formatEndpoint(endpoint), "tcp:127.0.0.1:8080");
 * ```
 */
export function localhostResolver(options?: ResolverOptions): Resolver {
  return staticResolver({ localhost: (port) => tcp(IpAddress.loopback4, port) }, options);
}

/**
 * Returns a resolver that asks others, one after the other. The first result that is not unknown
 * counts; if all are unknown, the last one.
 *
 * @param resolvers The resolvers, at least one.
 * @returns The resolver, frozen.
 * @throws {TypeError} If one of them is not a resolver.
 * @throws {RangeError} If there is none.
 *
 * @example Usage
 * ```ts
 * import { firstOf, formatEndpoint, localhostResolver, staticResolver } from "@sluice/io/net/endpoint";
 * import { unix } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const resolver = firstOf(localhostResolver(), staticResolver({ "db.test": unix("/run/db.sock") }));
 * assertEquals(formatEndpoint(await resolver.resolve("redis://db.test")), "unix:/run/db.sock");
 * ```
 */
export function firstOf(...resolvers: Resolver[]): Resolver {
  if (resolvers.length === 0) throw new RangeError("Cannot combine resolvers: there must be at least one");
  for (const each of resolvers) checkShape("combine resolvers", "resolver", "a Resolver", each, "resolve");
  return resolverWith(async (url, options) => {
    let endpoint: Endpoint = failed;
    for (const each of resolvers) {
      endpoint = await endpointFrom(each.resolve(url, options));
      if (endpoint.transport !== "unknown") break;
    }
    return endpoint;
  });
}

/** Returns a resolver whose calls are operations. */
function resolverWith(resolve: Resolver["resolve"]): Resolver {
  const resolver: Resolver = { resolve: (url, options) => operation(() => resolve(url, options)) };
  return Object.freeze(resolver);
}

/** Waits for an endpoint that other code finds, and checks it. */
export async function endpointFrom(answer: Endpoint | PromiseLike<Endpoint>): Promise<Endpoint> {
  return checkEndpoint(await interruptible(Promise.resolve(answer)));
}

/** Returns a resolver that calls `find` for what no rewrite decides. */
function resolverOf({ services = standardServices, rewrites }: ResolverOptions, find: Rewrites[string]): Resolver {
  checkFunction(action, services);
  const own = checkRewrites(action, rewrites);
  return resolverWith(async (url, options) => {
    const called = checkRewrites("resolve a URL", checkOptions("resolve a URL", options).rewrites);
    const parts = splitUrl(url);
    await refused();
    if (parts === undefined) return unknown("no scheme");
    const found = services(parts.scheme);
    if (found === undefined) return unknown("no such service");
    const service = checkService("resolve a URL", found);
    const { host, port = service.port } = parseAuthority(parts.authority);
    const rewrite = findRewrite(host, new Map([...own, ...called])) ?? find;
    const endpoint = await endpointFrom(rewrite(Object.freeze({ host, service, port })));
    if (!service.tls || endpoint.transport === "unknown") return endpoint;
    return tls(host.replace(/%.*/, ""), endpoint); // no certificate has a zone
  });
}

/** Checked rewrites, by normalized suffix. */
type RewriteTable = ReadonlyMap<string, Rewrites[string]>;

/**
 * Checks and copies rewrites.
 *
 * @throws {TypeError} If `rewrites` is not an object of functions.
 * @throws {SyntaxError} If a suffix is not valid.
 */
function checkRewrites(action: string, rewrites: Rewrites = {}): RewriteTable {
  const entries = functionsOf(action, "rewrites", rewrites, "with a rewrite of");
  return new Map(entries.map(([suffix, rewrite]) => [normalizeSuffix(suffix), rewrite]));
}

function normalizeSuffix(suffix: string): string {
  if (suffix === "") return "";
  return suffix.startsWith(".") ? `.${normalizeHost(suffix.slice(1))}` : normalizeHost(suffix);
}

/** Finds the rewrite of a host with the longest suffix: at every boundary of labels. */
function findRewrite(host: string, rewrites: RewriteTable): Rewrites[string] | undefined {
  // No suffix is a part of an IP address: "0.0.1" is normalized to "0.0.0.1".
  let suffix = host;
  while (suffix !== "" && !rewrites.has(suffix)) suffix = suffix.replace(/^(?:\.|[^.]+)/, "");
  return rewrites.get(suffix);
}
