// Copyright 2026 the Sluice authors. MIT license.

/** `deno_echo.ts PORT`: an echo on bare `Deno.listen`, by a loop of reads and writes. Deno only. */
import { onStop, portArgument, sayReady } from "./_command.ts";

/** What is used of Deno, for the compilers that do not know it. */
interface Conn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}
interface Listener extends AsyncIterable<Conn> {
  readonly addr: { readonly port: number };
  close(): void;
}
const { Deno } = globalThis as unknown as {
  Deno: { listen(options: { hostname: string; port: number; tcpBacklog: number }): Listener };
};

const port = portArgument();
const listener = Deno.listen({ hostname: "127.0.0.1", port, tcpBacklog: 4096 });
const conns = new Set<Conn>();
onStop(() => {
  listener.close();
  for (const conn of conns) conn.close();
});
sayReady(port, listener.addr.port);
for await (const conn of listener) serve(conn);

async function serve(conn: Conn): Promise<void> {
  conns.add(conn);
  try {
    await echo(conn);
  } catch {
    // The connection broke, or was closed because of the signal.
  }
  if (conns.delete(conn)) close(conn);
}

async function echo(conn: Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let size; (size = await conn.read(buffer)) !== null;) {
    for (let done = 0; done < size;) done += await conn.write(buffer.subarray(done, size));
  }
}

function close(conn: Conn): void {
  try {
    conn.close();
  } catch {
    // It was closed because of the signal.
  }
}
