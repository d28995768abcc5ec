// Copyright 2026 the Sluice authors. MIT license.

/** As much as goes through, there and back, on 4 connections: what a megabyte costs, and how much memory the server holds. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "bulk echo, 4 connections",
  control: true,
  turns: { "bulk echo, 4 connections": { shape: "bulk", connections: 4 } },
  unit: "ms/MB",
  scale: 1, // ns per byte is ms per MB
  ours: [
    { api: "copy(flow, flow)", path: "servers/copy.ts", goal: 1.05, memory: 1.2 },
    { api: "read/write loop", path: "servers/echo.ts", goal: 1.5 },
  ],
  bare: [
    { api: "node:net pipe", path: "bare/node_pipe.ts" },
    { api: "Deno.listen", path: "bare/deno_echo.ts", runtime: "deno" },
    { api: "Bun.listen", path: "bare/bun_echo.ts", runtime: "bun" },
    { api: "Go", path: "bare/echo.go", runtime: "native" },
    { api: "C, epoll", path: "bare/echo.c", runtime: "native" },
  ],
});
