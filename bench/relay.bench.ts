// Copyright 2026 the Sluice authors. MIT license.

/** As much as goes through from one connection to another, both ways, on 2 pairs: what a megabyte costs who relays it. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "relay, 2 pairs of connections",
  light: true,
  turns: { "relay, 2 pairs of connections": { shape: "relay", connections: 4 } },
  echo: false,
  unit: "ms/MB",
  scale: 1, // ns per byte is ms per MB
  ours: [{ api: "proxy: copy both ways", path: "servers/relay.ts", goal: 1.05 }],
  bare: [
    { api: "node:net pipe", path: "bare/node_relay.ts" },
    { api: "web pipeTo", path: "bare/web_relay.ts" },
    { api: "Deno.listen", path: "bare/deno_relay.ts", runtime: "deno" },
    { api: "Bun.listen", path: "bare/bun_relay.ts", runtime: "bun" },
  ],
});
