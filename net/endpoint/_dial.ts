// Copyright 2026 the Sluice authors. MIT license.

import { checkShape } from "../../base/internal.ts";
import { ignore } from "../../flow/internal.ts";
import { interruptible, isSwitchCancelled, type Switch } from "../../switch/internal.ts";
import { checkConnectable, type Connection, NetError, type StreamAddress } from "../internal.ts";
import type { Net } from "../mod.ts";
import { tlsClientWith } from "../tls/internal.ts";
import type { TlsClientOptions } from "../tls/mod.ts";
import { discard } from "../wrap/internal.ts";
import type { CustomEndpoint, Endpoint } from "./endpoint.ts";

/** How to open an endpoint, all checked before anything is opened. */
export interface Dial {
  readonly endpoint: Endpoint;
  /** Opens it. What is opened belongs to `own`, also on failure. */
  open(own: Switch): Promise<Connection>;
}

/** The checked options of a connector. */
export interface DialTerms {
  readonly net: Net;
  /** Returns the options of TLS with a server. */
  readonly tlsFor: (serverName: string) => Partial<TlsClientOptions>;
  readonly bindTo: StreamAddress | undefined;
  readonly connectors: ReadonlyMap<string, (sw: Switch, endpoint: CustomEndpoint) => Promise<Connection>>;
}

/** Returns how to open a checked endpoint. */
export function dialOf(terms: DialTerms, endpoint: Endpoint): Dial {
  return { endpoint, open: openerOf(terms, endpoint) };
}

function openerOf(terms: DialTerms, endpoint: Endpoint): Dial["open"] {
  switch (endpoint.transport) {
    case "tls": {
      const { serverName, protocols, over } = endpoint;
      const { clock = terms.net.clock, ...options } = terms.tlsFor(serverName);
      const start = tlsClientWith({ ...options, clock, serverName, protocols });
      const openInner = openerOf(terms, over);
      return async (own) => await start(own, await openInner(own));
    }
    case "unknown": {
      const { reason } = endpoint;
      return () => Promise.reject(failure("address_lookup_failed", "an unknown endpoint", reason));
    }
    case "custom":
      return customOpener(terms, endpoint);
    default: {
      checkConnectable(endpoint);
      const { net, bindTo } = terms;
      const fits = (bindTo?.transport === "unix") === (endpoint.transport === "unix");
      const options = bindTo !== undefined && fits ? { bindTo } : undefined;
      return (own) => takeFrom(() => net.connect(own, endpoint, options), "what net.connect returns");
    }
  }
}

function customOpener({ connectors }: DialTerms, endpoint: CustomEndpoint): Dial["open"] {
  const { scheme } = endpoint;
  const connect = connectors.get(scheme);
  if (connect === undefined) {
    const remedy = `there is no connector for the scheme "${scheme}"`;
    return () => Promise.reject(failure("not_supported", `custom:${scheme}`, remedy));
  }
  return async (own) => {
    const connection = await takeFrom(() => connect(own, endpoint), `what the connector of "${scheme}" returns`);
    const close = () => isSwitchCancelled(own) ? discard(connection) : connection.close();
    own.onRelease(close); // it may have no owner
    return connection;
  };
}

function failure(code: "address_lookup_failed" | "not_supported", address: string, remedy: string): NetError {
  return new NetError(code, { operation: "connect", address, remedy });
}

/**
 * Waits for a connection that other code opens, which may ignore a cancellation: then a late
 * connection is discarded.
 */
async function takeFrom(open: () => Promise<Connection>, name: string): Promise<Connection> {
  const opening = Promise.resolve(open());
  try {
    const connection = await interruptible(opening);
    checkShape("connect", name, "a Connection", connection, "read", "write", "shutdown", "close");
    return connection;
  } catch (error) {
    opening.then(discard).catch(ignore);
    throw error;
  }
}
