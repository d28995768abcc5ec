// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../base/internal.ts";
import { labelOf } from "../../flow/internal.ts";
import type { Closable, TwoWay } from "../../flow/mod.ts";
import type { Clock, Switch } from "../../switch/mod.ts";
import { closeWithin, linger, type Lingering } from "../internal.ts";
import { formatAddress, type StreamAddress, unix } from "../mod.ts";

/** The flow under a TLS connection; a foreign flow may be a mere {@linkcode TwoWay}. */
export interface WrappedFlow extends TwoWay, Partial<Closable>, Partial<Lingering> {
  abort?(reason?: unknown): void;
  readonly local?: unknown;
  readonly peer?: unknown;
}

/** The owner of a flow that is closed, and the clock for its timeout. */
export interface ClosingTerms {
  readonly owner: Switch;
  readonly clock: Clock;
}

/** The address of a flow without one. */
const unnamed: StreamAddress = unix("");

/** Throws unless `flow` is a {@linkcode TwoWay}. */
export function checkCarrier(flow: Partial<TwoWay> | null | undefined): void {
  const { read, write, shutdown } = flow ?? {};
  if ([read, write, shutdown].every((method) => typeof method === "function")) return;
  throw new TypeError(`Cannot start TLS over ${describe(flow)}: it must be a flow that goes both ways`);
}

/** Returns an address of the flow, or the unnamed one. */
export function addressOf(address: unknown): StreamAddress {
  try {
    const { transport } = address as StreamAddress;
    if (transport !== "tcp" && transport !== "unix") return unnamed;
    formatAddress(address as StreamAddress); // throws for an invalid foreign object
    return address as StreamAddress;
  } catch {
    return unnamed;
  }
}

/** Returns the peer for errors and dumps: its address, the flow's label, or "an unnamed flow". */
export function peerOf(peer: StreamAddress, flow: object): StreamAddress | string {
  return peer.transport === "unix" && peer.path === "" ? labelOf(flow) ?? "an unnamed flow" : peer;
}

/** Ends the sending direction. If a foreign flow cannot, the peer is awaited nevertheless. */
export async function endSending(flow: WrappedFlow): Promise<void> {
  try {
    await flow.shutdown("send");
  } catch {
    // The flow is broken, or the caller was cancelled: the direction has ended in any case.
  }
}

/** Closes a flow with nothing left to send, waiting at most `ms` milliseconds for the peer. */
export async function closeFlow(flow: WrappedFlow, ms: number, terms: ClosingTerms): Promise<void> {
  if (typeof flow[closeWithin] === "function") return await flow[closeWithin](ms);
  if (typeof flow.close === "function") return await flow.close();
  // The shutdown of a foreign flow may never settle.
  await linger(terms.owner, terms.clock, ms, flow.shutdown("all"));
}
