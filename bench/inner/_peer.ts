// Copyright 2026 the Sluice authors. MIT license.

/** The other end of a connection: a program of its own, on the core of the load. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { thisRuntime } from "../../tests/_runtimes.ts";
import { cores, Program } from "../_process.ts";

/** What each body repeats. */
export const piece: Uint8Array = Uint8Array.from({ length: 64 * 1024 }, (_, i) => i % 251);

const path = join(import.meta.dirname ?? "", "_peer.ts");

/**
 * Calls `use` with a port of 127.0.0.1 whose server answers `GET /13` with 13 bytes, and `GET /13.`
 * with the same and the end of the connection. It discards all else.
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
      const [, size, last] = /^GET \/(\d+)(\.)? /.exec(chunk.subarray(0, 20).toString()) ?? [];
      if (size === undefined) return;
      const part = piece.subarray(0, Number(size));
      socket.write(Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`), part]));
      for (let sent = part.length; sent < Number(size); sent += piece.length) {
        if (!socket.write(piece)) await once(socket, "drain").catch(() => sent = Infinity); // the client has gone
      }
      if (last !== undefined) socket.end();
    });
  });
  server.listen({ host: "127.0.0.1", port: 0 }, () => console.log((server.address() as AddressInfo).port));
}
