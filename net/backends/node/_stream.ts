// Copyright 2026 the Sluice authors. MIT license.

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { guard, type Linked } from "../../../base/internal.ts";
import { registerOwners } from "../../../flow/internal.ts";
import { Incoming, Outgoing } from "../../../flow/node/internal.ts";
import type { SocketOptionName, SocketOptionValue, StreamAddress } from "../../internal.ts";
import type { ProviderStream, ProviderStreamEvents } from "../../provider/internal.ts";
import { closedBySystem, isAny, tcpEnd, unnamed } from "../shared/internal.ts";
import { NodeTcpOptions } from "./_option.ts";
import type { NodeQuirks } from "./_quirks.ts";

/**
 * The key under which a socket stores its stream. All sockets share the same listener functions,
 * which saves about 600 bytes per socket.
 */
const stream: unique symbol = Symbol("stream");

/** A socket with the handle that Node itself asks whether a slow write makes progress. */
interface SocketWithHandle extends Socket {
  readonly _handle?: { readonly writeQueueSize?: number } | null;
}

/** A socket with its stream; `this` in listeners. */
interface Owned extends Socket {
  [stream]: NodeStream;
}

/**
 * A `node:net` socket as a non-blocking stream. It is constructed together with the socket, so that
 * an `'error'` event always has a listener.
 */
