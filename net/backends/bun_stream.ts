// Copyright 2026 the Sluice authors. MIT license.

import type { Socket } from "node:net";
import { setTimeout } from "node:timers";
import { writeLimit } from "../../flow/stream_end.ts";
import { open } from "../../switch/counter.ts";
import type { StreamAddress } from "../address.ts";
import type { ProviderStream, ProviderStreamEvents } from "../provider.ts";
import type { SocketOptionName, SocketOptionValue } from "../socket_option.ts";
import { NodeTcpOptions } from "./node_option.ts";
import { isAny, tcpEnd, unnamed } from "./peer.ts";

/** What is used of a socket of Bun, for the compilers that do not know it. */
export interface BunSocket {
  /** Whose it is, from the call `open` on. */
  data: BunStream;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Gives the system what it takes now, and says how much; -1 when the socket is broken. The call `drain` follows unless that was all. */
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  /** Ends the sending direction, and goes on reading. */
  shutdown(): void;
  /** Closes at once. The call `close` comes before it returns. */
  close(): void;
  /** The same by a reset. */
  terminate(): void;
}

/** What Bun calls, for all sockets alike. */
export interface BunHandlers {
  /** What the chunks are. Plain ones, for a plain view of a `Buffer` is 3 % of a short connection. */
  readonly binaryType: "uint8array";
  data(socket: BunSocket, chunk: Uint8Array<ArrayBuffer>): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

/** How many bytes that nobody has read are kept before the socket is paused. One chunk of Bun's may have half a MiB. */
const receiveLimit = 64 * 1024;

/** And how many chunks, for each costs memory beside its bytes: a peer that sends single bytes must not cost a hundred times what it sends. */
const chunkLimit = 128;

/** When what has arrived counts as read. */
const quietTurns = 2;
const mostTurns = 50;

/** Where small pieces are joined, to be one system call. Bun has no other way, and the system has its copy when the call is over. */
let joined: Uint8Array | undefined;

/** An accepted socket of `Bun.listen` as a non-blocking stream. What is written goes to the system or is not taken, so nothing is ever queued here. */
export class BunStream implements ProviderStream {
  static readonly handlers: BunHandlers = {
    binaryType: "uint8array",
    data: (socket, chunk) => socket.data.#receive(chunk),
    drain: (socket) => socket.data.#drained(),
    end: (socket) => socket.data.#endOfInput(),
    close: (socket, error) => socket.data.#closed(error),
    error: (socket, error) => socket.data.#broken(error),
  };

  readonly local: StreamAddress;
  readonly peer: StreamAddress;
  readonly #socket: BunSocket;
  #events: ProviderStreamEvents | undefined;
  /** The first chunk that nobody has read; and the others, for most often there are none. */
  #chunk: Uint8Array<ArrayBuffer> | undefined;
  #later: Uint8Array<ArrayBuffer>[] | undefined;
  #size = 0;
  #received = 0;
  #options: NodeTcpOptions | undefined;
  #error: unknown;
  #paused = false;
  #full = false;
  #ended = false;
  #ending = false;
  #dropping = false;
  #gone = false;

  /** Reads the addresses while the socket has them. */
  constructor(socket: BunSocket, listensOn: StreamAddress) {
    open.sockets++;
    this.#socket = socket;
    socket.data = this;
    const { remoteAddress } = socket;
    this.peer = remoteAddress === undefined ? unnamed : tcpEnd(remoteAddress, socket.remotePort);
    // The local address, where it can be no other, is not worth a system call for each connection.
    this.local = isAny(listensOn) && remoteAddress !== undefined
      ? tcpEnd(socket.localAddress, socket.localPort)
      : listensOn;
  }

  /** Whether the system has closed the socket already. */
  get gone(): boolean {
    return this.#gone;
  }

  get flushed(): boolean {
    return true;
  }

