// Copyright 2026 the Sluice authors. MIT license.

import { checkMilliseconds, checkOptions, checkShape, isInstance } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { checkIsSwitch, isCancelled, isSwitchCancelled, refusedFor, type Switch } from "../../switch/internal.ts";
import { allFailed, checkConnectable, checkStreamAddress, clockOfNet, connectWithin, whileOwned } from "../internal.ts";
import { type Connection, type Net, NetError, type StreamAddress } from "../mod.ts";
import { tlsClientWith } from "../tls/internal.ts";
import type { TlsClientOptions } from "../tls/mod.ts";
import { discard, untilOpened } from "../wrap/internal.ts";
import { connectOnce } from "./_attempt.ts";
import { functionsOf } from "./_functions.ts";
import { checkEndpoint, type CustomEndpoint, type Endpoint } from "./endpoint.ts";
import { describeEndpoint, unusable } from "./endpoint_text.ts";
import { endpointFrom, type Resolver } from "./resolver.ts";

/** The settings of TLS: those of `tlsClient` without what an endpoint itself says. */
export type TlsOptionsOf = Omit<TlsClientOptions, "serverName" | "protocols">;

/** Options for {@linkcode createConnector}. */
export interface ConnectorOptions {
  /** The network through which addresses and host names are reached. */
  net: Net;
  /**
   * The settings of TLS, for every server, or a function of the server's name. The clock is that of
   * the network if they have none.
   *
   * @default {those of tlsClient}
   */
  tls?: TlsOptionsOf | ((serverName: string) => TlsOptionsOf) | undefined;
  /**
   * The local address to connect from, for endpoints of its transport: a TCP address for TCP and
   * host names.
   *
   * @default {chosen by the system}
   */
  bindTo?: StreamAddress | undefined;
  /**
   * The timeout of a whole call, with all its attempts and handshakes, in milliseconds.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
  /**
   * Functions that open custom endpoints, by scheme.
   *
   * Such a function opens what it needs in the switch that it gets, which is not the caller's: if it
   * fails, everything in it is closed at once, and otherwise when the connection is closed. So fibers
   * in it must end with the connection; use `forkDaemon` for others. An error of a fiber aborts the
   * connection, and closing it throws the error. The function is cancelled with the attempt, which
   * then does not wait for it: a connection that it returns later is aborted.
   *
   * @default {{}}
   */
  connectors?: Readonly<Record<string, (sw: Switch, endpoint: CustomEndpoint) => Promise<Connection>>> | undefined;
}

/**
 * A connection to an endpoint.
 *
 * It lives until it is closed, or its switch ends. It has the fast paths and the socket options of
 * the connection under it, if any.
 *
 * @example The endpoint that answered
 * ```ts
 * import { createConnector, type EndpointConnection } from "@sluice/io/net/endpoint";
 * import { Switch, tcp } from "@sluice/io";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const net = memoryNet();
 * await Switch.run(async (sw) => {
 *   const { address } = await net.listen(sw, tcp("127.0.0.1", 7000));
 *   const connection: EndpointConnection = await createConnector({ net }).connect(sw, address);
 *   assertEquals(connection.endpoint, address);
 * });
 * ```
 */
export interface EndpointConnection extends Connection {
  /** The endpoint to which it is connected: of several, the one that was reached. */
  readonly endpoint: Endpoint;
  /** The protocol that the outermost TLS has negotiated (ALPN), if there is one. */
  readonly protocol: string | undefined;
}

/**
 * Connects to endpoints; {@linkcode createConnector} makes one.
 *
 * @example A function that needs no network of its own
 * ```ts
 * import { type Connector, createConnector, type Endpoint } from "@sluice/io/net/endpoint";
 * import { copyString, Switch, tcp } from "@sluice/io";
 * import { memoryNet } from "@sluice/io/net/testing";
 *
 * function greet(connector: Connector, endpoint: Endpoint): Promise<void> {
 *   return Switch.run(async (sw) => copyString("hello", await connector.connect(sw, endpoint)));
 * }
 *
 * const net = memoryNet();
 * await Switch.run(async (sw) => {
 *   const { address } = await net.listen(sw, tcp("127.0.0.1", 7000));
 *   await greet(createConnector({ net }), address);
 * });
 * ```
 */
