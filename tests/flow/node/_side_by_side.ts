// Copyright 2026 the Sluice authors. MIT license.

/**
 * Runs one scenario with sockets of `node:net` and with bridged flows: a bridged flow must do what
 * the runtime's own sockets do. If those of Bun or Deno differ from what Node documents, the
 * scenario says so, and what is expected there.
 */
import { assertEquals } from "@std/assert";
import { once } from "node:events";
import * as node from "node:net";
import type { AddressInfo, Socket } from "node:net";
import process from "node:process";
import { hostAddress, type Net, runServer, type StreamSocket, type Switch, tcp } from "../../../mod.ts";
import { toDuplex } from "../../../flow/node/mod.ts";
import { anyPort, withNet } from "../../net/_helpers.ts";
import { test, type TestOptions } from "../../_test.ts";

/** Options of the sockets on one side. */
export interface SideOptions {
  /** As in `node:net`, with the same default. */
  allowHalfOpen?: boolean;
}

/** Makes sockets for a scenario, and records what it observes. */
export interface Arena {
  /** Whether the sockets are flows. */
  readonly bridged: boolean;
  /** What each side observed, in order. The order between sides is not compared. */
  readonly seen: Record<string, unknown[]>;
  /** Records an observation of a side. */
  see(side: string, ...what: unknown[]): void;
  /** Records the events of a socket as observations of a side. */
  watch(side: string, socket: Socket): Socket;
  /** Listens, and returns the port. */
  listen(onConnection: (socket: Socket) => void, options?: SideOptions): Promise<number>;
  /** Connects to a port of 127.0.0.1. */
  connect(port: number, options?: SideOptions): Socket;
  /** Connects to a host. */
  connectTo(host: string, port: number): Socket;
  /** Makes two connected sockets, whose events are recorded as "client" and "server". */
  pair(options?: { client?: SideOptions; server?: SideOptions }): Promise<[client: Socket, server: Socket]>;
}

/** The runtimes. */
export type Runtime = "deno" | "bun" | "node";

/** The runtime of this process. */
export const runtime: Runtime = "Deno" in globalThis ? "deno" : "bun" in process.versions ? "bun" : "node";

/** The expected result of a scenario. */
export interface Expectation extends TestOptions {
  /** The runtimes whose own sockets behave differently, and why flows do not follow them. */
  unlike?: Partial<Record<Runtime, string>>;
  /** Whether it needs flows that can reset a connection, which Deno's cannot. */
  resets?: boolean;
  /** What Node's own sockets show. Required with `unlike`. */
  expected?: Record<string, unknown[]>;
}

/** Keeps one direction open after the other has ended. */
export const half: SideOptions = { allowHalfOpen: true };

type Scenario = (arena: Arena) => Promise<void>;

/**
 * Registers a test that runs a scenario with sockets of `node:net` and with flows, and compares the
 * observations.
 */
export function sideBySide(name: string, scenario: Scenario, expectation: Expectation = {}): void {
  const { unlike = {}, expected, resets = false } = expectation;
  test(name, async () => {
    if (resets && runtime === "deno") return;
    const bridged = await withBridge(scenario);
    if (runtime in unlike) return assertEquals(bridged, expected);
    const own = await withNode(scenario);
    assertEquals(bridged, own);
    if (expected !== undefined) assertEquals(own, expected);
  }, { timeout: 20_000, ...expectation });
}

class Stage {
  readonly seen: Record<string, unknown[]> = {};
  readonly sockets: Set<Socket> = new Set();

  see(side: string, ...what: unknown[]): void {
    (this.seen[side] ??= []).push(...what);
  }

  watch(side: string, socket: Socket): Socket {
    for (const event of ["connect", "ready", "end", "finish", "timeout"]) {
      // Bun emits 'end' of its own sockets after they were destroyed, which Node never does.
      socket.on(event, () => runtime === "bun" && event === "end" && socket.destroyed || this.see(side, event));
    }
    socket.on("error", (error: NodeJS.ErrnoException) => this.see(side, `error ${error.code ?? error.message}`));
    socket.on("close", (hadError) => this.see(side, `close ${hadError}`));
    return socket;
  }

