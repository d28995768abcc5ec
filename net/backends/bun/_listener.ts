// Copyright 2026 the Sluice authors. MIT license.

import { setImmediate } from "node:timers";
import { guard } from "../../../base/internal.ts";
import { NetError, type StreamAddress, tcp } from "../../internal.ts";
import type { Attempt } from "../../internal.ts";
import type { ProviderListener, ProviderListenerEvents, ProviderListenOptions } from "../../provider/internal.ts";
import { AcceptBacklog, hostText } from "../shared/internal.ts";
import {
  descriptorLimitError,
  findDeadSocket,
  isOutOfDescriptors,
  isRefusedOnBun,
  removeStaleFiles,
  SocketFile,
} from "../unix/internal.ts";
import { type BunHandlers, type BunSocket, BunStream } from "./_stream.ts";

/** The part of the `Bun` global used here, for compilers without Bun's types. */
export interface BunApi {
  listen(options: BunListenOptions): BunServer;
}

/** The options of `Bun.listen`. */
interface BunListenOptions {
  readonly unix?: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly reusePort?: boolean;
  readonly ipv6Only?: boolean;
  readonly allowHalfOpen: boolean;
  readonly socket: BunHandlers & { open(socket: BunSocket): void };
}

interface BunServer {
  readonly port: number;
  /** Stops listening, and removes the file of a Unix socket. */
  stop(closesConnections: boolean): void;
}

/**
 * Begins to listen with `Bun.listen`. That call is synchronous, so it is delayed by one turn of the
 * event loop: an attempt cancelled at once never binds. Bun always passes the system a backlog of
 * 512; the requested one is enforced here.
 */
export function listenBun(
  bun: BunApi,
  address: StreamAddress,
  options: ProviderListenOptions,
): Attempt<ProviderListener> {
  let cancelled = false;
  const result = (async () => {
    const isFile = address.transport === "unix" && !address.path.startsWith("\0");
    if (isFile) await removeStaleFiles(address.path, isRefusedOnBun, () => true);
    const dead = isFile && options.reuseAddr ? await findDeadSocket(address.path, isRefusedOnBun) : undefined;
    await new Promise((resolve) => setImmediate(resolve));
    if (cancelled) throw new Error("Listening was cancelled");
    const fileOptions = { mode: options.mode, dead, allows: () => true };
    return new BunListener(bun, address, options, isFile ? new SocketFile(address.path, fileOptions) : undefined);
  })();
  return {
    result,
    cancel: () => {
      cancelled = true;
    },
  };
}

/**
 * A server of `Bun.listen`. Bun accepts on its own, so connections not yet taken are kept here,
 * paused, up to the backlog.
 */
class BunListener implements ProviderListener {
  readonly address: StreamAddress;
  readonly #server: BunServer;
  readonly #file: SocketFile | undefined;
  readonly #backlog: AcceptBacklog<BunStream>;
  #stopped = false;
  #broken: { readonly error: unknown } | undefined;
  #events: ProviderListenerEvents | undefined;

  constructor(bun: BunApi, asked: StreamAddress, options: ProviderListenOptions, file: SocketFile | undefined) {
    const { backlog, reusePort, ipv6Only } = options;
    this.#backlog = new AcceptBacklog(backlog);
    this.#file = file;
    const place = asked.transport === "unix"
      ? { unix: file?.bindPath ?? asked.path }
      : { hostname: hostText(asked.ip), port: asked.port, reusePort, ipv6Only };
    const socket = {
      ...BunStream.handlers,
      open: guard((socket: BunSocket) => this.#keep(socket), (error) => this.#break(error)),
    };
    try {
      // allowHalfOpen: the end of input does not close the connection.
      this.#server = bun.listen({ ...place, allowHalfOpen: true, socket });
    } catch (error) {
      file?.close(() => {});
      throw explained(error, asked);
    }
    this.address = asked.transport === "unix" ? asked : tcp(asked.ip, this.#server.port);
    try {
      file?.publish();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get dropped(): number {
    return this.#backlog.dropped;
  }

  stopListening(): Promise<void> {
    return this.#backlog.whenTaken(false, () => this.#stop());
  }

  attach(events: ProviderListenerEvents): void {
    this.#events = events;
  }

  /** Fails the listener with an error thrown in a callback, where no caller can catch it. */
  #break(error: unknown): void {
    if (this.#broken !== undefined) return;
    this.#broken = { error };
    this.close().catch(() => {});
    this.#events?.acceptable();
  }

  accept(): BunStream | undefined {
    if (this.#broken !== undefined) throw this.#broken.error;
    return this.#backlog.take();
  }

  close(): Promise<void> {
    try {
      this.#stop();
      this.#backlog.abort();
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const stop = () => this.#server.stop(false);
    if (this.#file === undefined) stop();
    else this.#file.close(stop);
  }

  #keep(socket: BunSocket): void {
    let stream: BunStream;
    try {
      stream = new BunStream(socket, this.address);
    } catch {
      return socket.terminate(); // an unreadable peer address does not fail the listener
    }
    // The peer reset the connection before it was accepted, so it has no address: nothing to serve.
    if (this.address.transport === "tcp" && stream.peer.transport === "unix") return stream.abort();
    if (!this.#backlog.add(stream)) return this.#events?.overflowing();
    this.#events?.acceptable();
    stream.hold(); // costs two system calls, which a waiting `accept()` saves
  }
}

/** The longest abstract name in UTF-8 bytes: Bun reserves one for a NUL terminator. */
const maxAbstractBytes = 106;

/** Returns a more precise error than Bun's, which has no code for some failures to listen. */
function explained(error: unknown, asked: StreamAddress): unknown {
  if (isOutOfDescriptors()) return descriptorLimitError(error);
  if (asked.transport !== "unix" || !asked.path.startsWith("\0")) return error;
  if (new TextEncoder().encode(asked.path.slice(1)).length <= maxAbstractBytes) return error;
  const remedy = `on Bun, abstract names have at most ${maxAbstractBytes} bytes`;
  return new NetError("not_supported", { operation: "listen", address: asked, remedy, cause: error });
}
