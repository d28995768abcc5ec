// Copyright 2026 the Sluice authors. MIT license.

/** The messages between the main thread and a worker. Addresses are text, as their class cannot be cloned. */
import { formatAddress, parseAddress, type StreamAddress } from "../mod.ts";
import type { MonitoredConnection } from "../serve/internal.ts";
import type { SentError } from "./_errors.ts";

/** What the main thread tells a worker. */
export type Command =
  | { readonly type: "stop" }
  | { readonly type: "cancel" }
  | { readonly type: "granted" }
  | { readonly type: "reported"; readonly id: number };

/** What a worker tells the main thread. */
export type Notice =
  | { readonly type: "listening"; readonly address: string }
  | { readonly type: "wanted" }
  | { readonly type: "freed" }
  | {
    readonly type: "error";
    readonly id: number;
    readonly error: SentError;
    readonly peer: string;
    readonly local: string;
  }
  | { readonly type: "connections"; readonly list: readonly SentConnection[] }
  | { readonly type: "stopping" }
  | {
    readonly type: "ended";
    readonly drained: number;
    readonly forced: number;
    readonly error: SentError | undefined;
  };

/** A connection of a worker's monitor. */
export type SentConnection =
  & Omit<MonitoredConnection, "peer" | "local">
  & { readonly peer: string; readonly local: string };

/** Makes a connection fit to be sent. */
export function sendableConnection(connection: MonitoredConnection): SentConnection {
  return { ...connection, peer: formatAddress(connection.peer), local: formatAddress(connection.local) };
}

/** The address of a connection, from text that {@linkcode formatAddress} has made. */
export function addressFrom(text: string): StreamAddress {
  return parseAddress(text) as StreamAddress;
}
