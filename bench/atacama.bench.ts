// Copyright 2026 the Sluice authors. MIT license.

/** The shape of atacama's table: a message of 11 bytes there and back, on 1, 100 and 500 connections. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "11-byte round trip",
  light: true,
  turns: {
    "11-byte round trip, 1 connection": { shape: "roundTrip", connections: 1, size: 11 },
    "11-byte round trip, 100 connections": { shape: "roundTrip", connections: 100, size: 11 },
    "11-byte round trip, 500 connections": { shape: "roundTrip", connections: 500, size: 11 },
  },
  unit: "µs",
  scale: 1e-3,
  ours: [{ api: "read/write loop", path: "servers/echo.ts" }],
  bare: [
    { api: "node:net", path: "bare/node_echo.ts" },
    { api: "Deno.listen", path: "bare/deno_echo.ts", runtime: "deno" },
    { api: "Bun.listen", path: "bare/bun_echo.ts", runtime: "bun" },
    { api: "Go", path: "bare/echo.go", runtime: "native" },
    { api: "C, epoll", path: "bare/echo.c", runtime: "native" },
  ],
});
