// Copyright 2026 the Sluice authors. MIT license.

/**
 * A relay that spoils what goes through it, with the eight toxics of toxiproxy. It is plain `node:net`, so that it knows nothing of the library.
 *
 * Source: https://github.com/Shopify/toxiproxy, "Toxics".
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { tcp, type TcpAddress } from "../../mod.ts";
import { ownHost, ownPort } from "../net/_helpers.ts";

/** What a relay does to what the server sends. */
export type Toxic =
  /** Each piece comes `ms` late, or not before something has happened. */
  | { readonly kind: "latency"; readonly ms: number | Promise<unknown> }
  /** At most so many bytes go through in each turn of `ms`. */
  | { readonly kind: "bandwidth"; readonly bytes: number; readonly ms: number }
  /** The end comes late. */
  | { readonly kind: "slow_close"; readonly ms: number | Promise<unknown> }
  /** Nothing comes; after `ms` the connection is closed, with 0 never. */
  | { readonly kind: "timeout"; readonly ms: number }
  /** The connection is reset as soon as something comes. */
  | { readonly kind: "reset_peer" }
  /** Pieces are cut into slices of so many bytes, one in each turn. */
  | { readonly kind: "slicer"; readonly bytes: number }
  /** The connection is closed after so many bytes. */
  | { readonly kind: "limit_data"; readonly bytes: number }
  /** Nobody is let in, and all who are there are cut off. */
  | { readonly kind: "down" };

/** A relay to a port on loopback. */
export class Relay implements AsyncDisposable {
  /** Where it listens, and nobody else does while it is down. */
  readonly address: TcpAddress = tcp(ownHost, ownPort());
  readonly #sockets: Set<Socket> = new Set();
  readonly #timers: Set<ReturnType<typeof setTimeout>> = new Set();
  readonly #target: number;
  #server: Server;
  #toxic: Toxic | undefined;
  /** How many bytes of the server have gone through. */
  passed = 0;

  constructor(target: number, toxic?: Toxic) {
    this.#target = target;
    this.#toxic = toxic;
    this.#server = this.#makeServer();
  }

  /** Begins to listen. */
  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.address.port, ownHost, resolve));
    return this;
  }

  /** Spoils in another way from now on, or not at all. */
  async spoil(toxic: Toxic | undefined): Promise<void> {
    const wasDown = this.#toxic?.kind === "down";
    this.#toxic = toxic;
    if (toxic?.kind === "down") await this.#stop();
    else if (wasDown) {
      this.#server = this.#makeServer();
      await this.start();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#toxic?.kind !== "down") await this.#stop();
  }

  async #stop(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  #makeServer(): Server {
    return createServer({ allowHalfOpen: true }, (client) => {
      const server = connect({ port: this.#target, host: "127.0.0.1", allowHalfOpen: true });
      for (const [socket, other] of [[client, server], [server, client]]) {
        this.#sockets.add(socket);
        socket.on("error", () => other.destroy());
        socket.on("close", () => this.#sockets.delete(socket));
      }
      client.pipe(server);
      let passing: Promise<unknown> = Promise.resolve();
      server.on("data", (bytes) => {
        server.pause();
        passing = passing.then(() => this.#pass(bytes, server, client)).then(() => server.resume());
      });
      server.on("end", () => passing = passing.then(() => this.#end(client)));
    });
  }

  async #pass(bytes: Uint8Array, server: Socket, client: Socket): Promise<void> {
    const toxic = this.#toxic;
    switch (toxic?.kind) {
      case undefined:
      case "slow_close":
        return await this.#send(bytes, client);
      case "latency":
        await this.#wait(toxic.ms);
        return await this.#send(bytes, client);
      case "bandwidth":
      case "slicer":
        for (let at = 0; at < bytes.length; at += toxic.bytes) {
          await this.#send(bytes.subarray(at, at + toxic.bytes), client);
          await this.#wait(toxic.kind === "bandwidth" ? toxic.ms : 0);
        }
        return;
      case "timeout":
        if (toxic.ms === 0) return;
        await this.#wait(toxic.ms);
        return void client.destroy();
      case "reset_peer":
        return void client.resetAndDestroy();
      case "limit_data":
        await this.#send(bytes.subarray(0, Math.max(0, toxic.bytes - this.passed)), client);
        if (this.passed >= toxic.bytes) client.end(() => server.destroy());
    }
  }

  async #end(client: Socket): Promise<void> {
    const toxic = this.#toxic;
    if (toxic?.kind === "timeout") return;
    if (toxic?.kind === "slow_close") await this.#wait(toxic.ms);
    client.end();
  }

  async #send(bytes: Uint8Array, client: Socket): Promise<void> {
    this.passed += bytes.length;
    if (client.destroyed || client.writableEnded || client.write(bytes)) return;
    await new Promise<void>((resolve) => client.once("drain", resolve).once("close", resolve));
  }

  #wait(ms: number | Promise<unknown>): Promise<unknown> {
    if (typeof ms === "object") return ms;
    return new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, ms);
      this.#timers.add(timer);
    });
  }
}
