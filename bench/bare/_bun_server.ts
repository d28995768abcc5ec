// Copyright 2026 the Sluice authors. MIT license.

/** Plain servers of `Bun.listen`. Bun only. */
import { onStop, placeArgument, sayReady } from "./_command.ts";

/** What is used of Bun, for the compilers that do not know it. */
export interface Socket<D> {
  data: D;
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  end(): void;
  terminate(): void;
}
export interface Handlers<D> {
  open(socket: Socket<D>): void;
  data(socket: Socket<D>, chunk: Uint8Array): void;
  drain(socket: Socket<D>): void;
  end(socket: Socket<D>): void;
  close(socket: Socket<D>): void;
  error(socket: Socket<D>, error: Error): void;
}
type Place = { hostname: string; port: number } | { unix: string };
const { Bun } = globalThis as unknown as {
  Bun: {
    listen<D>(options: Place & { allowHalfOpen: boolean; socket: Handlers<D> }): {
      readonly port?: number;
      stop(closeConnections: boolean): void;
    };
  };
};

/** Serves connections by `handlers`. */
export function serveBun<D>(handlers: Handlers<D>): void {
  const place = placeArgument();
  const where: Place = typeof place === "string" ? { unix: place } : { hostname: "127.0.0.1", port: place };
  const server = Bun.listen({ ...where, allowHalfOpen: true, socket: handlers });
  onStop(() => server.stop(true));
  sayReady(place, server.port ?? 0);
}

/** What is known of a connection that is joined with one. */
export interface Side {
  /** Who gets what it sends, and sends what it gets. */
  partner: Socket<Side> | undefined;
  /** What is on its way to it, and the system has not taken yet. */
  chunks: Uint8Array[];
  /** Whether it has ended. */
  ended: boolean;
}

/**
 * Gives each connection what another one, or it itself, sends. `partnerOf` says who is joined with a new one; where nobody is, it waits.
 *
 * The end of what one sends is passed on by `shutdown()`, after which Bun goes on reading, and tells the other side's end by `close` instead of `end`.
 */
export function joined(partnerOf: (socket: Socket<Side>) => Socket<Side> | undefined): Handlers<Side> {
  return {
    open(socket) {
      const partner = partnerOf(socket);
      socket.data = { partner, chunks: [], ended: false };
      if (partner === undefined) socket.pause();
      else if (partner !== socket) {
        partner.data.partner = socket;
        partner.resume();
      }
    },
    data(socket, chunk) {
      const { partner } = socket.data;
      if (partner === undefined) throw new Error("Cannot pass data on: it came while the connection was paused");
      const { chunks } = partner.data;
      const sent = chunks.length > 0 ? 0 : Math.max(0, partner.write(chunk));
      if (sent === chunk.length) return;
      chunks.push(chunk.slice(sent)); // a copy: the memory of the chunk is used again
      socket.pause();
    },
    drain(socket) {
      const { partner, chunks } = socket.data;
      for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
        const sent = Math.max(0, socket.write(chunk));
        if (sent === chunk.length) continue;
        chunks.unshift(chunk.subarray(sent));
        return;
      }
      if (partner?.data.ended) finish(socket);
      else partner?.resume();
    },
    end(socket) {
      const { partner } = socket.data;
      socket.data.ended = true;
      if (partner !== undefined) finish(partner);
    },
    close(socket) {
      const { partner } = socket.data;
      socket.data.ended = true;
      if (partner !== undefined && partner !== socket && partner.data.chunks.length === 0) partner.end();
    },
    error(socket) {
      socket.terminate();
    },
  };
}

/** Passes on that nothing more comes for `socket`, once it has all that came. Where both sides have ended, both are closed. */
function finish(socket: Socket<Side>): void {
  const { partner, chunks, ended } = socket.data;
  if (chunks.length > 0) return;
  if (!ended) return socket.shutdown();
  for (const side of new Set([socket, partner])) if (side?.data.chunks.length === 0) side.end();
}
