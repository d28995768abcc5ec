// Copyright 2026 the Sluice authors. MIT license.

import { checkShape, hideClass, isOfKind } from "../../base/internal.ts";
import { bytesProblem, copyTo, isBytes, lengthOf, rejection, silenced, vanished, viewOf } from "../../flow/internal.ts";
import { refused } from "../../switch/internal.ts";
import {
  checkDatagramAddress,
  checkOptionName,
  checkOptionValue,
  type Datagram,
  type DatagramAddress,
  type DatagramSocket,
  type ReceivedDatagram,
  type SocketOptionName,
  type SocketOptionTypes,
  type SocketOptionValue,
} from "../internal.ts";
import { checkHooks, checkQuotas } from "./_hooks.ts";
import { Lifetime, recordLifetime } from "./_lifetime.ts";
import type { ByteQuota } from "./byte_quota.ts";

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
   * @param option The option of a `setOption`, checked. It is a frozen copy, and what is set.
   */
  check?:
    | ((
      operation: DatagramOperation,
      to: DatagramAddress | undefined,
      option?: readonly [name: SocketOptionName, value: SocketOptionValue],
    ) => void)
    | undefined;
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
   * A quota of the bytes received. A datagram is dropped if less is left than the caller would get
   * of it; the call fails if it has no other to return.
   */
  incoming?: ByteQuota | undefined;
  /**
   * A quota of the bytes sent. The bytes of a send that fails because of a close are not given
   * back.
   */
  outgoing?: ByteQuota | undefined;
  /**
   * Called with the error of an operation that had begun. Returns the error to throw instead, or
   * the same. It does not see what `check` or a quota throws. Must not throw.
   */
  failed?: ((error: unknown, operation: "send" | "receive") => unknown) | undefined;
  /**
   * Called exactly once, when the socket was closed through the wrapper. In a wrapper made by
   * {@linkcode wrapNet}, also called when the socket's switch has ended. Its result is awaited by
   * `close` and by the switch.
   */
  closed?: (() => unknown) | undefined;
  /**
   * Called exactly once, when the socket is closed: before `closed`, and, in a wrapper made by
   * {@linkcode wrapNet}, as soon as a wrapper inside has closed it. Must not throw.
   */
  gone?: (() => void) | undefined;
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
  readonly #incoming: ByteQuota | undefined;
  readonly #outgoing: ByteQuota | undefined;
  readonly #failed: DatagramHooks["failed"];
  readonly #lifetime: Lifetime | undefined;
  #closing: Promise<void> | undefined;

  constructor(inner: DatagramSocket, hooks: DatagramHooks, lifetime: Lifetime | undefined) {
    const { check, sent, received, incoming, outgoing, failed } = hooks;
    this.#inner = inner;
    this.#check = check;
    this.#sent = sent;
    this.#received = received;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#failed = failed;
    this.#lifetime = lifetime;
    recordLifetime(this, inner, lifetime);
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
      const outgoing = this.#outgoing;
      outgoing?.take(size, size);
      return this.#completed("send", this.#inner.send(pieces, target), sent && (() => sent(size, place)), (error) => {
        // A socket that is closed during a send may have sent the datagram.
        if (size > 0 && !isOfKind(error, "ClosedError")) outgoing?.giveBack(size);
      });
    } catch (error) {
      return rejection(error);
    }
  }

  recv(buffer: Uint8Array): Promise<ReceivedDatagram> {
    const refusal = this.#refuse("receive");
    if (refusal !== undefined) return refusal;
    const received = this.#received;
    const incoming = this.#incoming;
    if (incoming === undefined) {
      const note = received && ((datagram: ReceivedDatagram) => received(datagram.size, datagram.from));
      return this.#completed("receive", this.#inner.recv(buffer), note);
    }
    const problem = bytesProblem(buffer);
    if (problem !== undefined) return Promise.reject(problem);
    const own = new Uint8Array(lengthOf(buffer)); // the caller must not see what the quota refuses
    return this.#completed("receive", this.#inner.recv(own), ({ size, from }) => {
      incoming.take(size, size);
      if (lengthOf(buffer) < size) throw vanished("receive");
      copyTo(buffer, viewOf(own, size), 0);
      received?.(size, from);
    });
  }

  recvMany(): Promise<Datagram[]> {
    const refusal = this.#refuse("receive");
    if (refusal !== undefined) return refusal;
    const received = this.#received;
    const incoming = this.#incoming;
    const receiving = this.#completed("receive", this.#inner.recvMany(), undefined);
    if (received === undefined && incoming === undefined) return receiving;
    return silenced(receiving, (datagrams) => {
      const allowed = incoming === undefined ? datagrams : allowedBy(incoming, datagrams);
      for (const { data, from } of allowed) received?.(lengthOf(data), from);
      return allowed;
    });
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    const check = this.#check;
    if (check === undefined) return this.#inner.setOption(name, value);
    const option = checkOptionName("setOption", name);
    const checked = checkOptionValue(option, value);
    check("setOption", undefined, Object.freeze([option, checked] as const));
    this.#inner.setOption(option, checked as never);
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

  /** Completes an operation that has begun. */
  #completed<T>(
    operation: "send" | "receive",
    outcome: Promise<T>,
    note: ((result: T) => void) | undefined,
    undo?: (error: unknown) => void,
  ): Promise<T> {
    const failed = this.#failed;
    if (note === undefined && failed === undefined && this.#outgoing === undefined) return outcome;
    const then = (result: T) => {
      note?.(result);
      return result;
    };
    return silenced(Promise.resolve(outcome), then, (error) => {
      undo?.(error);
      return failed === undefined ? error : failed(error, operation);
    });
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

/** Returns the datagrams that a quota allows. Throws what it throws if that is none. */
function allowedBy(quota: ByteQuota, datagrams: readonly Datagram[]): Datagram[] {
  let refusal: { readonly error: unknown } | undefined;
  const allowed = datagrams.filter(({ data }) => {
    try {
      const size = lengthOf(data);
      quota.take(size, size);
      return true;
    } catch (error) {
      refusal ??= { error };
      return false;
    }
  });
  if (allowed.length === 0 && refusal !== undefined) throw refusal.error;
  return allowed;
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
  const action = "wrap a datagram socket";
  checkHooks(action, hooks, "check", "sent", "received", "failed", "closed", "gone");
  checkQuotas(action, hooks, "incoming", "outgoing");
  return new WrappedDatagramSocket(socket, hooks, lifetime ?? Lifetime.of(hooks)) as DatagramSocket as DatagramSocket<
    A
  >;
}
