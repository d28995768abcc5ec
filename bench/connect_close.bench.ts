// Copyright 2026 the Sluice authors. MIT license.

/** Connect, one echo of 64 bytes, half-close, close: what a connection costs a server. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "connect, one echo, close",
  turns: { "connect, one echo, close": { shape: "connectClose", connections: 16 } },
  unit: "µs",
  scale: 1e-3,
  ours: [{ api: "runServer, copy", path: "servers/copy.ts", goal: 1.15 }],
  bare: [
    { api: "node:net", path: "bare/node_echo.ts" },
    { api: "Deno.listen", path: "bare/deno_echo.ts", runtime: "deno" },
    { api: "Bun.listen", path: "bare/bun_echo.ts", runtime: "bun" },
    { api: "Go", path: "bare/echo.go", runtime: "native" },
    { api: "C, epoll", path: "bare/echo.c", runtime: "native" },
  ],
});
