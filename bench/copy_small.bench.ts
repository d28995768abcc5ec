// Copyright 2026 the Sluice authors. MIT license.

/** A message of 1 KiB there and back, on 50 connections: what a chunk costs that a copy passes on. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "1 KiB copied, 50 connections",
  light: true,
  turns: { "1 KiB copied, 50 connections": { shape: "roundTrip", connections: 50, size: 1024 } },
  unit: "µs",
  scale: 1e-3,
  ours: [{ api: "copy(flow, flow)", path: "servers/copy.ts", goal: 1.05 }],
  bare: [
    { api: "node:net pipe", path: "bare/node_pipe.ts" },
    { api: "Deno.listen", path: "bare/deno_echo.ts", runtime: "deno" },
    { api: "Bun.listen", path: "bare/bun_echo.ts", runtime: "bun" },
  ],
});
