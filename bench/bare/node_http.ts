// Copyright 2026 the Sluice authors. MIT license.

/** `node_http.ts PORT`: answers each request with its own body, on bare `node:http`. */
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onStop, portArgument, sayReady } from "./_command.ts";

const port = portArgument();
const server = createServer((request, response) => {
  const chunks: Uint8Array[] = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
    response.writeHead(200, { "content-type": "text/plain", "content-length": body.length }).end(body);
  });
  request.on("error", () => response.destroy());
});
server.keepAliveTimeout = 60_000;
server.listen({ host: "127.0.0.1", port, backlog: 4096 }, () => sayReady(port, (server.address() as AddressInfo).port));
onStop(() => {
  server.close();
  server.closeAllConnections();
});
