// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { root, thisRuntime } from "../_runtimes.ts";
import { test } from "../_test.ts";

/** A server of `bench/servers/`, as others start it. */
class Server {
  readonly #child: ChildProcessByStdio<null, Readable, null>;
  readonly #exit: Promise<unknown[]>;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, port: number) {
    const [program, ...args] = thisRuntime().runCommand(join(root, "bench/servers", `${name}.ts`));
    this.#child = spawn(program, [...args, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
    this.#exit = once(this.#child, "exit");
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { value } = await this.#lines.next();
    return value;
  }

  /** Sends SIGTERM, and gives the exit code. */
  async stop(): Promise<unknown> {
    // Not by the child's own method: after it Deno reports any end as the work of the signal.
    process.kill(this.#child.pid as number, "SIGTERM");
    const [code] = await this.#exit;
    return code;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Calls `fn` with a server that is killed afterwards, whatever happened. */
async function withServer(name: string, port: number, fn: (server: Server) => Promise<void>): Promise<void> {
  const server = new Server(name, port);
  try {
    await fn(server);
  } finally {
    server.kill();
  }
}

/** Sends `bytes` and the end of stream, and gives what comes back up to the end. */
async function echo(port: number, bytes: Uint8Array): Promise<Uint8Array> {
  const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  socket.end(bytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

for (const name of ["echo", "copy"]) {
  test(`bench/servers/${name}.ts says only that it is ready, and gives back what it gets`, async () => {
    const port = await freePort();
    await withServer(name, port, async (server) => {
      assertEquals(await server.line(), "ready");
      const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i * 31 >> 3);
      assertEquals(await echo(port, bytes), bytes);
    });
  });

  test(`bench/servers/${name}.ts tells its address when it chose the port`, async () => {
    await withServer(name, 0, async (server) => {
      const [, port] = /^tcp:127\.0\.0\.1:(\d+)$/.exec(await server.line()) ?? [];
      assertEquals(await server.line(), "ready");
      assertEquals(await echo(Number(port), Uint8Array.of(1, 2, 3)), Uint8Array.of(1, 2, 3));
    });
  });

  test(`bench/servers/${name}.ts ends at SIGTERM, though a client is idle`, async () => {
    await withServer(name, 0, async (server) => {
      const port = Number((await server.line()).split(":").at(-1));
      await server.line();
      const idle = connect({ host: "127.0.0.1", port });
      idle.on("error", () => {}); // a reset, when the grace period is over
      idle.write("x");
      await once(idle, "data"); // it is being served
      const gone = new Promise<void>((resolve) => idle.on("close", () => resolve()));
      assertEquals(await server.stop(), 0);
      await gone;
    });
  });
}

test("bench/servers/relay.ts gives each of two connections what the other sends, and the end", async () => {
  await withServer("relay", 0, async (server) => {
    const port = Number((await server.line()).split(":").at(-1));
    await server.line();
    const [first, second] = [Uint8Array.of(1, 2, 3), new Uint8Array(300_000).fill(7)];
    assertEquals(await Promise.all([echo(port, first), echo(port, second)]), [second, first]);
    assertEquals(await server.stop(), 0);
  });
});
