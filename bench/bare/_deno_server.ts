// Copyright 2026 the Sluice authors. MIT license.

/** A plain server of `Deno.listen`. Deno only. */
import { onStop, placeArgument, sayReady } from "./_command.ts";

/** What is used of Deno, for the compilers that do not know it. */
export interface Conn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
}
interface Listener extends AsyncIterable<Conn> {
  readonly addr: { readonly port?: number };
  close(): void;
}
interface UnixPlace {
  readonly transport: "unix";
  readonly path: string;
}
const { Deno } = globalThis as unknown as {
  Deno: { listen(options: { hostname: string; port: number; tcpBacklog: number } | UnixPlace): Listener };
};

/** Serves each connection by `handle`, and closes it then. A connection that breaks is dropped. */
export async function serveDeno(handle: (conn: Conn) => Promise<void>): Promise<void> {
  const place = placeArgument();
  const listener = Deno.listen(
    typeof place === "string"
      ? { transport: "unix", path: place }
      : { hostname: "127.0.0.1", port: place, tcpBacklog: 4096 },
  );
  const conns = new Set<Conn>();
  onStop(() => {
    listener.close();
    for (const conn of conns) conn.close();
  });
  const serve = async (conn: Conn) => {
    conns.add(conn);
    try {
      await handle(conn);
    } catch {
      // The connection broke, or was closed because of the signal.
    }
    if (conns.delete(conn)) close(conn);
  };
  sayReady(place, listener.addr.port ?? 0);
  for await (const conn of listener) serve(conn);
}

/** The plainest copy there is. */
export async function copyLoop(from: Conn, to: Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let size; (size = await from.read(buffer)) !== null;) {
    for (let done = 0; done < size;) done += await to.write(buffer.subarray(done, size));
  }
}

function close(conn: Conn): void {
  try {
    conn.close();
  } catch {
    // It was closed because of the signal.
  }
}
