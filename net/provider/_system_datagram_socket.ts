// Copyright 2026 the Sluice authors. MIT license.

import { hideClass, open, throwLater } from "../../base/internal.ts";
import {
  buffersProblem,
  BusyError,
  bytesProblem,
  ClosedError,
  copyTo,
  Half,
  type HalfAttempt,
  lengthOf,
  ownsMemory,
  rejection,
  type StreamNames,
  unshared,
  vanished,
  viewOf,
} from "../../flow/internal.ts";
import {
  currentScope,
  type Labelled,
  macrotask,
  refused,
  refusedIn,
  type ReleaseHook,
  type Switch,
  WaitQueue,
} from "../../switch/internal.ts";
import {
  checkDatagramAddress,
  closedState,
  type Datagram,
  type DatagramAddress,
  type DatagramSocket,
  describeAddress,
  NetError,
  netErrorFrom,
  type ReceivedDatagram,
  sameAddress,
  type SocketOptionName,
  type SocketOptionTypes,
  udp,
  type UdpAddress,
} from "../internal.ts";
import type { OptionState } from "./_option_state.ts";
import type { ProviderDatagram } from "./provider.ts";

/**
 * Largest datagram in bytes, by IP version: 65,535 without the headers that its length field
 * counts.
 */
const maxDatagramSize = { 4: 65_507, 6: 65_527 } as const;

/** A datagram that waits to be sent. Its label in dumps is its destination. */
class Sending implements Labelled {
  readonly data: readonly Uint8Array[];
  /** Its size when `send` was called, which reveals a buffer that was detached since. */
  readonly size: number;
  readonly to: UdpAddress;

  constructor(data: readonly Uint8Array[], size: number, to: UdpAddress) {
    this.data = data;
    this.size = size;
    this.to = to;
  }

  get label(): string {
    return describeAddress(this.to);
  }
}

/** The buffer of a `recv` call. */
interface ReceiveBuffer {
  readonly buffer: Uint8Array;
  /** Whether it was empty when the call began. */
  readonly empty: boolean;
}

/** A datagram socket over one of a provider, owned by a switch. */
export class SystemDatagramSocket implements DatagramSocket {
  static {
    hideClass(this);
  }

  readonly remote: DatagramAddress | undefined;
  readonly #end: ProviderDatagram;
  /** Whether the end is the library's own, which gives plain bytes, and can copy any others. */
  readonly #isOwn: boolean;
  readonly #options: OptionState;
  readonly #owner: Switch;
  readonly #hook: ReleaseHook;
  readonly #receiving: Half<SystemDatagramSocket>;
  /** Datagrams that wait until the provider accepts more. */
  readonly #queued: WaitQueue<void, Sending> = new WaitQueue();
  /** Sends that the system has begun, and that can no longer be cancelled. */
  readonly #inFlight: WaitQueue<void, Sending> = new WaitQueue();
  /** Whether the receiver is a `recvMany` call, and whether its retry is scheduled. */
  #batching = false;
  #retryScheduled = false;
  #closing: Promise<void> | undefined;
  #closed = false;
  #onClosed: (() => void) | undefined;

