// Copyright 2026 the Sluice authors. MIT license.

/** The same as a round trip by TCP, through a Unix socket. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "Unix socket round trip, 50 connections",
  turns: { "Unix socket round trip, 50 connections": { shape: "roundTrip", connections: 50 } },
  unix: true,
  unit: "µs",
  scale: 1e-3,
  ours: [{ api: "read/write loop", path: "servers/echo.ts", goal: 1.1 }],
  bare: [
    { api: "node:net", path: "bare/node_echo.ts" },
    { api: "Deno.listen", path: "bare/deno_echo.ts", runtime: "deno" },
    { api: "Bun.listen", path: "bare/bun_echo.ts", runtime: "bun" },
  ],
});
