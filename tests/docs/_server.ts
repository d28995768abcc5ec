// Copyright 2026 the Sluice authors. MIT license.

/** Peers of the samples that listen or connect, without the library. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Program } from "../examples/_program.ts";

/** The port that a sample prints when it listens. */
export async function listeningPort(program: Program): Promise<number> {
  const [, port] = await program.until(/^listening on (?:tcp:127\.0\.0\.1:|port )(\d+)$/m);
  return Number(port);
}

/** Runs `fn` with the port of a server of `node:net`, or of what is built on one, and closes it. */
export async function withServer(
  onConnection: Server | ((socket: Socket) => void),
  fn: (port: number) => Promise<void>,
): Promise<void> {
  const server = typeof onConnection === "function" ? createServer(onConnection) : onConnection;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The server has no port");
    await fn(address.port);
  } finally {
    server.close();
    await once(server, "close");
  }
}
