// Copyright 2026 the Sluice authors. MIT license.

/** Eio's HTTP-like service: small posts on 100 connections that stay open, each reply checked, beside the HTTP servers of the runtimes. */
import type { Bench } from "./_bench.ts";
import { servedBench } from "./_served.ts";

export const bench: Bench = servedBench({
  name: "HTTP-like service, 100 connections",
  light: true,
  turns: { "HTTP-like service, 100 connections": { shape: "httpPosts", connections: 100 } },
  echo: false,
  unit: "µs",
  scale: 1e-3,
  ours: [{ api: "BufReader and BufWriter", path: "servers/http.ts" }],
  bare: [
    { api: "node:http", path: "bare/node_http.ts" },
    { api: "Deno.serve", path: "bare/deno_http.ts", runtime: "deno" },
    { api: "Bun.serve", path: "bare/bun_http.ts", runtime: "bun" },
  ],
});
