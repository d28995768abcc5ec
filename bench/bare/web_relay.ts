// Copyright 2026 the Sluice authors. MIT license.

/** `web_relay.ts PORT`: joins connections in pairs, on `node:net`, by `pipeTo` of the sockets as web streams. */
import { Duplex } from "node:stream";
import { servePairs } from "./_node_server.ts";

servePairs((a, b) => {
  const [here, there] = [Duplex.toWeb(a), Duplex.toWeb(b)];
  here.readable.pipeTo(there.writable).catch(() => {}); // a connection that broke is dropped by the server
  there.readable.pipeTo(here.writable).catch(() => {});
});
