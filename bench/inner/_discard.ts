// Copyright 2026 the Sluice authors. MIT license.

/** A server that reads and forgets. Prints its port, and runs until it is killed. */
import { type AddressInfo, createServer } from "node:net";

const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.resume();
});
server.listen({ host: "127.0.0.1", port: 0 }, () => console.log((server.address() as AddressInfo).port));
