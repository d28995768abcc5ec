// Copyright 2026 the Sluice authors. MIT license.

/** A plain server of `node:net`. */
import { createServer, type Socket } from "node:net";
import { onStop, placeArgument, sayReady } from "./_command.ts";

/** Serves each connection by `handle`. A connection that breaks is dropped; its error is of no interest to the others. */
export function serveNode(handle: (socket: Socket) => void): void {
  const place = placeArgument();
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    handle(socket);
  });
  const where = typeof place === "string" ? { path: place } : { host: "127.0.0.1", port: place };
  server.listen({ ...where, backlog: 4096 }, () => {
    const address = server.address();
    sayReady(place, typeof address === "object" && address !== null ? address.port : 0);
  });
  onStop(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
}

/** Joins connections in pairs, as they come. */
export function servePairs(join: (a: Socket, b: Socket) => void): void {
  let waiting: Socket | undefined;
  serveNode((socket) => {
    const partner = waiting;
    waiting = partner === undefined ? socket : undefined;
    if (partner !== undefined) return join(partner, socket);
    socket.on("close", () => {
      if (waiting === socket) waiting = undefined;
    });
  });
}
