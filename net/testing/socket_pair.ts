// Copyright 2026 the Sluice authors. MIT license.

import { type Borrower, BrokenPipeError, give, lend, pipe, type PipeEnd, type ShutdownHow } from "../../flow/mod.ts";
import {
  NetError,
  type SocketOptionName,
  type SocketOptionTypes,
  type StreamAddress,
  type StreamSocket,
  tcp,
} from "../mod.ts";

/** Options for {@linkcode socketPair}. */
export interface SocketPairOptions {
  /**
   * The address of the first socket, and so the peer of the second.
   *
   * @default {tcp("127.0.0.1", 50001)}
   */
  local?: StreamAddress | undefined;
  /**
   * The peer of the first socket, and so the address of the second.
   *
   * @default {tcp("127.0.0.1", 50002)}
   */
  peer?: StreamAddress | undefined;
}

/**
 * Makes two connected sockets in memory, to test a handler without a network. They own nothing of the system and need no switch.
 *
 * They behave as the ends of a {@linkcode pipe}, but fail as sockets do: after `abort` on one side, reading and writing on the other are a
 * {@linkcode NetError} `connection_reset`, and so is writing to a side that has closed. What had arrived before an abort is lost. They have no socket
 * options.
 *
 * @param options The two addresses.
 * @returns The two sockets.
 * @throws {TypeError} When an address is neither TCP nor Unix.
 *
 * @example A handler without a network
 * ```ts
 * import { copy, copyString, readAll } from "@sluice/io";
 * import { socketPair } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const [client, server] = socketPair();
 * await copyString("hello", client);
 * await client.shutdown("send");
 * await copy(server, server);
 * await server.close();
 * assertEquals(new TextDecoder().decode(await readAll(client)), "hello");
 * ```
 *
 * @example A peer that breaks the connection
 * ```ts
 * import { NetError } from "@sluice/io";
 * import { socketPair } from "@sluice/io/net/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const [client, server] = socketPair();
 * client.abort();
 * const error = await assertRejects(() => server.read(new Uint8Array(1)), NetError);
 * assertEquals(error.code, "connection_reset");
 * ```
 */
export function socketPair(options: SocketPairOptions = {}): [StreamSocket, StreamSocket] {
  const { local = tcp("127.0.0.1", 50001), peer = tcp("127.0.0.1", 50002) } = options;
  checkAddress("local", local);
  checkAddress("peer", peer);
  return PairedSocket.pair(local, peer);
}

class PairedSocket implements StreamSocket {
  static {
    Object.freeze(this.prototype);
  }

  static pair(local: StreamAddress, peer: StreamAddress): [PairedSocket, PairedSocket] {
    const [a, b] = pipe();
    const one = new PairedSocket(a, local, peer);
    const other = new PairedSocket(b, peer, local);
    one.#other = other;
    other.#other = one;
    return [one, other];
  }

  readonly local: StreamAddress;
  readonly peer: StreamAddress;
  readonly #end: PipeEnd;
  #other: PairedSocket | undefined;
  #closed = false;
  /** Nothing more will be read, because the other side or our own has said so. A reset changes that no more. */
  #ended = false;
  #reset = false;

  constructor(end: PipeEnd, local: StreamAddress, peer: StreamAddress) {
    this.#end = end;
    this.local = local;
    this.peer = peer;
    Object.freeze(this);
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    return this.#received(await this.#end.read(buffer));
  }

  async [lend](use: Borrower): Promise<number | null> {
    return this.#received(await this.#end[lend](use));
  }

  async write(bytes: Uint8Array): Promise<number> {
    return await this.#sent(this.#end.write(bytes));
  }

  async [give](buffers: readonly Uint8Array[]): Promise<number> {
    return await this.#sent(this.#end[give](buffers));
  }

  shutdown(how: ShutdownHow): Promise<void> {
    if ((how === "receive" || how === "all") && !this.#reset) this.#ended = true;
    return this.#end.shutdown(how);
  }

  setOption<N extends SocketOptionName>(name: N, _value: SocketOptionTypes[N]): void {
    throw new NetError("not_supported", { operation: "setOption", address: name });
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    throw new NetError("not_supported", { operation: "getOption", address: name });
  }

  abort(): void {
    const other = this.#other;
    if (this.#closed || other === undefined) return;
    other.#break();
    this.close();
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#end.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The other side has reset the connection: whoever reads is woken, and what had arrived is lost. */
  #break(): void {
    this.#reset = true;
    this.#end.shutdown("receive");
  }

  #received(count: number | null): number | null {
    if (count === null && !this.#ended && this.#reset) throw this.#failure("read", undefined);
    if (count === null) this.#ended = true;
    return count;
  }

  async #sent(writing: Promise<number>): Promise<number> {
    try {
      return await writing;
    } catch (error) {
      throw error instanceof BrokenPipeError ? this.#failure("write", error) : error;
    }
  }

  #failure(operation: string, cause: unknown): NetError {
    return new NetError("connection_reset", { operation, address: this.peer, cause });
  }
}

function checkAddress(name: string, address: StreamAddress): void {
  if (address?.transport === "tcp" || address?.transport === "unix") return;
  throw new TypeError(`Cannot make a socket pair as ${name} must be a TCP or Unix address`);
}
