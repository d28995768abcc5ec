// Copyright 2026 the Sluice authors. MIT license.

/**
 * `node.ts NAME PLACE`: servers on `node:net` and `node:dgram` alone, by callbacks, and the plainest
 * loop of promises over them.
 */
import { createSocket, type RemoteInfo, type Socket as DatagramSocket } from "node:dgram";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { onStop, PromiseEcho, runProgram, sayReady } from "./_command.ts";

const backlog = 4096;

runProgram({
  echo: (place) =>
    serve(place, (socket) => {
      socket.on("data", (chunk) => {
        if (!socket.write(chunk)) socket.pause();
      });
      socket.on("drain", () => socket.resume());
      socket.on("end", () => socket.end());
    }),
  promise_echo: (place) => serve(place, promiseEcho),
  pipe: (place) => serve(place, (socket) => socket.pipe(socket)),
  relay: (place) =>
    servePairs(place, (a, b) => {
      a.pipe(b);
      b.pipe(a);
    }),
  datagram_echo: (place) =>
    serveDatagrams(place, (socket, message, { port, address }) => socket.send(message, port, address)),
});

/** Serves each connection by `handle`, and drops a broken one. */
function serve(place: number | string, handle: (socket: Socket) => void): void {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    handle(socket);
  });
  const where = typeof place === "string" ? { path: place } : { host: "127.0.0.1", port: place };
  server.listen({ ...where, backlog }, () => sayReady(place, (server.address() as AddressInfo).port));
  onStop(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
}

/** Echoes by a loop of promises. */
function promiseEcho(socket: Socket): void {
  const echo = new PromiseEcho(socket);
  socket.on("data", (chunk) => echo.deliver(chunk));
  socket.on("end", () => echo.deliver(null));
  echo.run(async (chunk) => {
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
  });
}

/** Joins connections in pairs, as they come. */
function servePairs(place: number | string, join: (a: Socket, b: Socket) => void): void {
  let waiting: Socket | undefined;
  serve(place, (socket) => {
    const partner = waiting;
    waiting = partner === undefined ? socket : undefined;
    if (partner !== undefined) return join(partner, socket);
    socket.on("close", () => {
      if (waiting === socket) waiting = undefined;
    });
  });
}

/** Calls `handle` with each datagram. */
function serveDatagrams(
  place: number | string,
  handle: (socket: DatagramSocket, message: Uint8Array, from: RemoteInfo) => void,
): void {
  const socket = createSocket("udp4");
  socket.on("error", (error) => console.error(`Cannot go on: ${error}`));
  socket.on("message", (message, from) => handle(socket, message, from));
  socket.bind(Number(place), "127.0.0.1", () => sayReady(place, socket.address().port));
  onStop(() => socket.close());
}
