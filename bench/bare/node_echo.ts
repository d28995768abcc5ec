// Copyright 2026 the Sluice authors. MIT license.

/** `node_echo.ts PORT`: an echo on bare `node:net`, by callbacks. */
import { serveNode } from "./_node_server.ts";

serveNode((socket) => {
  socket.on("data", (chunk) => {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on("drain", () => socket.resume());
  socket.on("end", () => socket.end());
});
