// Copyright 2026 the Sluice authors. MIT license.

/** `node_promises.ts PORT`: an echo on bare `node:net`, by a loop of promises. */
import { Buffer } from "node:buffer";
import { serveNode } from "./_node_server.ts";
import { echo, Inbox } from "./_promises.ts";

serveNode((socket) => {
  const inbox = new Inbox((on) => on ? socket.resume() : socket.pause());
  socket.on("data", (chunk) => inbox.add(chunk));
  socket.on("end", () => inbox.end());
  const write = (bytes: Uint8Array): Promise<number> => {
    const { length } = bytes;
    // A copy, for the memory is read into again.
    if (socket.write(Buffer.from(bytes))) return Promise.resolve(length);
    return new Promise((resolve) => socket.once("drain", () => resolve(length)));
  };
  echo(inbox, write).then(() => socket.end());
});
