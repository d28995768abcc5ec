// Copyright 2026 the Sluice authors. MIT license.

/**
 * `bun.ts NAME PLACE`: servers on `Bun.listen` alone, by callbacks, and the plainest loop of
 * promises over them. Bun only.
 */
import { onStop, PromiseEcho, runProgram, sayReady } from "./_command.ts";

/** What is used of Bun, for the compilers that do not know it. */
interface Socket<D = Side> extends Record<"pause" | "resume" | "shutdown" | "end" | "terminate", () => void> {
  data: D;
  write(bytes: Uint8Array): number;
}
interface Handlers<D> extends Record<"open" | "drain" | "end" | "close" | "error", (socket: Socket<D>) => void> {
  data(socket: Socket<D>, chunk: Uint8Array): void;
}
interface Server {
  readonly port?: number;
  stop(closeConnections: boolean): void;
}
type Place = { hostname: string; port: number } | { unix: string };
const { Bun } = globalThis as unknown as {
  Bun: {
    listen<D>(options: Place & { allowHalfOpen: boolean; socket: Handlers<D> }): Server;
  };
};

/** What is known of a connection. */
interface Side {
  /** The connection that gets what this one sends. */
  partner: Socket | undefined;
  /** What the system has not taken yet of what goes to it. */
  chunks: Uint8Array[];
  /** Whether it has ended. */
  ended: boolean;
}

runProgram({
  echo: (place) => serve(place, (socket) => socket),
  promise_echo: servePromises,
  relay(place) {
    let waiting: Socket | undefined;
    serve(place, (socket) => {
      const partner = waiting;
      waiting = partner === undefined ? socket : undefined;
      return partner;
    });
  },
});

/**
 * Sends each connection what its partner sends: another one, or itself. A connection waits until it
 * has a partner.
 *
 * The end of input is passed on by `shutdown()`. After it Bun goes on reading, and reports the
 * other side's end as `close` instead of `end`.
 */
function serve(place: number | string, partnerOf: (socket: Socket) => Socket | undefined): void {
  listen(place, { open, data, drain, end, close, error });

  function open(socket: Socket): void {
    const partner = partnerOf(socket);
    socket.data = { partner, chunks: [], ended: false };
    if (partner === undefined) socket.pause();
    else if (partner !== socket) {
      partner.data.partner = socket;
      partner.resume();
    }
  }
}

function listen<D>(place: number | string, socket: Handlers<D>): void {
  const where: Place = typeof place === "string" ? { unix: place } : { hostname: "127.0.0.1", port: place };
  const server = Bun.listen({ ...where, allowHalfOpen: true, socket });
  onStop(() => server.stop(true));
  sayReady(place, server.port);
}

function data(socket: Socket, chunk: Uint8Array): void {
  const { partner } = socket.data;
  if (partner === undefined) throw new Error("Cannot pass data on: it came while the connection was paused");
  const { chunks } = partner.data;
  const sent = chunks.length > 0 ? 0 : Math.max(0, partner.write(chunk));
  if (sent === chunk.length) return;
  chunks.push(chunk.slice(sent)); // a copy, as Bun uses the chunk's memory again
  socket.pause();
}

function drain(socket: Socket): void {
  const { partner, chunks } = socket.data;
  for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
    const sent = Math.max(0, socket.write(chunk));
    if (sent === chunk.length) continue;
    chunks.unshift(chunk.subarray(sent));
    return;
  }
  if (partner?.data.ended) finish(socket);
  else partner?.resume();
}

function end(socket: Socket): void {
  const { partner } = socket.data;
  socket.data.ended = true;
  if (partner !== undefined) finish(partner);
}

function close(socket: Socket): void {
  const { partner } = socket.data;
  socket.data.ended = true;
  if (partner !== undefined && partner !== socket && partner.data.chunks.length === 0) partner.end();
}

function error(socket: Socket<unknown>): void {
  socket.terminate();
}

/** Ends `socket`'s side once it has everything. Where both sides have ended, both are closed. */
function finish(socket: Socket): void {
  const { partner, chunks, ended } = socket.data;
  if (chunks.length > 0) return;
  if (!ended) return socket.shutdown();
  for (const side of new Set([socket, partner])) if (side?.data.chunks.length === 0) side.end();
}

/** What an awaiting connection keeps. */
interface Awaiting {
  readonly echo: PromiseEcho;
  drained: () => void;
}

/** Echoes by a loop of promises for each connection. */
function servePromises(place: number | string): void {
  const end = ({ data }: Socket<Awaiting>) => data.echo.deliver(null);
  listen<Awaiting>(place, {
    open(socket) {
      const data = socket.data = { echo: new PromiseEcho(socket), drained: () => {} };
      data.echo.run(async (chunk) => {
        for (let done = 0; (done += Math.max(0, socket.write(chunk.subarray(done)))) < chunk.length;) {
          await new Promise<void>((resolve) => data.drained = resolve);
        }
      });
    },
    data: ({ data }, chunk) => data.echo.deliver(chunk),
    drain: ({ data }) => data.drained(),
    end,
    close: end,
    error,
  });
}
