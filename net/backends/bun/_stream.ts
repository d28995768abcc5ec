// Copyright 2026 the Sluice authors. MIT license.

import type { Socket } from "node:net";
import { guard, type Linked } from "../../../base/internal.ts";
import { registerOwners, writeLimit } from "../../../flow/internal.ts";
import { awaitQuietInput, ReceiveQueue } from "../../../flow/node/internal.ts";
import type { SocketOptionName, SocketOptionValue, StreamAddress } from "../../internal.ts";
import type { ProviderStream, ProviderStreamEvents } from "../../provider/internal.ts";
import { NodeTcpOptions } from "../node/internal.ts";
import { closedBySystem, isAny, tcpEnd, unnamed } from "../shared/internal.ts";

/** The part of Bun's `Socket` used here, for compilers without Bun's types. */
export interface BunSocket {
  /** The stream of this socket, set when `open` is called. */
  data: BunStream;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /**
   * Writes what the system accepts now. Returns that byte count, or -1 if the socket is broken.
   * Unless everything was accepted, `drain` is called later.
   */
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  /** Shuts down the sending direction; reading continues. */
  shutdown(): void;
  /** Closes immediately, calling `close` before it returns. */
  close(): void;
  /** Closes immediately with a reset, calling `close` before it returns. */
  terminate(): void;
}

