// Copyright 2026 the Sluice authors. MIT license.

/** A message of 64 bytes there and back, on 50 connections: what a read and a write cost. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "64-byte round trip, 50 connections",
  control: true,
  turns: { "64-byte round trip, 50 connections": { shape: "roundTrip", connections: 50 } },
  unit: "µs",
  scale: 1e-3,
  ours: [{ api: "read/write loop", path: "servers/echo.ts", goal: 1.05, limits: { bun: { Go: 1 } } }],
  bare: [
    { api: "node:net", path: "bare/node_echo.ts" },
    { api: "Deno.listen", path: "bare/deno_echo.ts", runtime: "deno" },
    { api: "Bun.listen", path: "bare/bun_echo.ts", runtime: "bun" },
    { api: "Go", path: "bare/echo.go", runtime: "native" },
    { api: "C, epoll", path: "bare/echo.c", runtime: "native" },
  ],
});
