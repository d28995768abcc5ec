// Copyright 2026 the Sluice authors. MIT license.

/** As much as goes through, there and back, on 4 connections: what a megabyte costs. */
import type { Bench } from "./_bench.ts";
import { servedBench, withinFivePercent } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "bulk echo, 4 connections",
  shape: "bulk",
  connections: 4,
  unit: "ms/MB",
  scale: 1, // ns per byte is ms per MB
  ours: [
    { api: "copy(flow, flow)", path: "servers/copy.ts", goals: withinFivePercent },
    { api: "read/write loop", path: "servers/echo.ts" },
  ],
  bare: [
    { api: "node:net pipe", path: "bare/node_pipe.ts" },
    { api: "Deno.listen", path: "bare/deno_echo.ts", runtime: "deno" },
    { api: "Bun.listen", path: "bare/bun_echo.ts", runtime: "bun" },
  ],
});