export class NodeStream implements ProviderStream, Linked<NodeStream> {
  static {
    registerOwners((end) => #socket in end);
  }

  static readonly #onBroken = function (this: Socket, error: unknown): void {
    (this as Owned)[stream].#break(error);
  };
  static readonly #onError = guard(function (this: Socket, error: Error): void {
    (this as Owned)[stream].#fail(error);
  }, NodeStream.#onBroken);
  static readonly #onData = guard(function (this: Socket, chunk: Buffer<ArrayBuffer>): void {
    (this as Owned)[stream].#handleData(chunk);
  }, NodeStream.#onBroken);
  static readonly #onEnd = guard(function (this: Socket): void {
    (this as Owned)[stream].#handleEnd();
  }, NodeStream.#onBroken);
  static readonly #onClose = guard(function (this: Socket): void {
    (this as Owned)[stream].#handleClose();
  }, NodeStream.#onBroken);

  newer: NodeStream | undefined = undefined;
  older: NodeStream | undefined = undefined;
  readonly #socket: Socket;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  #events: ProviderStreamEvents | undefined;
  #local: StreamAddress = unnamed;
  #peer: StreamAddress = unnamed;
  #options: NodeTcpOptions | undefined;
  #gone = false;
  #hadUnreadInput = false;
  #error: unknown;
  #isBroken = false;
  #awaitsWritable = false;
  /** Waits until writing to the socket loses no bytes; undefined once that holds. */
  #whenWritable: NodeQuirks["whenWritable"];

  /** @param whenWritable {@linkcode NodeQuirks.whenWritable}, for an accepted TCP socket. */
  constructor(socket: Socket, whenWritable?: NodeQuirks["whenWritable"]) {
    this.#socket = socket;
    this.#whenWritable = whenWritable;
    this.#incoming = new Incoming(socket);
    // Deno queues the first write of an accepted connection.
    this.#outgoing = new Outgoing(socket, this, false, whenWritable === undefined);
    (socket as Owned)[stream] = this;
    socket.on("error", NodeStream.#onError);
    socket.on("close", NodeStream.#onClose);
  }

  /** Called by the incoming half when input arrives. */
  readable(): void {
    try { // not guard(): this runs for each chunk
      this.#events?.readable();
    } catch (error) {
      this.#break(error);
    }
  }

  /** Called by the outgoing half when it takes bytes again. */
  writable(): void {
    try { // not guard(): this runs for each chunk
      this.#events?.writable();
    } catch (error) {
      this.#break(error);
    }
  }

  #handleData(chunk: Buffer<ArrayBuffer>): void {
    this.#setWritable();
    this.#incoming.take(chunk);
  }

  #handleEnd(): void {
    this.#setWritable();
    this.#incoming.finish();
  }

  /** Marks the socket as writable without loss. */
  #setWritable(): void {
    if (this.#whenWritable === undefined) return;
    this.#whenWritable = undefined;
    if (this.#awaitsWritable) this.writable();
  }

  #handleClose(): void {
    this.#gone = true;
    this.#fail(closedBySystem);
    this.#events?.closed();
  }

  /** Fails the stream with an error thrown in a callback, where no caller can catch it. */
  #break(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#socket.destroy();
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#error ??= error;
    this.#incoming.fail(error);
    this.#outgoing.fail(error);
  }

  /** The error that broke the socket, if any. */
  get error(): unknown {
    return this.#error;
  }

  /** Whether the system has closed the socket. */
  get gone(): boolean {
    return this.#gone;
  }

  get local(): StreamAddress {
    return this.#local;
  }

  get peer(): StreamAddress {
    return this.#peer;
  }

  /**
   * Reads the addresses now, because a closed socket no longer has them. The arguments replace
   * those that runtimes do not report (of Unix sockets), and a local address that is known already,
   * which saves a system call for each connection.
   */
  readAddresses(local: StreamAddress, peer: StreamAddress): this {
    const { remoteAddress, remotePort } = this.#socket;
    this.#peer = tcpEnd(remoteAddress, remotePort) ?? peer;
    this.#local = local.transport === "unix" || isAny(local) ? this.#readLocalAddress() ?? local : local;
    return this;
  }

  #readLocalAddress(): StreamAddress | undefined {
    const { localAddress, localPort } = this.#socket;
    return tcpEnd(localAddress, localPort);
  }

  attach(events: ProviderStreamEvents): void {
    this.#events = events;
    if (this.#gone) return events.closed();
    this.#socket.on("data", NodeStream.#onData);
    this.#socket.on("end", NodeStream.#onEnd);
    this.#incoming.attach(this);
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    return this.#incoming.peek();
  }

  consume(size: number): boolean {
    return this.#incoming.consume(size);
  }

  drop(): void {
    this.#hadUnreadInput ||= this.#incoming.unread;
    this.#incoming.drop();
  }

  write(bytes: Uint8Array): number {
    return this.#mustWait() ? 0 : this.#outgoing.write(bytes);
  }

  give(buffers: readonly Uint8Array[], owned?: boolean): number {
    return this.#mustWait() ? 0 : this.#outgoing.give(buffers, owned);
  }

  /** Reports whether bytes written now could be lost. If so, `writable` is called later. */
  #mustWait(): boolean {
    if (this.#whenWritable === undefined) return false;
    if (this.#awaitsWritable) return true;
    this.#awaitsWritable = true;
    this.#whenWritable(guard(() => this.#setWritable(), (error) => this.#break(error)));
    return true;
  }

  end(): void {
    this.#outgoing.end();
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    (this.#options ??= new NodeTcpOptions(this.#socket)).setOption(name, value);
  }

  getOption(name: SocketOptionName): number | boolean | undefined {
    return (this.#options ??= new NodeTcpOptions(this.#socket)).getOption(name);
  }

  get lost(): { readonly error: unknown } | undefined {
    return this.#outgoing.lost;
  }

  get flushed(): boolean {
    return this.#gone || this.#outgoing.flushed;
  }

  /** What the system has yet to take of a write, where the runtime tells: Node. */
  get unsent(): number {
    return (this.#socket as SocketWithHandle)._handle?.writeQueueSize || this.#outgoing.unsent;
  }

  close(): void {
    if (!this.#hadUnreadInput) this.#socket.destroy();
    // Closing with unread input would reset the connection, so the peer would lose sent data.
    else this.#incoming.settled().then(() => this.#socket.destroy(), () => {});
  }

  abort(): void {
    const { writableEnded, writableFinished, writableLength } = this.#socket;
    if (this.#peer.transport !== "tcp") this.#socket.destroy();
    // Node cannot reset a socket while its FIN is being sent, and would then never close it. That
    // takes one turn at most.
    else if (writableEnded && !writableFinished && writableLength === 0) {
      this.#socket.once("finish", () => this.#socket.resetAndDestroy());
    } else this.#socket.resetAndDestroy();
    this.writable(); // wakes a flush, which can no longer succeed
  }
}
