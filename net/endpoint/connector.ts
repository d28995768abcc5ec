// Copyright 2026 the Sluice authors. MIT license.

import {
  checkClock,
  checkFunction,
  checkMilliseconds,
  checkOptions,
  checkRecord,
  checkShape,
  describe,
  isInstance,
} from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import {
  asOperation,
  Cancelled,
  checkIsSwitch,
  hasEnded,
  interruptible,
  isCancelled,
  refusedFor,
  type Switch,
} from "../../switch/internal.ts";
import { checkStreamAddress, connectWithin, NetError } from "../internal.ts";
import type { Connection, Net, StreamAddress } from "../mod.ts";
import { tlsClientWith } from "../tls/internal.ts";
import type { TlsClientOptions } from "../tls/mod.ts";
import { connectOnce } from "./_attempt.ts";
import { type Dial, dialOf, type DialTerms } from "./_dial.ts";
import { checkEndpoint, type CustomEndpoint, type Endpoint } from "./endpoint.ts";
import type { EndpointConnection } from "./endpoint_connection.ts";
import { describeEndpoint } from "./endpoint_text.ts";
import { checkResolver, type Resolver } from "./resolver.ts";

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
  const { net, tls, bindTo, timeout = Infinity, connectors } = checkOptions<ConnectorOptions>(action, options);
  checkShape(action, "net", "a Net", net, "connect");
  const { clock } = net as Net;
  checkClock(action, clock);
  checkMilliseconds(action, "timeout", timeout);
  const terms: DialTerms = {
    net: net as Net,
    tlsFor: checkTls(tls),
    bindTo: bindTo === undefined ? undefined : checkStreamAddress(bindTo),
    connectors: checkConnectors(connectors),
  };
  /** Opens the first of the endpoints of `dials` that can be reached. */
  const open = async (sw: Switch, target: string, dials: () => readonly Dial[] | Promise<readonly Dial[]>) => {
    const refusal = refusedFor(sw, "connect");
    if (refusal !== undefined) return await refusal;
    const failures: unknown[] = [];
    const inOrder = async () => {
      for (const dial of await dials()) {
        try {
          return await connectOnce(sw, dial);
        } catch (error) {
          if (isCancelled() || hasEnded(sw) || isInstance(error, Cancelled)) throw error;
          failures.push(error);
        }
      }
    };
    try {
      const connection = await asOperation("connect", () => connectWithin(clock, timeout, target, inOrder));
      if (connection !== undefined) return connection;
    } catch (error) {
      if (failures.length === 0 || !isInstance(error, NetError)) throw error;
      failures.push(error); // the timeout
    }
    throw failures.length === 1 ? failures[0] : combine(target, failures);
  };
  const connect = async (sw: Switch, endpoint: Endpoint | readonly Endpoint[]) => {
    checkIsSwitch(sw, "connect");
    const endpoints = Array.from(isList(endpoint) ? endpoint : [endpoint], (each) => checkEndpoint(each));
    if (endpoints.length === 0) throw new RangeError("Cannot connect to any endpoint: the list is empty");
    const dials = endpoints.map((endpoint) => dialOf(terms, endpoint)); // checks them before anything is opened
    const target = endpoints.length === 1 ? describeEndpoint(endpoints[0]) : `any of ${endpoints.length} endpoints`;
    return await open(sw, target, () => dials);
  };
  const connectUrl = async (sw: Switch, url: string | URL, resolver: Resolver) => {
    checkIsSwitch(sw, "connect");
    checkResolver("connect", resolver);
    return await open(sw, "the endpoint of a URL", async () => {
      const endpoint = await interruptible(Promise.resolve(resolver.resolve(url)));
      return [dialOf(terms, checkEndpoint(endpoint))];
    });
  };
  return Object.freeze({
    connect: (sw: Switch, endpoint: Endpoint | readonly Endpoint[]) => operation(() => connect(sw, endpoint)),
    connectUrl: (sw: Switch, url: string | URL, resolver: Resolver) => operation(() => connectUrl(sw, url, resolver)),
  });
}

function isList(value: Endpoint | readonly Endpoint[]): value is readonly Endpoint[] {
  return Array.isArray(value);
}

/** Returns the error of several failures: it has the code of the last one. */
function combine(target: string, failures: readonly unknown[]): NetError {
  const last = failures[failures.length - 1];
  const terms = {
    operation: "connect",
    address: target,
    cause: new AggregateError(failures, `All ${failures.length} attempts failed`),
  };
  if (isInstance(last, NetError)) return new NetError(last.code, { ...terms, remedy: last.remedy });
  const remedy = isInstance(last, Error) ? last.message.replace(/^Cannot/, "cannot") : undefined;
  return new NetError("unknown", { ...terms, remedy });
}

function checkTls(tls: ConnectorOptions["tls"]): DialTerms["tlsFor"] {
  if (typeof tls === "function") return (name) => checkOptions("start TLS", tls(name));
  const options = Object.freeze({ ...checkOptions(action, tls) });
  tlsClientWith({ ...options, serverName: "localhost", protocols: undefined }); // checks the rest
  return () => options;
}

function checkConnectors(connectors: ConnectorOptions["connectors"]): DialTerms["connectors"] {
  if (connectors === undefined) return new Map();
  checkRecord(action, "connectors", connectors);
  const entries = Object.entries(connectors);
  for (const [scheme, connect] of entries) checkFunction(`${action} for the scheme ${describe(scheme)}`, connect);
  return new Map(entries);
}
