// Copyright 2026 the Sluice authors. MIT license.

import { chmodSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { setImmediate } from "node:timers";
import { open } from "../../switch/counter.ts";
import { type StreamAddress, tcp } from "../address.ts";
import { IpAddress } from "../ip_address.ts";
import type { Attempt, ProviderListener, ProviderListenerEvents, ProviderListenOptions } from "../provider.ts";
import { NodeStream, unnamed } from "./node_stream.ts";
import { bindError, removeDeadSocket } from "./unix_path.ts";

/** Throws the runtime's own error when the program may not do something. */
export type Permit = (action: "connect" | "listen", address: StreamAddress) => void;

/** Begins to listen by `node:net`. */
export function listenNode(
  address: StreamAddress,
  options: ProviderListenOptions,
  permit: Permit,
): Attempt<ProviderListener> {
  permit("listen", address);
  // pauseOnConnect: a connection that nobody has taken is not read. allowHalfOpen: the end of input is not the end of the connection.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  let cancelled = false;
  const result = (async () => {
    if (address.transport === "unix" && options.reuseAddr) await removeDeadSocket(address.path);
    if (cancelled) throw new Error("Listening was given up");
    return await new Promise<ProviderListener>((resolve, reject) => {
      const failed = (error: Error) => reject(address.transport === "unix" ? bindError(address.path, error) : error);
      server.once("error", failed);
      server.once("listening", () => {
        server.off("error", failed);
        const listener = new NodeListener(server, address, options.backlog);
        try {
          if (address.transport === "unix" && options.mode !== undefined) chmodSync(address.path, options.mode);
          resolve(listener);
        } catch (error) {
          listener.close().then(() => reject(error));
        }
      });
      if (address.transport === "unix") {
        server.listen({ path: address.path, backlog: options.backlog });
      } else {
        const { backlog, reusePort } = options;
        server.listen({ host: address.ip.toString(), port: address.port, backlog, reusePort, exclusive: true });
      }
    });
  })();
  return {
    result,
    cancel: () => {
      cancelled = true;
    },
  };
}

/** A server of `node:net`. It accepts by itself, so what nobody has taken yet is kept here, paused, up to the backlog. */
class NodeListener implements ProviderListener {
  readonly address: StreamAddress;
  readonly #server: Server;
  readonly #backlog: number;
  readonly #unclaimed: Set<NodeStream> = new Set();
  #events: ProviderListenerEvents | undefined;
  #error: unknown;
  #dropped = 0;

  constructor(server: Server, asked: StreamAddress, backlog: number) {
    this.#server = server;
    this.#backlog = backlog;
    this.address = asked.transport === "unix" ? asked : boundTo(server);
    open.listeners++;
    server.on("error", (error) => {
      this.#error = error;
      this.#events?.acceptable();
    });
    server.on("connection", (socket) => this.#keep(socket));
  }

  get dropped(): number {
    return this.#dropped;
  }

  attach(events: ProviderListenerEvents): void {
    this.#events = events;
  }

  accept(): NodeStream | undefined {
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      throw error;
    }
    for (const stream of this.#unclaimed) {
      this.#unclaimed.delete(stream);
      if (!stream.gone) return stream;
    }
    return undefined;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const stream of this.#unclaimed) stream.abort();
    this.#unclaimed.clear();
    open.listeners--;
    // The server is not done before its connections are, and those have owners of their own: what matters is that the port is free and the path gone.
    await Promise.race([closed, new Promise<void>((resolve) => setImmediate(resolve))]);
  }

  #keep(socket: Socket): void {
    const stream = new NodeStream(socket).named(this.address, unnamed);
    // Reset by the other side before it was accepted, and so without an address: there is nothing to serve.
    if (this.address.transport === "tcp" && stream.peer.transport === "unix") return stream.abort();
    if (this.#unclaimed.size >= this.#backlog) this.#dropGone();
    if (this.#unclaimed.size < this.#backlog) {
      this.#unclaimed.add(stream);
      this.#events?.acceptable();
    } else {
      this.#dropped++;
      stream.abort();
      this.#events?.overflowing();
    }
  }

  /** What the other side has reset meanwhile takes no place. */
  #dropGone(): void {
    for (const stream of this.#unclaimed) if (stream.gone) this.#unclaimed.delete(stream);
  }
}

function boundTo(server: Server): StreamAddress {
  const { address, port } = server.address() as { address: string; port: number };
  return tcp(IpAddress.parse(address), port);
}
