// Copyright 2026 the Sluice authors. MIT license.

/** The other end of a connection: a program of its own, on the core of the load. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { thisRuntime } from "../../tests/_runtimes.ts";
import { cores, Program } from "../_process.ts";

/** The body of `/small`. */
export const greeting = "Hello, world!";

/** The size of `/large`, in bytes, and the piece of it that repeats itself. */
export const largeSize: number = 64 * 1024 * 1024;
export const piece: Uint8Array = Uint8Array.from({ length: 64 * 1024 }, (_, i) => i % 251);

const path = join(import.meta.dirname ?? "", "_peer.ts");

/**
 * Calls `use` with a port of 127.0.0.1 whose server answers `GET` of `/small` and `/large`, and
 * discards all else.
 */
export async function withPeer(use: (port: number) => Promise<void>): Promise<void> {
  const peer = new Program(thisRuntime().runCommand(path), cores.load);
  await use(Number(await peer.line()));
  await peer.stop();
}

if (process.argv[1] === path) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", async (chunk) => {
      const name = /^GET \/(small|large) /.exec(chunk.subarray(0, 11).toString())?.[1];
      if (name === undefined) return;
      const size = name === "large" ? largeSize : greeting.length;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n${name === "small" ? greeting : ""}`);
      for (let sent = 0; name === "large" && sent < size; sent += piece.length) {
        if (!socket.write(piece)) await once(socket, "drain").catch(() => sent = size); // the client has gone
      }
    });
  });
  server.listen({ host: "127.0.0.1", port: 0 }, () => console.log((server.address() as AddressInfo).port));
}
