// Copyright 2026 the Sluice authors. MIT license.

/** `relay.ts PORT`: joins connections in pairs, as they come, and gives each what the other sends, by {@linkcode proxy}. */
import { interruptible, proxy, type StreamSocket } from "../../mod.ts";
import { serveCommand } from "./_serve.ts";

/** A connection that has no partner yet. */
interface Waiting {
  readonly flow: StreamSocket;
  /** Settles when its pair has ended. */
  readonly relayed: PromiseWithResolvers<void>;
}

let waiting: Waiting | undefined;

await serveCommand(async (flow) => {
  const partner = waiting;
  if (partner === undefined) return await waitForPartner(flow);
  waiting = undefined;
  try {
    await proxy(partner.flow, flow);
  } finally {
    partner.relayed.resolve();
  }
});

async function waitForPartner(flow: StreamSocket): Promise<void> {
  const relayed = Promise.withResolvers<void>();
  const own = waiting = { flow, relayed };
  try {
    await interruptible(relayed.promise);
  } finally {
    if (waiting === own) waiting = undefined;
  }
}
