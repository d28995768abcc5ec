// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../base/internal.ts";
import { labelOf } from "../../flow/internal.ts";
import type { Closable, TwoWay } from "../../flow/mod.ts";
import type { Clock, Switch } from "../../switch/mod.ts";
import { closeWithin, linger, type Lingering } from "../internal.ts";
import { formatAddress, type StreamAddress, unix } from "../mod.ts";

/** The flow under a TLS connection: only the first three methods are sure to be there. */
export interface WrappedFlow extends TwoWay, Partial<Closable>, Partial<Lingering> {
  abort?(reason?: unknown): void;
  readonly local?: unknown;
  readonly peer?: unknown;
}

/** Whose flow is closed, and by which clock. */
export interface ClosingTerms {
  readonly owner: Switch;
  readonly clock: Clock;
}

/** The address of a flow that has none. */
const unnamed: StreamAddress = unix("");

/** Throws unless `flow` goes both ways. */
export function checkFlow(flow: Partial<TwoWay> | null | undefined): void {
  const { read, write, shutdown } = flow ?? {};
  if ([read, write, shutdown].every((method) => typeof method === "function")) return;
  throw new TypeError(`Cannot start TLS over ${describe(flow)}: it must be a flow that goes both ways`);
}

/** An address of the flow, or the unnamed one where it has none. */
export function addressOf(address: unknown): StreamAddress {
  try {
    const { transport } = address as StreamAddress;
    if (transport !== "tcp" && transport !== "unix") return unnamed;
    formatAddress(address as StreamAddress); // a foreign object may be anything
    return address as StreamAddress;
  } catch {
    return unnamed;
  }
}

/** What errors and dumps call the peer: its address, or the name of the flow, or that it has neither. */
export function peerOf(peer: StreamAddress, flow: object): StreamAddress | string {
  return peer.transport === "unix" && peer.path === "" ? labelOf(flow) ?? "an unnamed flow" : peer;
}

/** Ends the sending direction. That a foreign flow cannot do that is no reason not to wait for the peer. */
export async function endSending(flow: WrappedFlow): Promise<void> {
  try {
    await flow.shutdown("send");
  } catch {
    // The flow is broken, or the caller was cancelled: the direction has ended all the same.
  }
}

/** Closes a flow that has nothing left to send, with `ms` milliseconds left to wait for the peer. */
export async function closeFlow(flow: WrappedFlow, ms: number, terms: ClosingTerms): Promise<void> {
  if (typeof flow[closeWithin] === "function") return await flow[closeWithin](ms);
  if (typeof flow.close === "function") return await flow.close();
  await linger(terms.owner, terms.clock, ms, flow.shutdown("all")); // of a foreign flow, which may never be done
}
