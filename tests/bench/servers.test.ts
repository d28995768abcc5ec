// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { datagramFlood, datagramRoundTrip } from "../../bench/load/_datagrams.ts";
import { httpPosts } from "../../bench/load/_http.ts";
import { Load } from "../../bench/load/_load.ts";
import { runChild } from "../_child.ts";
import { root, thisRuntime } from "../_runtimes.ts";
import { test } from "../_test.ts";
import { withCommand, withFolder, withServer } from "./_server.ts";
import { ownPort } from "../net/_helpers.ts";

/** Sends `bytes` and the end of stream, and gives what comes back up to the end. */
async function echo(place: number | string, bytes: Uint8Array): Promise<Uint8Array> {
  const where = typeof place === "string" ? { path: place } : { host: "127.0.0.1", port: place };
  const socket = connect({ ...where, allowHalfOpen: true });
  socket.end(bytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i * 31 >> 3);

/** The bare programs of each runtime's own API; Node has no other than `node:net` and `node:http`. */
const own: Readonly<Record<string, Readonly<Record<"echo" | "promises" | "http", string>>>> = {
  deno: { echo: "bare/deno_echo.ts", promises: "bare/deno_echo.ts", http: "bare/deno_http.ts" },
  bun: { echo: "bare/bun_echo.ts", promises: "bare/bun_promises.ts", http: "bare/bun_http.ts" },
  node: { echo: "bare/node_echo.ts", promises: "bare/node_promises.ts", http: "bare/node_http.ts" },
};
const { echo: ownEcho, promises: ownPromises, http: ownHttp } = own[thisRuntime().name];

const echoes: Readonly<Record<string, string>> = {
  ...named("servers", ["echo", "copy", "copy_buffered", "idle_readable", "idle_reader"]),
  ...named("bare", ["node_echo", "node_pipe", "node_promises"]),
  "the echo on the runtime's own API": ownEcho,
  "the echo by promises on the runtime's own API": ownPromises,
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
  const port = ownPort();
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
        limit: 250_000,
      });
      assertEquals([code, output], [0, ""]);
      await withCommand([program], 0, async (server) => {
        const port = await server.port();
        assertEquals(await Promise.all([echo(port, bytes), echo(port, bytes)]), [bytes, bytes]);
        assertEquals(await server.stop(), 0);
      });
    });
  }, { peers: [compiler[0]], timeout: 300_000 });
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