  constructor(
    end: ProviderDatagram,
    remote: DatagramAddress | undefined,
    options: OptionState,
    owner: Switch,
    hook: ReleaseHook,
  ) {
    this.#end = end;
    this.#isOwn = ownsMemory(end);
    this.remote = remote;
    this.#options = options;
    this.#owner = owner;
    this.#hook = hook;
    this.#receiving = new Half<SystemDatagramSocket>("receive", namesOf(end.local, remote), this);
    end.attach(Object.freeze({
      receivable: () => this.#receivable(),
      sendable: () => this.#sendQueued(),
      closed: () => {
        if (this.#closed) return;
        this.#closed = true;
        open.sockets--;
        this.#onClosed?.();
      },
    }));
    open.sockets++;
    Object.freeze(this);
  }

  get local(): DatagramAddress {
    return this.#end.local;
  }

  get dropped(): number {
    return this.#end.dropped;
  }

  send(data: Uint8Array | readonly Uint8Array[], to?: DatagramAddress): Promise<void> {
    try {
      const pieces = piecesOf(data, this.#isOwn);
      const target = this.#checkTarget(to);
      const size = sizeOf(pieces);
      checkSize(size, target);
      const refusal = refused();
      if (refusal !== undefined) return refusal;
      if (this.#closing !== undefined) throw new ClosedError("send", closedState(this.#owner));
      const sending = new Sending(pieces, size, target);
      const idle = this.#queued.empty;
      const { promise } = this.#queued.add("send", sending, sending);
      if (idle) this.#sendQueued();
      return promise;
    } catch (error) {
      return rejection(error);
    }
  }

  recv(buffer: Uint8Array): Promise<ReceivedDatagram> {
    const problem = bytesProblem(buffer);
    if (problem !== undefined) return Promise.reject(problem);
    const place: ReceiveBuffer = { buffer, empty: lengthOf(buffer) === 0 };
    return this.#receive(SystemDatagramSocket.#takeOne, place);
  }

  recvMany(): Promise<Datagram[]> {
    return this.#receive(SystemDatagramSocket.#takeAll, undefined);
  }

  #receive<A, T>(attempt: HalfAttempt<SystemDatagramSocket, A, T>, argument: A): Promise<T> {
    const scope = currentScope();
    return refusedIn(scope) ?? this.#refuseReceive() ?? this.#receiving.perform(scope, attempt, argument);
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    if (this.#closing !== undefined) throw new ClosedError("set an option", closedState(this.#owner));
    this.#options.set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    if (this.#closing !== undefined) throw new ClosedError("get an option", closedState(this.#owner));
    return this.#options.get(name);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#hook.remove();
    this.#receiving.failClosed(() => new ClosedError("receive", closedState(this.#owner)));
    const closed = () => new ClosedError("send", closedState(this.#owner));
    this.#queued.failAll(closed);
    this.#inFlight.failAll(closed);
    this.#end.close();
    if (!this.#closed) await new Promise<void>((resolve) => this.#onClosed = resolve);
  }

  /** Passes queued datagrams to the provider in FIFO order, until it accepts no more. */
  #sendQueued(): void {
    for (let waiter = this.#queued.oldest; waiter !== undefined; waiter = this.#queued.oldest) {
      const { data, size, to } = waiter.payload;
      const done = (error?: unknown) => {
        if (waiter.settled) return;
        if (!this.#inFlight.remove(waiter)) this.#queued.remove(waiter);
        if (error === undefined) waiter.resolve();
        else waiter.fail(() => netErrorFrom(error, { operation: "send", address: to }));
      };
      const left = sizeOf(data);
      if (left < size) {
        this.#queued.remove(waiter);
        waiter.fail(() => vanished("send"));
        continue;
      }
      try {
        const pieces = left === size ? data : [viewOf(data[0], size)]; // its memory has grown
        if (!this.#end.send(pieces, this.remote === undefined ? to : undefined, done)) return;
        if (waiter.settled) continue;
        this.#queued.moveTo(this.#inFlight, waiter);
      } catch (error) {
        done(error);
      }
    }
  }

  static #takeOne(
    socket: SystemDatagramSocket,
    { buffer, empty }: ReceiveBuffer,
  ): ReceivedDatagram | Promise<never> | undefined {
    socket.#batching = false;
    const room = lengthOf(buffer);
    if (room === 0 && !empty) return throwLater(() => vanished("receive")); // it stays queued
    const datagram = socket.#end.take();
    if (datagram === undefined) return undefined;
    const { data, from } = datagram;
    const length = lengthOf(data);
    const size = Math.min(length, room);
    if (size > 0) copyTo(buffer, size === length ? data : viewOf(data, size), 0);
    return { size, from, truncated: size < length };
  }

  static #takeAll(socket: SystemDatagramSocket): Datagram[] | undefined {
    socket.#batching = true;
    const datagrams: Datagram[] = [];
    // The first `take` may throw. Later ones run only while datagrams are queued, so that an error
    // goes to the next call.
    do {
      const datagram = socket.#end.take();
      if (datagram === undefined) break;
      datagrams.push(socket.#isOwn ? datagram : { data: viewOf(datagram.data), from: datagram.from });
    } while (socket.#end.queued > 0);
    return datagrams.length === 0 ? undefined : datagrams;
  }

  #receivable(): void {
    if (!this.#batching) return this.#receiving.retry();
    // Runtimes call this after each datagram. A turn later the rest of the burst has arrived too.
    if (this.#retryScheduled) return;
    this.#retryScheduled = true;
    macrotask(() => {
      this.#retryScheduled = false;
      this.#receiving.retry();
    });
  }

  #refuseReceive(): Promise<never> | undefined {
    if (this.#closing !== undefined) return rejection(new ClosedError("receive", closedState(this.#owner)));
    if (this.#receiving.busy) return Promise.reject(new BusyError("receive"));
    return undefined;
  }

  #checkTarget(to: DatagramAddress | undefined): UdpAddress {
    if (to === undefined) {
      if (this.remote === undefined) throw new TypeError("Cannot send without an address: the socket is not connected");
      return this.remote as UdpAddress;
    }
    const target = unmapped(checkDatagramAddress(to));
    if (this.remote !== undefined && !sameAddress(target, this.remote)) {
      const remote = describeAddress(this.remote);
      throw new TypeError(`Cannot send to ${describeAddress(target)}: the socket is connected to ${remote}`);
    }
    checkReachable("send to", target, this.local);
    return target;
  }
}

/** Throws if a datagram socket at `local` cannot send to `target`. */
export function checkReachable(
  action: string,
  target: DatagramAddress,
  local: DatagramAddress,
): asserts target is UdpAddress {
  const subject = () => `${action} ${describeAddress(target)}`;
  if (target.transport !== local.transport || target.transport !== "udp" || local.transport !== "udp") {
    throw new TypeError(`Cannot ${subject()}: the socket is bound to ${describeAddress(local)}`);
  }
  if (target.ip.version === 6 && local.ip.version === 4) {
    throw new TypeError(`Cannot ${subject()}: the socket is an IPv4 one`);
  }
  if (target.port === 0) throw new RangeError(`Cannot ${subject()}: port 0 can only be bound to`);
}

/** Unwraps an IPv4-mapped IPv6 address. */
export function unmapped(address: DatagramAddress): DatagramAddress {
  if (address.transport !== "udp") return address;
  const ip = address.ip.unmapped();
  return ip === address.ip ? address : udp(ip, address.port);
}

/**
 * Checks what is to be sent, and returns plain bytes that keep their length. A single piece for an
 * end of the library stays as it is, unless it is empty, as it also is once it was detached.
 */
function piecesOf(data: Uint8Array | readonly Uint8Array[], isOwn: boolean): readonly Uint8Array[] {
  const pieces: readonly Uint8Array[] = Array.isArray(data) ? [...data] : [data];
  const problem = buffersProblem(pieces);
  if (problem !== undefined) throw problem;
  if (isOwn && pieces.length === 1 && lengthOf(pieces[0]) > 0) return pieces;
  return pieces.map((piece) => unshared(viewOf(piece)));
}

/** Returns the length of what is to be sent. That of a piece changes with its memory. */
function sizeOf(pieces: readonly Uint8Array[]): number {
  let size = 0;
  for (let i = 0; i < pieces.length; i++) size += lengthOf(pieces[i]);
  return size;
}

function checkSize(size: number, to: UdpAddress): void {
  const limit = maxDatagramSize[to.ip.version];
  if (size <= limit) return;
  const cause = new RangeError(`A datagram to ${to.ip} has at most ${limit} bytes: current value is ${size}`);
  throw new NetError("message_too_large", { operation: "send", address: to, cause });
}

/** Names the receiving half of a socket in dumps and errors. */
function namesOf(local: DatagramAddress, remote: DatagramAddress | undefined): StreamNames {
  return {
    get label() {
      return describeAddress(local);
    },
    failure: (operation, cause) => netErrorFrom(cause, { operation, address: remote ?? local }),
  };
}
