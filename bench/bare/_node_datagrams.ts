// Copyright 2026 the Sluice authors. MIT license.

/** A plain socket of `node:dgram`. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { onStop, portArgument, sayReady } from "./_command.ts";

/** Gives each datagram to `handle`. */
export function serveDatagrams(handle: (socket: Socket, message: Uint8Array, from: RemoteInfo) => void): void {
  const port = portArgument();
  const socket = createSocket("udp4");
  socket.on("error", (error) => console.error(`Cannot go on: ${error}`));
  socket.on("message", (message, from) => handle(socket, message, from));
  socket.bind(port, "127.0.0.1", () => sayReady(port, socket.address().port, "udp"));
  onStop(() => socket.close());
}
