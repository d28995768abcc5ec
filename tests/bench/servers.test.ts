// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { datagramFlood, datagramRoundTrip } from "../../bench/load/_datagrams.ts";
import { httpPosts } from "../../bench/load/_http.ts";
import { Load } from "../../bench/load/_load.ts";
import { runChild } from "../_child.ts";
import { root, thisRuntime } from "../_runtimes.ts";
import { test } from "../_test.ts";

/** A server of `bench/`, as others start it. */
class Server {
  readonly #child: ChildProcessByStdio<null, Readable, null>;
  readonly #exit: Promise<unknown[]>;
  readonly #lines: AsyncIterator<string>;

  constructor(command: readonly string[], place: number | string) {
    const [program, ...args] = command;
    this.#child = spawn(program, [...args, String(place)], { stdio: ["ignore", "pipe", "inherit"] });
    this.#exit = once(this.#child, "exit");
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Reads the address and `ready`, and gives the port. */
  async port(): Promise<number> {
    const port = Number((await this.line()).split(":").at(-1));
    assertEquals(await this.line(), "ready");
    return port;
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

/** Calls `fn` with the server at `path` below `bench/`, which is killed afterwards, whatever happened. */
async function withServer(path: string, place: number | string, fn: (server: Server) => Promise<void>): Promise<void> {
  await withCommand(thisRuntime().runCommand(join(root, "bench", path)), place, fn);
}

async function withCommand(
  command: readonly string[],
  place: number | string,
  fn: (server: Server) => Promise<void>,
): Promise<void> {
  const server = new Server(command, place);
  try {
    await fn(server);
  } finally {
    server.kill();
  }
}

/** Calls `fn` with a folder, which is removed afterwards. */
async function withFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    await fn(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Sends `bytes` and the end of stream, and gives what comes back up to the end. */
async function echo(place: number | string, bytes: Uint8Array): Promise<Uint8Array> {
  const where = typeof place === "string" ? { path: place } : { host: "127.0.0.1", port: place };
  const socket = connect({ ...where, allowHalfOpen: true });
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

const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i * 31 >> 3);

/** The bare programs of each runtime's own API; Node has no other than `node:net` and `node:http`. */
const own: Readonly<Record<string, Readonly<Record<"echo" | "http", string>>>> = {
  deno: { echo: "bare/deno_echo.ts", http: "bare/deno_http.ts" },
  bun: { echo: "bare/bun_echo.ts", http: "bare/bun_http.ts" },
  node: { echo: "bare/node_echo.ts", http: "bare/node_http.ts" },
};
const { echo: ownEcho, http: ownHttp } = own[thisRuntime().name];

const echoes: Readonly<Record<string, string>> = {
  ...named("servers", ["echo", "copy", "copy_buffered", "idle_readable", "idle_reader"]),
  ...named("bare", ["node_echo", "node_pipe"]),
  "the echo on the runtime's own API": ownEcho,
};

for (const [name, path] of Object.entries(echoes)) {
  test(`${name} tells its address when it chose the port, and gives back what it gets`, async () => {
    await withServer(path, 0, async (server) => {
      const [, port] = /^tcp:127\.0\.0\.1:(\d+)$/.exec(await server.line()) ?? [];
      assertEquals(await server.line(), "ready");
      assertEquals(await echo(Number(port), bytes), bytes);
      assertEquals(await echo(Number(port), new Uint8Array(0)), new Uint8Array(0));
    });
  });

  test(`${name} ends at SIGTERM, though a client is idle`, async () => {
    await withServer(path, 0, async (server) => {
      const port = await server.port();
      const idle = connect({ host: "127.0.0.1", port });
      idle.on("error", () => {}); // a reset, when the grace period is over
      idle.write("x");
      await once(idle, "data"); // it is being served
      const gone = new Promise<void>((resolve) => idle.on("close", () => resolve()));
      assertEquals(await server.stop(), 0);
      await gone;
    });
  });

  test(`${name} serves at a Unix path`, async () => {
    await withFolder((folder) => {
      const place = join(folder, "socket");
      return withServer(path, place, async (server) => {
        assertEquals(await server.line(), "ready");
        assertEquals(await echo(place, bytes), bytes);
        assertEquals(await server.stop(), 0);
      });
    });
  });
}

test("bench/servers/echo.ts says only that it is ready when it was told the port", async () => {
  const port = await freePort();
  await withServer("servers/echo.ts", port, async (server) => {
    assertEquals(await server.line(), "ready");
    assertEquals(await echo(port, bytes), bytes);
  });
});

const compilers: Readonly<Record<string, readonly string[]>> = { c: ["gcc", "-o"], go: ["go", "build", "-o"] };

for (const [ending, compiler] of Object.entries(compilers)) {
  test(`bench/bare/echo.${ending} compiles, gives back what it gets, and ends at SIGTERM`, async () => {
    await withFolder(async (folder) => {
      const program = join(folder, "echo");
      const { code, output } = await runChild([...compiler, program, join(root, `bench/bare/echo.${ending}`)], {
        limit: 60_000,
      });
      assertEquals([code, output], [0, ""]);
      await withCommand([program], 0, async (server) => {
        const port = await server.port();
        assertEquals(await Promise.all([echo(port, bytes), echo(port, bytes)]), [bytes, bytes]);
        assertEquals(await server.stop(), 0);
      });
    });
  }, { peers: [compiler[0]], timeout: 90_000 });
}

const posts: Readonly<Record<string, string>> = {
  "bench/servers/http.ts": "servers/http.ts",
  "bench/bare/node_http.ts": "bare/node_http.ts",
  "the HTTP server on the runtime's own API": ownHttp,
};

for (const [name, path] of Object.entries(posts)) {
  test(`${name} answers one request after the other with its own body`, async () => {
    await withServer(path, 0, async (server) => {
      const load = new Load(await server.port());
      httpPosts(load, 3);
      while (load.done < 30) await Promise.race([setImmediate(), load.failed]);
      await load.stop();
      await server.stop();
    });
  });
}

for (const path of ["servers/datagram_echo.ts", "bare/node_datagram_echo.ts"]) {
  test(`bench/${path} gives back each datagram`, async () => {
    await withServer(path, 0, async (server) => {
      const load = new Load(await server.port());
      await datagramRoundTrip(load, 3, 64);
      while (load.done < 30) await Promise.race([setImmediate(), load.failed]);
      await load.stop();
      assertEquals(await server.stop(), 0);
    });
  });
}

for (const path of ["servers/datagram_count.ts", "bare/node_datagram_count.ts"]) {
  test(`bench/${path} tells how many datagrams came, at every 32nd`, async () => {
    await withServer(path, 0, async (server) => {
      const load = new Load(await server.port());
      await datagramFlood(load, 1, 64);
      while (load.done < 320) await Promise.race([setImmediate(), load.failed]);
      await load.stop();
      assertEquals(await server.stop(), 0);
    });
  });
}

test("bench/servers/relay.ts gives each of two connections what the other sends, and the end", async () => {
  await withServer("servers/relay.ts", 0, async (server) => {
    const port = await server.port();
    const [first, second] = [Uint8Array.of(1, 2, 3), new Uint8Array(300_000).fill(7)];
    assertEquals(await Promise.all([echo(port, first), echo(port, second)]), [second, first]);
    assertEquals(await server.stop(), 0);
  });
});

/** The paths below `bench/` of programs in `folder`, by how their tests call them. */
function named(folder: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`bench/${folder}/${name}.ts`, `${folder}/${name}.ts`]));
}
