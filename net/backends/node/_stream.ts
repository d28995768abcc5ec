// Copyright 2026 the Sluice authors. MIT license.

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { guard, open } from "../../../base/internal.ts";
import { registerOwners } from "../../../flow/internal.ts";
import { Incoming, Outgoing } from "../../../flow/node/internal.ts";
import type { SocketOptionName, SocketOptionValue, StreamAddress } from "../../internal.ts";
import type { ProviderStream, ProviderStreamEvents } from "../../provider/internal.ts";
import { closedBySystem, isAny, tcpEnd, unnamed } from "../shared/internal.ts";
import { NodeTcpOptions } from "./_option.ts";
import type { NodeQuirks } from "./_quirks.ts";

/** Where a socket knows its stream: the listeners are the same functions for all sockets, which spares each some 600 bytes. */
const stream: unique symbol = Symbol("stream");

/** A socket that has a stream, as a listener's `this`. */
interface Owned extends Socket {
  [stream]: NodeStream;
}

/** A socket of `node:net` as a non-blocking stream. Made as soon as there is a socket, so that no `'error'` event is ever without a listener. */
export class NodeStream implements ProviderStream {
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
    (this as Owned)[stream].#arrived(chunk);
  }, NodeStream.#onBroken);
  static readonly #onEnd = guard(function (this: Socket): void {
    (this as Owned)[stream].#ended();
  }, NodeStream.#onBroken);
  static readonly #onClose = guard(function (this: Socket): void {
    (this as Owned)[stream].#closed();
  }, NodeStream.#onBroken);

  readonly #socket: Socket;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  #events: ProviderStreamEvents | undefined;
  #local: StreamAddress = unnamed;
  #peer: StreamAddress = unnamed;
  #options: NodeTcpOptions | undefined;
  #gone = false;
  #unread = false;
  #error: unknown;
  #isBroken = false;
  #waits = false;
  /** Waits until the socket can be written to without loss; undefined once it can. */
  #whenWritable: NodeQuirks["whenWritable"];

  /** @param whenWritable What an accepted TCP socket of this runtime needs before it is written to. */
  constructor(socket: Socket, whenWritable?: NodeQuirks["whenWritable"]) {
    open.sockets++;
    this.#socket = socket;
    this.#whenWritable = whenWritable;
    this.#incoming = new Incoming(socket);
    this.#outgoing = new Outgoing(socket, this);
    (socket as Owned)[stream] = this;
    socket.on("error", NodeStream.#onError);
    socket.on("close", NodeStream.#onClose);
  }

  /** The incoming half says so. */
  readable(): void {
    try { // not by a closure, for this is called for each piece
      this.#events?.readable();
    } catch (error) {
      this.#break(error);
    }
  }

  /** The outgoing half says so. */
  writable(): void {
    try { // not by a closure, for this is called for each piece
      this.#events?.writable();
    } catch (error) {
      this.#break(error);
    }
  }

  #arrived(chunk: Buffer<ArrayBuffer>): void {
    this.#isWritable();
    this.#incoming.take(chunk);
  }

  #ended(): void {
    this.#isWritable();
    this.#incoming.finish();
  }

  /** From now on the socket can be written to without loss. */
  #isWritable(): void {
    if (this.#whenWritable === undefined) return;
    this.#whenWritable = undefined;
    if (this.#waits) this.writable();
  }

  #closed(): void {
    open.sockets--;
    this.#gone = true;
    this.#fail(closedBySystem);
    this.#events?.closed();
  }

  /** Fails the stream for what was thrown in a callback, where no one else can be told. */
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

  /** What broke the socket, if anything has. */
  get error(): unknown {
    return this.#error;
  }

  /** Whether the system has closed the socket already. */
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
   * Reads the addresses while the socket has them. Of a Unix socket the runtimes know none, so they are told; and so is the local one where it can be no
   * other, which spares a system call for each connection.
   */
  named(local: StreamAddress, peer: StreamAddress): this {
    const { remoteAddress, remotePort } = this.#socket;
    this.#peer = remoteAddress === undefined ? peer : tcpEnd(remoteAddress, remotePort as number);
    this.#local = local.transport === "unix" || isAny(local) ? this.#ownAddress() ?? local : local;
    return this;
  }

  #ownAddress(): StreamAddress | undefined {
    const { localAddress, localPort } = this.#socket;
    return localAddress === undefined ? undefined : tcpEnd(localAddress, localPort as number);
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
    this.#unread ||= this.#incoming.unread;
    this.#incoming.drop();
  }

  write(bytes: Uint8Array): number {
    return this.#mustWait() ? 0 : this.#outgoing.write(bytes);
  }

  give(buffers: readonly Uint8Array[], owned?: boolean): number {
    return this.#mustWait() ? 0 : this.#outgoing.give(buffers, owned);
  }

  /** Whether what is written now could be lost. If so, `writable` follows. */
  #mustWait(): boolean {
    if (this.#whenWritable === undefined) return false;
    if (this.#waits) return true;
    this.#waits = true;
    this.#whenWritable(guard(() => this.#isWritable(), (error) => this.#break(error)));
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

  close(): void {
    if (!this.#unread) this.#socket.destroy();
    // With unread input the system would reset the connection, and the other side lose what it was sent before.
    else this.#incoming.settled().then(() => this.#socket.destroy(), () => {});
  }

  abort(): void {
    const { writableEnded, writableFinished, writableLength } = this.#socket;
    if (this.#peer.transport !== "tcp") this.#socket.destroy();
    // While the end is on its way to the system, Node cannot reset a socket, and would never close it then. It takes no longer than a turn.
    else if (writableEnded && !writableFinished && writableLength === 0) {
      this.#socket.once("finish", () => this.#socket.resetAndDestroy());
    } else this.#socket.resetAndDestroy();
    this.writable(); // whoever waits for taken bytes to go out waits in vain
  }
}
