// Copyright 2026 the Sluice authors. MIT license.

/** Eio's echo by `Flow.copy`: pieces of 64 KiB on one connection, copied as they come and through a BufReader of 64 KiB. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "echo copy of 64 KiB, 1 connection",
  light: true,
  turns: { "echo copy of 64 KiB, 1 connection": { shape: "bulk", connections: 1 } },
  unit: "ms/MB",
  scale: 1, // ns per byte is ms per MB
  ours: [
    { api: "copy(flow, flow)", path: "servers/copy.ts" },
    { api: "copy from a BufReader", path: "servers/copy_buffered.ts" },
  ],
  bare: [
    { api: "node:net pipe", path: "bare/node_pipe.ts" },
    { api: "Deno.listen", path: "bare/deno_echo.ts", runtime: "deno" },
    { api: "Bun.listen", path: "bare/bun_echo.ts", runtime: "bun" },
  ],
});
