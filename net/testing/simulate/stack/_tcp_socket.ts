// Copyright 2026 the Sluice authors. MIT license.

import { writeLimit } from "../../../../flow/internal.ts";
import type { SocketOptionName, SocketOptionValue, TcpAddress } from "../../../mod.ts";
import type { ProviderStream, ProviderStreamEvents } from "../../../provider/internal.ts";
import type { TcpConnection, TcpUser } from "./_tcp_connection.ts";

/** The socket of a simulated TCP connection, which its program uses. */
export class TcpSocket implements ProviderStream, TcpUser {
  readonly local: TcpAddress;
  readonly peer: TcpAddress;
  /** Always true: the system has taken what was written. */
  readonly flushed = true;
  readonly #connection: TcpConnection;
  readonly #options: Map<SocketOptionName, SocketOptionValue> = new Map([["TCP_NODELAY", true]]);
  #events: ProviderStreamEvents | undefined;
  #isReleased = false;

  /** Makes a socket that is counted by its system already. */
  constructor(connection: TcpConnection) {
    this.#connection = connection;
    this.local = connection.local;
    this.peer = connection.peer;
    connection.user = this;
  }

  attach(events: ProviderStreamEvents): void {
    this.#events = events;
    if (this.#isReleased) queueMicrotask(() => events.closed());
    else this.ending(); // it may have broken meanwhile
  }

  readable(): void {
    this.#events?.readable();
  }

  writable(): void {
    this.#events?.writable();
  }

  /** Releases the socket once nothing more can be read or written. */
  ending(): void {
    const { error, sender, receiver } = this.#connection;
    const isOver = error !== undefined || (sender.ending && receiver.ended);
    if (isOver && receiver.arrived.size === 0 && this.#events !== undefined) this.#release();
  }

  get unsent(): number {
    return this.#connection.unsent;
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    const { receiver, error, system } = this.#connection;
    system.engine.touch();
    const bytes = receiver.arrived.peek();
    if (bytes !== undefined) return bytes;
    if (receiver.ended) return null;
    if (error !== undefined) throw error;
    return undefined;
  }

  consume(size: number): boolean {
    const { arrived } = this.#connection.receiver;
    arrived.consume(size);
    this.#connection.tellWindow();
    this.ending();
    return arrived.size > 0;
  }

  drop(): void {
    this.#connection.receiver.discard();
    this.#connection.tellWindow();
    this.ending();
  }

  write(bytes: Uint8Array): number {
    return this.#take([bytes], false);
  }

  give(buffers: readonly Uint8Array[]): number {
    return this.#take(buffers, true);
  }

  end(): void {
    this.#connection.end();
    this.ending();
  }

  close(): void {
    if (this.#isReleased) return;
    // As on Linux, unread input is lost, and the connection is reset.
    if (this.#connection.unread > 0) return this.abort();
    this.#connection.orphan();
    this.#release();
  }

  abort(): void {
    if (this.#isReleased) return;
    this.#connection.abort();
    this.#release();
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    this.#options.set(name, value);
    this.#connection.keepAlive.change(name, value);
  }

  getOption(name: SocketOptionName): SocketOptionValue | undefined {
    return this.#options.get(name);
  }

  #take(buffers: readonly Uint8Array[], given: boolean): number {
    const { sender, error, system } = this.#connection;
    system.engine.touch();
    if (error !== undefined) throw error;
    const wanted = buffers.reduce((sum, { length }) => sum + length, 0);
    const size = sender.room(Math.min(wanted, writeLimit));
    let left = size;
    for (const bytes of buffers) {
      if (left === 0) break;
      const part = bytes.subarray(0, left);
      if (part.length > 0) sender.add(part, given);
      left -= part.length;
    }
    if (size > 0) this.#connection.pump();
    return size;
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    const { system, receiver } = this.#connection;
    this.#connection.user = undefined;
    receiver.arrived.clear();
    system.unclaim();
    system.engine.wake();
    queueMicrotask(() => system.tell(() => this.#events?.closed()));
  }
}
