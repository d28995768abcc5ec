// Copyright 2026 the Sluice authors. MIT license.

import { checkShape, hideClass } from "../../base/internal.ts";
import { isBytes, lengthOf, rejection, silenced } from "../../flow/internal.ts";
import { refused } from "../../switch/internal.ts";
import {
  checkDatagramAddress,
  type Datagram,
  type DatagramAddress,
  type DatagramSocket,
  type ReceivedDatagram,
  type SocketOptionName,
  type SocketOptionTypes,
} from "../internal.ts";
import { checkHooks } from "./_hooks.ts";
import { Lifetime } from "./_lifetime.ts";

/** Operations that {@linkcode DatagramHooks.check} can refuse. */
export type DatagramOperation = "send" | "receive" | "setOption" | "getOption";

/**
 * Hooks of a datagram socket. Each is optional, is read once, and is called without `this`.
 */
export interface DatagramHooks {
  /**
   * Called before each operation. Throws to refuse it: it then has no effect. `close` cannot be
   * refused.
   *
   * @param operation The operation.
   * @param to The destination of a `send`, if known. It is frozen.
   */
  check?: ((operation: DatagramOperation, to: DatagramAddress | undefined) => void) | undefined;
  /**
   * Called for each datagram sent, with its size in bytes, which may be 0. Must not throw.
   */
  sent?: ((size: number, to: DatagramAddress | undefined) => void) | undefined;
  /**
   * Called for each datagram received, with the number of bytes that the caller gets, which may be
   * 0. Must not throw.
   */
  received?: ((size: number, from: DatagramAddress) => void) | undefined;
  /**
   * Called exactly once, when the socket was closed through the wrapper. In a wrapper made by
   * {@linkcode wrapNet}, also called when the socket's switch has ended. Its result is awaited by
   * `close` and by the switch.
   */
  closed?: (() => unknown) | undefined;
}

/** A datagram socket with hooks. */
class WrappedDatagramSocket implements DatagramSocket {
  static {
    hideClass(this);
  }

  readonly #inner: DatagramSocket;
  readonly #check: DatagramHooks["check"];
  readonly #sent: DatagramHooks["sent"];
  readonly #received: DatagramHooks["received"];
  readonly #lifetime: Lifetime | undefined;
  #closing: Promise<void> | undefined;

  constructor(inner: DatagramSocket, hooks: DatagramHooks, lifetime: Lifetime | undefined) {
    const { check, sent, received } = hooks;
    this.#inner = inner;
    this.#check = check;
    this.#sent = sent;
    this.#received = received;
    this.#lifetime = lifetime;
    Object.freeze(this);
  }

  get local(): DatagramAddress {
    return this.#inner.local;
  }

  get remote(): DatagramAddress | undefined {
    return this.#inner.remote;
  }

  get dropped(): number | undefined {
    return this.#inner.dropped;
  }

  send(data: Uint8Array | readonly Uint8Array[], to?: DatagramAddress): Promise<void> {
    try {
      // Read once, so that the checked address is the one used.
      const target = to === undefined ? undefined : checkDatagramAddress(to);
      const pieces = Array.isArray(data) ? [...data as readonly Uint8Array[]] : data as Uint8Array;
      const place = target ?? this.remote;
      const refusal = this.#refuse("send", place);
      if (refusal !== undefined) return refusal;
      const size = sizeOf(pieces); // read now, as the caller may reuse the memory
      const sent = this.#sent;
      const sending = this.#inner.send(pieces, target);
      return sent === undefined ? sending : silenced(Promise.resolve(sending), () => sent(size, place));
    } catch (error) {
      return rejection(error);
    }
  }

  recv(buffer: Uint8Array): Promise<ReceivedDatagram> {
    const refusal = this.#refuse("receive");
    if (refusal !== undefined) return refusal;
    const received = this.#received;
    const receiving = this.#inner.recv(buffer);
    return received === undefined ? receiving : silenced(Promise.resolve(receiving), (datagram) => {
      received(datagram.size, datagram.from);
      return datagram;
    });
  }

  recvMany(): Promise<Datagram[]> {
    const refusal = this.#refuse("receive");
    if (refusal !== undefined) return refusal;
    const received = this.#received;
    const receiving = this.#inner.recvMany();
    return received === undefined ? receiving : silenced(Promise.resolve(receiving), (datagrams) => {
      for (const { data, from } of datagrams) received(lengthOf(data), from);
      return datagrams;
    });
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    const check = this.#check;
    check?.("setOption", undefined);
    this.#inner.setOption(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    const check = this.#check;
    check?.("getOption", undefined);
    return this.#inner.getOption(name);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.#inner.close();
    } finally {
      await this.#lifetime?.end();
    }
  }

  /** Returns the rejection if the operation must not begin. */
  #refuse(operation: DatagramOperation, to?: DatagramAddress): Promise<never> | undefined {
    const check = this.#check;
    if (check === undefined) return undefined; // the inner socket checks the scope
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    try {
      check(operation, to);
      return undefined;
    } catch (error) {
      return rejection(error);
    }
  }
}

function sizeOf(data: Uint8Array | readonly Uint8Array[]): number {
  const pieces: readonly Uint8Array[] = Array.isArray(data) ? data : [data];
  return pieces.reduce((size, piece) => isBytes(piece) ? size + lengthOf(piece) : size, 0);
}

/**
 * Wraps a datagram socket in hooks, which see each datagram's size and address.
 *
 * The wrapper is frozen and does not expose the socket. It owns nothing: the socket's owner still
 * closes it.
 *
 * @typeParam A The kind of address.
 * @param socket The socket.
 * @param hooks The hooks.
 * @returns The wrapper.
 * @throws {TypeError} If `socket` is not a datagram socket, or a hook is not a function.
 *
 * @example Sending to one port only
 * ```ts
 * import { NetError, Switch, udp } from "@sluice/io";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { wrapDatagramSocket } from "@sluice/io/net/wrap";
 * import { assertRejects } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const socket = wrapDatagramSocket(await memoryNet().datagramSocket(sw, "udp4"), {
 *     check(operation, to) {
 *       if (operation !== "send" || (to?.transport === "udp" && to.port === 53)) return;
 *       throw new NetError("permission_denied", { operation: "send", address: to });
 *     },
 *   });
 *   await assertRejects(() => socket.send(new Uint8Array(1), udp("127.0.0.1", 54)), NetError);
 * });
 * ```
 */
export function wrapDatagramSocket<A extends DatagramAddress>(
  socket: DatagramSocket<A>,
  hooks: DatagramHooks,
): DatagramSocket<A> {
  checkShape("wrap a datagram socket", "socket", "a DatagramSocket", socket, "send");
  return datagramSocketWith(socket, hooks);
}

/** Implements {@linkcode wrapDatagramSocket}, with the lifetime of a socket that has an owner. */
export function datagramSocketWith<A extends DatagramAddress>(
  socket: DatagramSocket<A>,
  hooks: DatagramHooks,
  lifetime?: Lifetime | undefined,
): DatagramSocket<A> {
  checkHooks("wrap a datagram socket", hooks, "check", "sent", "received", "closed");
  return new WrappedDatagramSocket(socket, hooks, lifetime ?? Lifetime.of(hooks)) as DatagramSocket as DatagramSocket<
    A
  >;
}