export interface Connector {
  /**
   * Connects to an endpoint, or to the first of several that can be reached, which are tried in
   * order, one at a time. Nothing is left open by an attempt that fails.
   *
   * Cancelling abandons the attempt at once.
   *
   * @param sw The switch that owns the connection.
   * @param endpoint The endpoint, or several.
   * @returns The connection, after all TLS handshakes.
   * @throws {NetError} If the endpoint cannot be reached. If several fail, the code is that of the
   * last one, or `unknown` if that is another kind of error, and the cause is an `AggregateError` of
   * all. `connection_timeout` if the time is over, also with what has failed before;
   * `address_lookup_failed` for an unknown endpoint; `not_supported` for a custom one without a
   * connector.
   * @throws {TlsError} If a handshake fails.
   * @throws {TypeError} If `sw` is finished, or an argument, or a setting of TLS, is of the wrong
   * type; nothing is opened then. Or if a connector returns something else than a connection.
   * @throws {SyntaxError} If a name, or a certificate of the settings, is not valid.
   * @throws {RangeError} If the list is empty, a port is 0, or a setting of TLS is out of range.
   * @throws {Cancelled} If the current scope, or `sw`, is cancelled.
   * @throws {unknown} What a connector throws.
   */
  connect(sw: Switch, endpoint: Endpoint | readonly Endpoint[]): Promise<EndpointConnection>;
  /**
   * Resolves a URL, and connects to its endpoint. The timeout includes the resolution.
   *
   * @param sw The switch that owns the connection.
   * @param url The URL.
   * @param resolver Finds the endpoint.
   * @returns The connection.
   * @throws What {@linkcode Connector.connect} throws, and {@linkcode Resolver.resolve}.
   */
  connectUrl(sw: Switch, url: string | URL, resolver: Resolver): Promise<EndpointConnection>;
}

const action = "make a connector";

/**
 * Makes a connector: what turns endpoints into connections, with the authority of a network.
 *
 * Source: conduit's `connect`.
 *
 * @param options The network, the settings of TLS, a timeout, and functions for custom endpoints.
 * @returns The connector, frozen.
 * @throws {TypeError} If an option is of the wrong type, or a key does not belong to its
 * certificate.
 * @throws {SyntaxError} If a certificate, a key or an authority cannot be parsed.
 * @throws {RangeError} If a number of milliseconds is out of range.
 *
 * @example One program, any endpoint
 * ```ts
 * import { createConnector, parseEndpoint } from "@sluice/io/net/endpoint";
 * import { copyString, readAll, run, runServer, Switch, tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * await run(async ({ net, sw }) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *   sw.forkDaemon(() => runServer(listener, (c) => copyString("hello", c), { onError: console.error }));
 *
 *   const connector = createConnector({ net, timeout: 5_000 });
 *   await Switch.run(async (sw) => {
 *     const endpoint = parseEndpoint(`host:localhost:${listener.address.port}`); // or "tls:..."
 *     const connection = await connector.connect(sw, endpoint);
 *     assertEquals(new TextDecoder().decode(await readAll(connection)), "hello");
 *   });
 * });
 * ```
 */
