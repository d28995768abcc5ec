// Copyright 2026 the Sluice authors. MIT license.

import { setImmediate } from "node:timers";
import { type Attempt, type SocketOptionName, type StreamAddress, tcp, unix } from "../../internal.ts";
import type { ProviderListener, ProviderListenerEvents, ProviderListenOptions } from "../../provider/internal.ts";
import { AcceptWatch, isAny, type PermissionCheck, systemIp, tcpEnd, unnamed } from "../shared/internal.ts";
import { findDeadSocket, isRefused, removeStaleFiles, SocketFile } from "../unix/internal.ts";
import type { DenoApi, DenoConn, DenoServer } from "./_api.ts";
import { closed, opened } from "./_open_sockets.ts";
import { checkNativeOption } from "./_options.ts";
import { DenoStream } from "./_stream.ts";

/**
 * Begins to listen with `Deno.listen`. That call is synchronous, so it is delayed by one turn of the
 * event loop: an attempt cancelled at once never binds. Deno always passes the system a backlog of 1024 for a Unix socket.
 */
export function listenDeno(
  deno: DenoApi,
  address: StreamAddress,
  options: ProviderListenOptions,
  permit: PermissionCheck,
): Attempt<ProviderListener> {
  permit("listen", address);
  let cancelled = false;
  const check = () => {
    if (cancelled) throw new Error("Listening was cancelled");
  };
  const result = (async () => {
    await new Promise((resolve) => setImmediate(resolve));
    check();
    if (address.transport === "tcp") {
      const { ip, port } = address;
      return new DenoListener(deno.listen({ hostname: String(ip), port, tcpBacklog: options.backlog }), address);
    }
    if (address.path.startsWith("\0")) return new DenoListener(listenUnix(deno, address.path), address);
    const allows = (path: string) => isAllowed(() => permit("listen", unix(path), true));
    await removeStaleFiles(address.path, isRefused, allows);
    const dead = options.reuseAddr ? await findDeadSocket(address.path, isRefused) : undefined;
    check();
    return listenFile(deno, address, new SocketFile(address.path, { mode: options.mode, dead, allows }));
  })();
  return {
    result,
    cancel: () => {
      cancelled = true;
    },
  };
}

function listenFile(deno: DenoApi, address: StreamAddress, file: SocketFile): DenoListener {
  let server: DenoServer | undefined;
  try {
    server = listenUnix(deno, file.bindPath);
    file.publish();
    return new DenoListener(server, address, file);
  } catch (error) {
    file.close(() => server?.close());
    throw error;
  }
}

function listenUnix(deno: DenoApi, path: string): DenoServer {
  return deno.listen({ transport: "unix", path });
}

function isAllowed(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

/**
 * A listener of `Deno.listen`. It takes a connection from the system only when one is asked for, so
 * that it holds one at most.
 */
class DenoListener implements ProviderListener {
  readonly address: StreamAddress;
  readonly dropped = 0;
  readonly #server: DenoServer;
  readonly #file: SocketFile | undefined;
  readonly #watch: AcceptWatch = new AcceptWatch();
  #events: ProviderListenerEvents | undefined;
  /** The pending call of the system. Never rejects. */
  #accepting: Promise<void> | undefined;
  #accepted: DenoStream | undefined;
  #failure: { readonly error: unknown } | undefined;
  /** What was thrown in a callback, where no caller can catch it. */
  #broken: { readonly error: unknown } | undefined;
  #stopped = false;
  #closed = false;

  constructor(server: DenoServer, asked: StreamAddress, file?: SocketFile) {
    this.#server = server;
    this.#file = file;
    opened();
    this.address = asked.transport === "tcp" ? tcp(systemIp(server.addr.hostname), server.addr.port) : asked;
  }

  attach(events: ProviderListenerEvents): void {
    this.#events = events;
  }

  /** Checks an option that the connections are to inherit. */
  setOption(name: SocketOptionName): void {
    checkNativeOption(name);
  }

  accept(): DenoStream | undefined {
    if (this.#broken !== undefined) throw this.#broken.error;
    const failure = this.#failure;
    const stream = this.#accepted;
    this.#accepted = this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
    if (stream === undefined && !this.#stopped) this.#accepting ??= this.#acceptOne();
    return stream;
  }

  stopListening(): Promise<void> {
    return this.#watch.whenTaken(false, () => this.#stop());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    this.#accepted?.abort();
    await this.#accepting;
  }

  async #acceptOne(): Promise<void> {
    try {
      const stream = this.#streamOf(await this.#nextOne());
      this.#watch.arrived();
      if (this.#closed) return stream.abort();
      this.#accepted = stream;
    } catch (error) {
      if (this.#stopped) return;
      this.#failure = { error };
    } finally {
      this.#accepting = undefined;
    }
    try {
      this.#events?.acceptable();
    } catch (error) {
      this.#broken = { error };
      this.close().catch(() => {});
    }
  }

  /** Accepts one connection, except those that the peer has reset already: they have no address. */
  async #nextOne(): Promise<DenoConn> {
    for (;;) {
      try {
        return await this.#server.accept();
      } catch (error) {
        if ((error as { code?: unknown }).code !== "ENOTCONN") throw error;
      }
    }
  }

  #streamOf(conn: DenoConn): DenoStream {
    if (this.address.transport === "unix") return new DenoStream(conn, this.address, unnamed);
    const { localAddr, remoteAddr } = conn;
    const local = isAny(this.address) ? tcpEnd(localAddr.hostname, localAddr.port) : undefined;
    const peer = tcpEnd(remoteAddr.hostname, remoteAddr.port) ?? unnamed;
    return new DenoStream(conn, local ?? this.address, peer);
  }

  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    closed();
    const stop = () => this.#server.close();
    if (this.#file === undefined) stop();
    else this.#file.close(stop);
  }
}
