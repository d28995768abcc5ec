// Copyright 2026 the Sluice authors. MIT license.

/** `deno_relay.ts PORT`: joins connections in pairs, on bare `Deno.listen`, by a loop of reads and writes for each direction. Deno only. */
import { type Conn, copyLoop, serveDeno } from "./_deno_server.ts";

let waiting: { readonly conn: Conn; readonly relayed: PromiseWithResolvers<void> } | undefined;

await serveDeno(async (conn) => {
  const partner = waiting;
  if (partner === undefined) {
    const relayed = Promise.withResolvers<void>();
    waiting = { conn, relayed };
    return await relayed.promise;
  }
  waiting = undefined;
  try {
    await Promise.all([pass(partner.conn, conn), pass(conn, partner.conn)]);
  } finally {
    partner.relayed.resolve();
  }
});

async function pass(from: Conn, to: Conn): Promise<void> {
  await copyLoop(from, to);
  await to.closeWrite();
}
