// Copyright 2026 the Sluice authors. MIT license.

/** `node_relay.ts PORT`: joins connections in pairs, on bare `node:net`, by `pipe`. */
import { servePairs } from "./_node_server.ts";

servePairs((a, b) => {
  a.pipe(b);
  b.pipe(a);
});
