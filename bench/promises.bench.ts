// Copyright 2026 the Sluice authors. MIT license.

/** A message of 64 bytes there and back, by promises on both sides: what scopes, checks and cancellation add to the plainest loop. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "64-byte round trip by promises, 50 connections",
  light: true,
  turns: { "64-byte round trip by promises, 50 connections": { shape: "roundTrip", connections: 50 } },
  unit: "µs",
  scale: 1e-3,
  ours: [{ api: "read/write loop", path: "servers/echo.ts" }],
  bare: [
    { api: "promises over node:net", path: "bare/node_promises.ts" },
    { api: "promises over Bun.listen", path: "bare/bun_promises.ts", runtime: "bun" },
    { api: "Deno.listen", path: "bare/deno_echo.ts", runtime: "deno" },
  ],
});
