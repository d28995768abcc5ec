// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, hideClass } from "../../base/internal.ts";
import { addStreamMethods, Stream, type StreamMethods } from "../../flow/internal.ts";
import { checkStreamAddress, describeAddress } from "../internal.ts";
import {
  NetError,
  type SocketOptionName,
  type SocketOptionTypes,
  type StreamAddress,
  type StreamSocket,
  tcp,
} from "../mod.ts";
import { MemoryStream, Turn } from "./memory/internal.ts";

/** Options for {@linkcode socketPair}. */
export interface SocketPairOptions {
  /**
   * The address of the first socket, which is the peer of the second.
   *
   * @default {tcp("127.0.0.1", 50001)}
   */
  local?: StreamAddress | undefined;
  /**
   * The peer of the first socket, which is the address of the second.
   *
   * @default {tcp("127.0.0.1", 50002)}
   */
  peer?: StreamAddress | undefined;
}

/**
 * Makes two connected sockets in memory, to test a handler without a network. They hold no system
 * resource and need no switch.
 *
 * What is written on one side can be read on the other in the same turn, and each direction holds
 * 64 KiB before its writer waits. After `abort` on one side, reads and writes on the other fail
 * with {@linkcode NetError} `connection_reset`, and unread input is lost; writing to a closed side
 * fails likewise. A close does not wait: what was written can still be read, and then the end. The
 * sockets have no options. For code that takes a network there is {@linkcode memoryNet}.
 *
 * @param options The two addresses.
 * @returns The two sockets.
 * @throws {TypeError} If an address is neither TCP nor Unix.
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
export function socketPair(options?: SocketPairOptions): [StreamSocket, StreamSocket] {
  checkOptions("make a socket pair", options);
  const { local = tcp("127.0.0.1", 50001), peer = tcp("127.0.0.1", 50002) } = options ?? {};
  const [end, other] = MemoryStream.pair(checkStreamAddress(local), checkStreamAddress(peer), new Turn());
  return [new PairedSocket(end), new PairedSocket(other)];
}

interface PairedSocket extends StreamMethods {}

/** One end. It has no owner, and lacks what the sockets of a network have beyond a stream. */
class PairedSocket implements StreamSocket {
  static {
    addStreamMethods(this, (flow) => #stream in flow ? flow.#stream : undefined);
    hideClass(this);
  }

  readonly local: StreamAddress;
  readonly peer: StreamAddress;
  readonly #end: MemoryStream;
  readonly #stream: Stream;

  constructor(end: MemoryStream) {
    this.local = end.local;
    this.peer = end.peer;
    this.#end = end;
    this.#stream = new Stream(end, {
      get label() {
        return describeAddress(end.peer);
      },
      failure: (operation, cause) => new NetError("connection_reset", { operation, address: end.peer, cause }),
    });
    end.attach(this.#stream);
    Object.freeze(this);
  }

  setOption<N extends SocketOptionName>(name: N, _value: SocketOptionTypes[N]): void {
    throw new NetError("not_supported", { operation: "setOption", address: name });
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    throw new NetError("not_supported", { operation: "getOption", address: name });
  }

  abort(reason?: unknown): void {
    const options = reason === undefined ? undefined : { cause: reason };
    if (this.#stream.close("aborted by this side", options)) this.#end.abort();
  }

  close(): Promise<void> {
    if (this.#stream.close()) this.#end.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
