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

/** A flow of a user, which may have only some methods. */
type AnyFlow = Partial<Connection>;

/** Closes a flow, or resets it. Errors are ignored: the connection has ended. */
export async function release({ source, sink }: Ends, graceful: boolean): Promise<void> {
  await Promise.all([...new Set<AnyFlow | undefined>([sink, source])].map(async (flow) => {
    try {
      if (!graceful && typeof flow?.abort === "function") flow.abort();
      else if (typeof flow?.close === "function") await flow.close();
      else await flow?.shutdown?.("all");
    } catch {
      // As described above.
    }
  }));
}

/** Ends the direction of this side, if the flow has a method for that. */
export async function halfClose(sink: AnyFlow | undefined): Promise<void> {
  if (typeof sink?.shutdown === "function") await interruptible(Promise.resolve(sink.shutdown("send")));
}

/** Returns the ends of a flow with two directions. */
export function endsOf(flow: TwoWay): Ends {
  checkShape("manage a connection", "what open returns", "a TwoWay", flow, "read", "write", "shutdown");
  let peer: StreamAddress | undefined;
  try {
    peer = checkStreamAddress((flow as AnyFlow).peer);
  } catch {
    // A flow of a user may have none, or a `peer` of its own.
  }
  return { source: flow, sink: flow, peer };
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
