// Copyright 2026 the Sluice authors. MIT license.

/** `bun_promises.ts PORT`: an echo on bare `Bun.listen`, by a loop of promises. Bun only. */
import { serveBun, type Socket } from "./_bun_server.ts";
import { echo, Inbox } from "./_promises.ts";

/** What is known of a connection. */
interface Connection {
  readonly inbox: Inbox;
  /** Goes on with a write that the system did not take. */
  onDrain: (() => void) | undefined;
}

serveBun<Connection>({
  open(socket) {
    socket.data = { inbox: new Inbox((on) => on ? socket.resume() : socket.pause()), onDrain: undefined };
    // After shutdown() Bun goes on reading, and tells the other side's end by `close`; where that was told before, this closes.
    echo(socket.data.inbox, (bytes) => write(socket, bytes)).then(() => socket.end());
  },
  data: (socket, chunk) => socket.data.inbox.add(chunk),
  drain(socket) {
    const { onDrain } = socket.data;
    socket.data.onDrain = undefined;
    onDrain?.();
  },
  end: (socket) => socket.data.inbox.end(),
  close: (socket) => socket.data.inbox.end(),
  error: (socket) => socket.terminate(),
});

function write(socket: Socket<Connection>, bytes: Uint8Array): Promise<number> {
  const size = socket.write(bytes);
  if (size > 0) return Promise.resolve(size);
  return new Promise((resolve) => socket.data.onDrain = () => resolve(Math.max(0, socket.write(bytes))));
}
