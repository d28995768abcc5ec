// Copyright 2026 the Sluice authors. MIT license.

import { createServer, type Server, type Socket } from "node:net";
import { clearInterval, setImmediate, setInterval } from "node:timers";
import { guard } from "../../../base/internal.ts";
import { type StreamAddress, tcp, unix } from "../../internal.ts";
import type { Attempt } from "../../internal.ts";
import type { ProviderListener, ProviderListenerEvents, ProviderListenOptions } from "../../provider/internal.ts";
import { AcceptBacklog, hostText, type PermissionCheck, systemIp, unnamed } from "../shared/internal.ts";
import { bindError, findDeadSocket, removeStaleFiles, SocketFile } from "../unix/internal.ts";
import type { NodeQuirks } from "./_quirks.ts";
import { NodeStream } from "./_stream.ts";

/** How often, in milliseconds, a listener is told to listen again in case it stopped accepting. */
const relistenInterval = 500;

/** Begins to listen with `node:net`. */
export function listenNode(
  address: StreamAddress,
  options: ProviderListenOptions,
  permit: PermissionCheck,
  quirks: NodeQuirks,
): Attempt<ProviderListener> {
  permit("listen", address);
  let cancelled = false;
  const result = (async () => {
    if (address.transport !== "unix" || address.path.startsWith("\0")) return await start(address, options, quirks);
    const allows = (path: string) => isAllowed(() => permit("listen", unix(path), true));
    await removeStaleFiles(address.path, quirks.isDead, allows);
    const dead = options.reuseAddr ? await findDeadSocket(address.path, quirks.isDead) : undefined;
    if (cancelled) throw new Error("Listening was cancelled");
    return await start(address, options, quirks, new SocketFile(address.path, { mode: options.mode, dead, allows }));
  })();
  return {
    result,
    cancel: () => {
      cancelled = true;
    },
  };
}

function isAllowed(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}

function start(
  address: StreamAddress,
  options: ProviderListenOptions,
  quirks: NodeQuirks,
  file?: SocketFile,
): Promise<ProviderListener> {
  // pauseOnConnect: connections not yet accepted are not read. allowHalfOpen: the end of input does
  // not close the connection.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  return new Promise((resolve, reject) => {
    const abandon = (error: unknown) => {
      server.close();
      file?.close(() => {});
      reject(error);
    };
    const failed = guard((error: Error) => {
      file?.close(() => {});
      reject(file === undefined ? error : bindError(file.bindPath, error));
    }, reject);
    server.once("error", failed);
    server.once(
      "listening",
      guard(() => {
        server.off("error", failed);
        const listener = new NodeListener(server, address, options.backlog, file, quirks);
        try {
          file?.publish();
          resolve(listener);
        } catch (error) {
          listener.close().then(() => reject(error), () => reject(error));
        }
      }, abandon),
    );
    const { backlog, reusePort, ipv6Only } = options;
    // exclusive: in a `node:cluster` worker too, the listener belongs to this process.
    if (address.transport === "unix") {
      server.listen({ path: file?.bindPath ?? address.path, backlog, exclusive: true });
    } else {
      server.listen({ host: hostText(address.ip), port: address.port, backlog, reusePort, ipv6Only, exclusive: true });
    }
  });
}

/**
 * A server of `node:net`. The runtime accepts on its own, so connections not yet taken are kept
 * here, paused, up to the backlog.
 */
class NodeListener implements ProviderListener {
  readonly address: StreamAddress;
  readonly #server: Server;
  readonly #quirks: NodeQuirks;
  readonly #backlog: AcceptBacklog<NodeStream>;
  readonly #file: SocketFile | undefined;
  #stopped: Promise<void> | undefined;
  #relistening: NodeJS.Timeout | undefined;
  #events: ProviderListenerEvents | undefined;
  #error: unknown;
  #broken: { readonly error: unknown } | undefined;

  constructor(
    server: Server,
    asked: StreamAddress,
    backlog: number,
    file: SocketFile | undefined,
    quirks: NodeQuirks,
  ) {
    this.#server = server;
    this.#quirks = quirks;
    this.#backlog = new AcceptBacklog(backlog);
    this.#file = file;
    this.address = asked.transport === "unix" ? asked : boundTo(server);
    const broken = (error: unknown) => this.#break(error);
    const { relisten } = quirks;
    if (asked.transport === "tcp" && relisten !== undefined) {
      this.#relistening = setInterval(guard(() => relisten(server, backlog), broken), relistenInterval);
      this.#relistening.unref();
    }
    server.on(
      "error",
      guard((error: Error) => {
        this.#error = error;
        this.#events?.acceptable();
      }, broken),
    );
    server.on("connection", guard((socket: Socket) => this.#keep(socket), broken));
  }

  get dropped(): number {
    return this.#backlog.dropped;
  }

  /** Fails the listener with an error thrown in a callback, where no caller can catch it. */
  #break(error: unknown): void {
    if (this.#broken !== undefined) return;
    this.#broken = { error };
    this.close().catch(() => {});
    this.#events?.acceptable();
  }

  stopListening(): Promise<void> {
    return this.#backlog.whenTaken(this.#quirks.takesAll, () => this.#stop());
  }

  attach(events: ProviderListenerEvents): void {
    this.#events = events;
  }

  accept(): NodeStream | undefined {
    if (this.#broken !== undefined) throw this.#broken.error;
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      throw error;
    }
    return this.#backlog.take();
  }

  close(): Promise<void> {
    const stopped = this.#stop();
    this.#backlog.abort();
    return stopped;
  }

  #stop(): Promise<void> {
    return this.#stopped ??= this.#stopServer();
  }

  async #stopServer(): Promise<void> {
    clearInterval(this.#relistening);
    const closed = new Promise<void>((resolve) => {
      const stop = () => void this.#server.close(() => resolve());
      if (this.#file === undefined) stop();
      else this.#file.close(stop);
    });
    // The server closes only after its connections, which have their own owners. It is enough that
    // the port is free and the path removed.
    await Promise.race([closed, new Promise<void>((resolve) => setImmediate(resolve))]);
  }

  #keep(socket: Socket): void {
    const isTcp = this.address.transport === "tcp";
    const stream = new NodeStream(socket, isTcp ? this.#quirks.whenWritable : undefined);
    try {
      stream.readAddresses(this.address, unnamed);
    } catch {
      return stream.abort(); // an unreadable peer address does not fail the listener
    }
    // The peer reset the connection before it was accepted, so it has no address: nothing to serve.
    if (isTcp && stream.peer.transport === "unix") return stream.abort();
    if (this.#backlog.add(stream)) this.#events?.acceptable();
    else this.#events?.overflowing();
  }
}

function boundTo(server: Server): StreamAddress {
  const { address, port } = server.address() as { address: string; port: number };
  return tcp(systemIp(address), port);
}
