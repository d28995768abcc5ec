// Copyright 2026 the Sluice authors. MIT license.

/** `bun_echo.ts PORT`: an echo on bare `Bun.listen`, by callbacks. Bun only. */
import { onStop, portArgument, sayReady } from "./_command.ts";

/** What is used of Bun, for the compilers that do not know it. */
interface Socket {
  data: Queue;
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  end(): void;
  terminate(): void;
}
interface Handlers {
  open(socket: Socket): void;
  data(socket: Socket, chunk: Uint8Array): void;
  drain(socket: Socket): void;
  end(socket: Socket): void;
  close(socket: Socket): void;
  error(socket: Socket, error: Error): void;
}
const { Bun } = globalThis as unknown as {
  Bun: {
    listen(options: { hostname: string; port: number; allowHalfOpen: boolean; socket: Handlers }): {
      readonly port: number;
      stop(closeConnections: boolean): void;
    };
  };
};

/** What the system has not taken yet. */
interface Queue {
  chunks: Uint8Array[];
  ended: boolean;
}

const port = portArgument();
const server = Bun.listen({
  hostname: "127.0.0.1",
  port,
  allowHalfOpen: true,
  socket: {
    open(socket) {
      socket.data = { chunks: [], ended: false };
    },
    data(socket, chunk) {
      const { chunks } = socket.data;
      const sent = chunks.length > 0 ? 0 : Math.max(0, socket.write(chunk));
      if (sent === chunk.length) return;
      chunks.push(chunk.slice(sent)); // a copy: the memory of the chunk is used again
      socket.pause();
    },
    drain(socket) {
      const queue = socket.data;
      for (let chunk = queue.chunks.shift(); chunk !== undefined; chunk = queue.chunks.shift()) {
        const sent = Math.max(0, socket.write(chunk));
        if (sent === chunk.length) continue;
        queue.chunks.unshift(chunk.subarray(sent));
        return;
      }
      if (queue.ended) socket.end();
      else socket.resume();
    },
    end(socket) {
      socket.data.ended = true;
      if (socket.data.chunks.length === 0) socket.end();
    },
    close() {},
    error(socket) {
      socket.terminate();
    },
  },
});
onStop(() => server.stop(true));
sayReady(port, server.port);