export function createConnector(options: ConnectorOptions): Connector {
  const terms = checkTerms(options);
  const dialOf = (endpoint: Endpoint) => ({ endpoint, open: openerOf(terms, endpoint) });
  type Dials = readonly ReturnType<typeof dialOf>[];
  const connectInOrder = async (sw: Switch, target: string, find: () => Dials | Promise<Dials>) => {
    await refusedFor(sw, "connect");
    const failures: unknown[] = [];
    const attempt = () =>
      whileOwned(sw, "connect", { label: target }, async (hook) => {
        for (const { endpoint, open } of await find()) {
          try {
            return await connectOnce(sw, hook, endpoint, open);
          } catch (error) {
            if (isCancelled() || isSwitchCancelled(sw)) throw error;
            failures.push(error);
          }
        }
        throw failures[failures.length - 1];
      });
    try {
      return await connectWithin(terms.clock, terms.timeout, target, attempt);
    } catch (error) {
      if (isInstance(error, NetError) && !failures.includes(error)) failures.push(error); // the timeout
      if (failures.length === 1 || !failures.includes(error)) throw error;
      throw allFailed(target, failures, `All ${failures.length} attempts failed`);
    }
  };
  return Object.freeze({
    connect: (sw: Switch, endpoint: Endpoint | readonly Endpoint[]) =>
      operation(async () => {
        checkIsSwitch(sw, "connect");
        const list: readonly unknown[] = Array.isArray(endpoint) ? endpoint : [endpoint];
        const endpoints = Array.from(list, (each) => checkEndpoint(each));
        if (endpoints.length === 0) throw new RangeError("Cannot connect to any endpoint: the list is empty");
        const target = endpoints.length === 1 ? describeEndpoint(endpoints[0]) : `any of ${endpoints.length} endpoints`;
        const dials = endpoints.map(dialOf); // checks them before anything is opened
        return await connectInOrder(sw, target, () => dials);
      }),
    connectUrl: (sw: Switch, url: string | URL, resolver: Resolver) =>
      operation(async () => {
        checkIsSwitch(sw, "connect");
        checkShape("connect", "resolver", "a Resolver", resolver, "resolve");
        const find = async () => [dialOf(await endpointFrom(resolver.resolve(url)))];
        return await connectInOrder(sw, "the endpoint of a URL", find);
      }),
  });
}

/** Checks options, and reads each once. */
function checkTerms(options: ConnectorOptions) {
  const { net, tls, bindTo, timeout = Infinity, connectors = {} } = checkOptions<ConnectorOptions>(action, options);
  const clock = clockOfNet(action, net, "connect");
  checkMilliseconds(action, "timeout", timeout);
  return {
    net: net as Net,
    clock,
    timeout,
    tlsFor: checkTls(tls),
    bindTo: bindTo === undefined ? undefined : checkStreamAddress(bindTo),
    connectors: new Map(functionsOf(action, "connectors", connectors, "for the scheme")),
  };
}

type Terms = ReturnType<typeof checkTerms>;

function checkTls(tls: ConnectorOptions["tls"]): (serverName: string) => Partial<TlsClientOptions> {
  if (typeof tls === "function") return (name) => checkOptions("start TLS", tls(name));
  const options = Object.freeze({ ...checkOptions(action, tls) });
  tlsClientWith({ ...options, serverName: "localhost", protocols: undefined }); // checks the rest
  return () => options;
}

/**
 * Checks that an endpoint can be opened, and returns what opens it. What is opened belongs to `own`,
 * also on failure.
 */
function openerOf(terms: Terms, endpoint: Endpoint): (own: Switch) => Promise<Connection> {
  switch (endpoint.transport) {
    case "tls": {
      const { serverName, protocols, over } = endpoint;
      const { clock = terms.clock, ...options } = terms.tlsFor(serverName);
      const start = tlsClientWith({ ...options, clock, serverName, protocols });
      const openInner = openerOf(terms, over);
      return async (own) => await start(own, await openInner(own));
    }
    case "unknown":
      return () => Promise.reject(unusable("connect", endpoint, endpoint.reason));
    case "custom": {
      const { scheme } = endpoint;
      const remedy = `there is no connector for the scheme "${scheme}"`;
      const connect = terms.connectors.get(scheme) ?? (() => Promise.reject(unusable("connect", endpoint, remedy)));
      return async (own) => {
        const connection = await taken(connect(own, endpoint), `what the connector of "${scheme}" returns`);
        own.onRelease(() => isSwitchCancelled(own) ? discard(connection) : connection.close()); // it may have no owner
        return connection;
      };
    }
    default: {
      checkConnectable(endpoint);
      const { net, bindTo } = terms;
      const fits = bindTo !== undefined && (bindTo.transport === "unix") === (endpoint.transport === "unix");
      const options = fits ? { bindTo } : undefined;
      return async (own) => await taken(net.connect(own, endpoint, options), "what net.connect returns");
    }
  }
}

/** Waits for a connection that other code opens, and checks it. */
function taken(opening: Promise<Connection>, name: string): Promise<Connection> {
  const methods = ["read", "write", "shutdown", "close"];
  return untilOpened(Promise.resolve(opening), (it) => checkShape("connect", name, "a Connection", it, ...methods));
}