  /** Reads nothing until {@linkcode BunStream.attach}, if that has yet to come. */
  hold(): void {
    if (this.#events === undefined) this.#pause();
  }

  attach(events: ProviderStreamEvents): void {
    this.#events = events;
    if (this.#gone) events.closed();
    else this.#resume();
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    if (this.#chunk !== undefined) return this.#chunk;
    if (this.#ended) return null;
    this.#check();
    return undefined;
  }

  consume(size: number): boolean {
    const chunk = this.#chunk as Uint8Array<ArrayBuffer>;
    this.#chunk = size === chunk.length ? this.#later?.shift() : chunk.subarray(size);
    this.#size -= size;
    if (this.#paused && !this.#holds(receiveLimit / 2, chunkLimit / 2)) this.#resume();
    return this.#chunk !== undefined;
  }

  drop(): void {
    this.#dropping = true;
    this.#chunk = this.#later = undefined;
    this.#size = 0;
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

  getOption(name: SocketOptionName): number | undefined {
    return this.#tcpOptions().getOption(name);
  }

  close(): void {
    if (!this.#dropping || this.#ended) this.#socket.close();
    // With unread input the system would reset the connection, and the other side lose what it was sent before.
    else this.#settled().then(() => this.#socket.close());
  }

  abort(): void {
    this.#socket.terminate();
  }

  /** Gives to the system what it takes now; 0 also when that breaks. */
  #send(bytes: Uint8Array): number {
    if (this.#full) return 0;
    const taken = this.#socket.write(bytes);
    if (taken === bytes.length) return taken;
    this.#full = true;
    if (taken >= 0) return taken;
    this.#error ??= broken;
    return 0;
  }

  #receive(chunk: Uint8Array<ArrayBuffer>): void {
    this.#received += chunk.length;
    if (this.#dropping) return;
    if (this.#chunk === undefined) this.#chunk = chunk;
    else (this.#later ??= []).push(chunk);
    this.#size += chunk.length;
    this.#events?.readable();
    if (this.#holds(receiveLimit, chunkLimit)) this.#pause();
  }

  /** Whether as much as that is here, or as many chunks. */
  #holds(bytes: number, chunks: number): boolean {
    return this.#size >= bytes || (this.#later !== undefined && this.#later.length + 1 >= chunks);
  }

  #drained(): void {
    this.#full = false;
    this.#events?.writable();
  }

  #endOfInput(): void {
    this.#ended = true;
    this.#events?.readable();
  }

  /** Both directions are over, and then the end of input is not told, or an error was found. */
  #closed(error: Error | undefined): void {
    if (this.#gone) return;
    open.sockets--;
    this.#gone = true;
    if (this.#ending && error === undefined && this.#error === undefined) this.#ended = true;
    this.#full = false;
    this.#error ??= error ?? broken;
    this.#events?.closed();
  }

  /** Something of ours threw in a call of Bun's. */
  #broken(error: Error): void {
    this.#error ??= error;
    this.#socket.terminate();
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

  /** Waits until what the system has received is read, as far as can be told: until some turns have brought nothing, or there were too many. */
  async #settled(): Promise<void> {
    for (let turn = 0, quiet = 0; turn < mostTurns && quiet < quietTurns && !this.#ended && !this.#gone; turn++) {
      const before = this.#received;
      await new Promise((resolve) => setTimeout(resolve, 1)); // a turn without time is over before any input is looked for
      quiet = this.#received === before ? quiet + 1 : 0;
    }
  }

  #tcpOptions(): NodeTcpOptions {
    return this.#options ??= new NodeTcpOptions(this.#socket as unknown as Socket); // whose methods for it a socket of Bun has
  }
}

/** How many buffers, from one on, can be joined. */
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

/** What every closed socket has to say at last, which nobody hears as a rule: one for all, so that closing makes no stack trace. */
const broken: Error = Object.freeze(
  Object.assign(new Error("The socket was closed by the system"), { code: "ECONNRESET" }),
);