  keep(socket: Socket): Socket {
    this.sockets.add(socket);
    socket.once("close", () => gone.add(socket));
    return socket;
  }

  arena(bridged: boolean, listen: Arena["listen"], connectTo: (host: string, port: number, o?: SideOptions) => Socket) {
    const arena: Arena = {
      bridged,
      seen: this.seen,
      see: (...args) => this.see(...args),
      watch: (...args) => this.watch(...args),
      listen: (onConnection, options) => listen((socket) => onConnection(this.keep(socket)), options),
      connect: (port, options) => this.keep(connectTo("127.0.0.1", port, options)),
      connectTo: (host, port) => this.keep(connectTo(host, port)),
      pair: async (options = {}) => {
        const { promise, resolve } = Promise.withResolvers<Socket>();
        const port = await arena.listen((socket) => resolve(this.watch("server", socket)), options.server);
        const client = this.watch("client", arena.connect(port, options.client));
        const [server] = await Promise.all([promise, once(client, "connect")]);
        return [client, server];
      },
    };
    return arena;
  }

  /** Destroys the remaining sockets, and waits until they have closed. */
  async clear(): Promise<void> {
    for (const socket of this.sockets) {
      socket.on("error", () => {});
      const end = closed(socket);
      socket.destroy();
      await end;
    }
  }
}

async function withNode(scenario: Scenario): Promise<Record<string, unknown[]>> {
  const stage = new Stage();
  const servers: node.Server[] = [];
  const arena = stage.arena(
    false,
    async (onConnection, options = {}) => {
      const server = node.createServer(options, onConnection).listen(0, "127.0.0.1");
      servers.push(server);
      await once(server, "listening");
      return (server.address() as AddressInfo).port;
    },
    (host, port, options) => node.connect({ host, port, ...options }),
  );
  try {
    await scenario(arena);
    return structuredClone(stage.seen);
  } finally {
    await stage.clear();
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
  }
}

function withBridge(scenario: Scenario): Promise<Record<string, unknown[]>> {
  return withNet(async (sw, net) => {
    const stage = new Stage();
    const stop = new AbortController();
    const errors: unknown[] = [];
    const arena = stage.arena(
      true,
      (onConnection, options = {}) => serve(sw, net, stop.signal, errors, onConnection, options),
      (host, port, options = {}) =>
        asNode(toDuplex(
          () => net.connect(sw, /^[\d.]+$/.test(host) ? tcp(host, port) : hostAddress(host, port)),
          { sw, allowHalfOpen: options.allowHalfOpen ?? false },
        )),
    );
    try {
      await scenario(arena);
      return structuredClone(stage.seen);
    } finally {
      await stage.clear();
      stop.abort();
      assertEquals(errors, []);
    }
  });
}

async function serve(
  sw: Switch,
  net: Net,
  stop: AbortSignal,
  errors: unknown[],
  onConnection: (socket: Socket) => void,
  { allowHalfOpen = false }: SideOptions,
): Promise<number> {
  const listener = await net.listen(sw, anyPort);
  const handle = async (flow: StreamSocket) => {
    const socket = asNode(toDuplex(flow, { allowHalfOpen }));
    const end = closed(socket);
    onConnection(socket);
    await end;
  };
  sw.fork(() => runServer(listener, handle, { onError: (error) => errors.push(error), stop }));
  return listener.address.port;
}

/** Casts a bridged flow to a `node:net` socket. */
export function asNode(duplex: unknown): Socket {
  return duplex as Socket;
}

const gone: WeakSet<Socket> = new WeakSet();

/** Waits until a socket of an arena has closed. */
export function closed(socket: Socket): Promise<void> {
  return gone.has(socket) ? Promise.resolve() : new Promise((resolve) => socket.once("close", () => resolve()));
}

/** Waits a limited time until all of these sockets have closed, and reports whether they have. */
export async function allClosed(...sockets: Socket[]): Promise<boolean> {
  const limit = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => limit.resolve(false), 5000);
  const all = Promise.all(sockets.map(closed)).then(() => true);
  return await Promise.race([all, limit.promise]).finally(() => clearTimeout(timer));
}

/** Waits a short real time. */
export function soon(ms = 30): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
