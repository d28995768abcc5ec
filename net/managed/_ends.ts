// Copyright 2026 the Sluice authors. MIT license.

import { checkShape, isInstance } from "../../base/internal.ts";
import { checkSink, checkSource, ignore, type Sink, type Source, type TwoWay } from "../../flow/internal.ts";
import { BrokenPipeError } from "../../flow/mod.ts";
import { interruptible } from "../../switch/internal.ts";
import { checkStreamAddress, type Connection, netErrorFrom, type StreamAddress } from "../internal.ts";

/** The flow of a connection: one object, or one for each direction. */
export interface Ends {
  readonly source: Source | undefined;
  readonly sink: Sink | undefined;
  readonly peer: StreamAddress | undefined;
}

/** A flow of the user, whose methods for closing are optional. */
type AnyFlow = Partial<Pick<Connection, "abort" | "close" | "shutdown">>;

/** Closes a flow, or resets it. Errors are ignored: the connection has ended. */
export async function release({ source, sink }: Ends, graceful: boolean): Promise<void> {
  await Promise.all([...new Set([sink, source])].map(async (end) => {
    const flow = end as AnyFlow | undefined;
    try {
      if (!graceful && typeof flow?.abort === "function") flow.abort();
      else if (typeof flow?.close === "function") await flow.close();
      else await flow?.shutdown?.("all");
    } catch {
      // As described above.
    }
  }));
}

/** Returns the ends of a flow with two directions. */
export function endsOf(flow: TwoWay): Ends {
  checkShape("manage a connection", "what open returns", "a TwoWay", flow, "read", "write", "shutdown");
  return { source: flow, sink: flow, peer: peerOf(flow) };
}

/** Returns the address of a flow's peer. A flow of a user may have none, or a `peer` of its own. */
function peerOf(flow: Partial<Connection>): StreamAddress | undefined {
  try {
    return checkStreamAddress(flow.peer);
  } catch {
    return undefined;
  }
}

/** Checks ends that a user has passed, and reads each once. */
export function checkEnds(action: string, ends: Partial<Ends>): Ends {
  checkShape(action, "ends", "an object with a source or a sink", ends);
  const { source, sink, peer } = ends;
  if (source === undefined && sink === undefined) {
    throw new TypeError(`Cannot ${action} without a source and a sink: at least one must be given`);
  }
  if (source !== undefined) checkSource(action, source);
  if (sink !== undefined) checkSink(action, sink);
  return { source, sink, peer: peer === undefined ? undefined : checkStreamAddress(peer) };
}

/** Waits for the flow, unless it is cancelled. A late one is reset. */
export async function untilCancelled(opening: Promise<Ends>): Promise<Ends> {
  try {
    return await interruptible(opening);
  } catch (error) {
    opening.then((late) => release(late, false)).catch(ignore);
    throw error;
  }
}

/** Reports whether the peer, or the network, has broken the connection. */
export function isBroken(error: unknown): boolean {
  return isInstance(error, BrokenPipeError) ||
    netErrorFrom(error, { operation: "receive" }).code === "connection_reset";
}
