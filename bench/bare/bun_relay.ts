// Copyright 2026 the Sluice authors. MIT license.

/** `bun_relay.ts PORT`: joins connections in pairs, on bare `Bun.listen`, by callbacks. Bun only. */
import { joined, serveBun, type Side, type Socket } from "./_bun_server.ts";

let waiting: Socket<Side> | undefined;

serveBun(joined((socket) => {
  const partner = waiting;
  waiting = partner === undefined ? socket : undefined;
  return partner;
}));
