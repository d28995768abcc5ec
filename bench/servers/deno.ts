// Copyright 2026 the Sluice authors. MIT license.

/**
 * `deno.ts NAME PLACE`: servers on `Deno.listen` alone, by promises. Deno only.
 */
import { onStop, runProgram, sayReady } from "./_command.ts";

/** What is used of Deno, for the compilers that do not know it. */
interface Conn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}
interface Listener extends AsyncIterable<Conn> {
  readonly addr: { readonly port?: number };
  close(): void;
}
type Place = { hostname: string; port: number; tcpBacklog: number } | { transport: "unix"; path: string };
const { Deno } = globalThis as unknown as { Deno: { listen(options: Place): Listener } };

runProgram({
  echo: (place) => serve(place, (conn) => copyLoop(conn, conn)),
  relay(place) {
    let waiting: { readonly conn: Conn; readonly relayed: PromiseWithResolvers<void> } | undefined;
    return serve(place, async (conn) => {
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
  },
});

/** Serves each connection by `handle`, and closes it then. A broken one is dropped. */
async function serve(place: number | string, handle: (conn: Conn) => Promise<void>): Promise<void> {
  const listener = Deno.listen(
    typeof place === "string"
      ? { transport: "unix", path: place }
      : { hostname: "127.0.0.1", port: place, tcpBacklog: 4096 },
  );
  const conns = new Set<Conn>();
  let stopped = false;
  onStop(() => {
    stopped = true;
    listener.close();
    for (const conn of conns) conn.close();
    conns.clear();
  });
  const serveOne = async (conn: Conn) => {
    if (stopped) return conn.close(); // accepted just before
    conns.add(conn);
    await handle(conn).catch(() => {}); // broken, or closed because of the signal
    if (conns.delete(conn)) conn.close();
  };
  sayReady(place, listener.addr.port);
  for await (const conn of listener) serveOne(conn);
}

async function pass(from: Conn, to: Conn): Promise<void> {
  await copyLoop(from, to);
  await to.closeWrite();
}

/** The plainest copy. */
async function copyLoop(from: Conn, to: Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let size; (size = await from.read(buffer)) !== null;) {
    for (let done = 0; done < size;) done += await to.write(buffer.subarray(done, size));
  }
}