/** The callbacks of a listener, shared by all its sockets. */
export interface BunHandlers {
  /** The type of chunks. Converting a `Buffer` would cost 3 % of a short connection. */
  readonly binaryType: "uint8array";
  data(socket: BunSocket, chunk: Uint8Array<ArrayBuffer>): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

/**
 * A buffer in which small writes are joined into one system call, as Bun has no vectored write. It
 * is shared: the system has its copy when the call returns.
 */
let joined: Uint8Array | undefined;

/**
 * An accepted socket of `Bun.listen` as a non-blocking stream. It queues nothing: the system
 * accepts bytes at once, or they are not taken.
 */
export class BunStream implements ProviderStream, Linked<BunStream> {
  static {
    registerOwners((end) => #socket in end);
  }

  static readonly #onBroken = (error: unknown, socket: BunSocket): void => socket.data.#break(error);
  static readonly handlers: BunHandlers = {
    binaryType: "uint8array",
    data: guard(
      (socket: BunSocket, chunk: Uint8Array<ArrayBuffer>) => socket.data.#receive(chunk),
      BunStream.#onBroken,
    ),
    drain: guard((socket: BunSocket) => socket.data.#onDrain(), BunStream.#onBroken),
    end: guard((socket: BunSocket) => socket.data.#endOfInput(), BunStream.#onBroken),
    close: guard((socket: BunSocket, error?: Error) => socket.data.#closed(error), BunStream.#onBroken),
    error: guard((socket: BunSocket, error: Error) => socket.data.#break(error), BunStream.#onBroken),
  };

  readonly local: StreamAddress;
  readonly peer: StreamAddress;
  newer: BunStream | undefined = undefined;
  older: BunStream | undefined = undefined;
  readonly #socket: BunSocket;
  readonly #queue: ReceiveQueue = new ReceiveQueue();
  #events: ProviderStreamEvents | undefined;
  #received = 0;
  #options: NodeTcpOptions | undefined;
  #error: unknown;
  #paused = false;
  #full = false;
  #ended = false;
  #ending = false;
  #dropping = false;
  #gone = false;

  /** Reads the addresses now, as a closed socket no longer has them. */
  constructor(socket: BunSocket, listensOn: StreamAddress) {
    this.#socket = socket;
    socket.data = this;
    const { remoteAddress } = socket;
    this.peer = tcpEnd(remoteAddress, socket.remotePort) ?? unnamed;
    // Reading the local address costs a system call, so it is read only if it can differ.
    const isTcp = isAny(listensOn) && remoteAddress !== undefined;
    this.local = (isTcp ? tcpEnd(socket.localAddress, socket.localPort) : undefined) ?? listensOn;
  }

  /** Whether the system has closed the socket. */
  get gone(): boolean {
    return this.#gone;
  }

  get flushed(): boolean {
    return true;
  }

  /** Pauses reading until {@linkcode BunStream.attach} is called, unless it was called already. */
  hold(): void {
    if (this.#events === undefined) this.#pause();
  }

  attach(events: ProviderStreamEvents): void {
    this.#events = events;
    if (this.#gone) events.closed();
    else this.#resume();
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    const { first } = this.#queue;
    if (first !== undefined) return first;
    if (this.#ended) return null;
    this.#check();
    return undefined;
  }

  consume(size: number): boolean {
    const more = this.#queue.consume(size);
    if (this.#paused && this.#queue.low) this.#resume();
    return more;
  }

  drop(): void {
    this.#dropping = true;
    this.#queue.clear();
    this.#resume();
  }

  write(bytes: Uint8Array): number {
    this.#check();
    const taken = this.#send(bytes);
    if (taken === 0) this.#check();
    return taken;
  }

  give(buffers: readonly Uint8Array[]): number {
    this.#check();
    let taken = 0;
    for (let i = 0; i < buffers.length && !this.#full;) {
      const count = joinable(buffers, i);
      taken += this.#send(count === 1 ? buffers[i] : join(buffers, i, count));
      i += count;
    }
    if (taken === 0) this.#check();
    return taken;
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    if (!this.#gone) this.#socket.shutdown();
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    this.#tcpOptions().setOption(name, value);
  }

  getOption(name: SocketOptionName): number | boolean | undefined {
    return this.#tcpOptions().getOption(name);
  }

  close(): void {
    if (!this.#dropping || this.#ended) return this.#socket.close();
    // Closing with unread input would reset the connection, so the peer would lose sent data.
    awaitQuietInput(() => this.#ended || this.#gone ? undefined : this.#received)
      .then(() => this.#socket.close(), () => {});
  }

  abort(): void {
    this.#socket.terminate();
  }

  /** Writes what the system accepts now; returns 0 on failure too. */
  #send(bytes: Uint8Array): number {
    if (this.#full) return 0;
    const taken = this.#socket.write(bytes);
    if (taken === bytes.length) return taken;
    this.#full = true;
    if (taken >= 0) return taken;
    this.#error ??= closedBySystem;
    return 0;
  }

  #receive(chunk: Uint8Array<ArrayBuffer>): void {
    this.#received += chunk.length;
    if (this.#dropping) return;
    this.#queue.add(chunk);
    this.#events?.readable();
    if (this.#queue.full) this.#pause();
  }

  #onDrain(): void {
    this.#full = false;
    this.#events?.writable();
  }

  #endOfInput(): void {
    this.#ended = true;
    this.#events?.readable();
  }

  /** Called when both directions have ended: Bun then skips `end`. Or when the socket failed. */
  #closed(error: Error | undefined): void {
    if (this.#gone) return;
    this.#gone = true;
    if (this.#ending && error === undefined && this.#error === undefined) this.#ended = true;
    this.#full = false;
    this.#error ??= error ?? closedBySystem;
    this.#events?.closed();
  }

  /** Fails the stream with an error thrown in a callback, where no caller can catch it. */
  #break(error: unknown): void {
    this.#error ??= error;
    if (!this.#gone) this.#socket.terminate();
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  #pause(): void {
    if (this.#paused || this.#gone) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#gone) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #tcpOptions(): NodeTcpOptions {
    // Bun's sockets have the option methods of Node's.
    return this.#options ??= new NodeTcpOptions(this.#socket as unknown as Socket);
  }
}

/** Returns how many buffers, starting at `from`, fit in one joined write. */
function joinable(buffers: readonly Uint8Array[], from: number): number {
  let size = buffers[from].length;
  let end = from + 1;
  while (end < buffers.length && (size += buffers[end].length) <= writeLimit) end++;
  return end - from;
}

function join(buffers: readonly Uint8Array[], from: number, count: number): Uint8Array {
  joined ??= new Uint8Array(writeLimit);
  let size = 0;
  for (let i = from; i < from + count; i++) {
    joined.set(buffers[i], size);
    size += buffers[i].length;
  }
  return joined.subarray(0, size);
}
