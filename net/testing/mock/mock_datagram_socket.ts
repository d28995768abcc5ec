// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, describe, hideClass } from "../../../base/internal.ts";
import {
  BusyError,
  bytesProblem,
  type Closable,
  copyTo,
  encode,
  isBytes,
  label,
  lengthOf,
  rejection,
  totalLength,
  unshared,
  vanished,
  viewOf,
} from "../../../flow/internal.ts";
import { refused } from "../../../switch/internal.ts";
import { checkDatagramAddress, describeAddress } from "../../internal.ts";
import {
  type Datagram,
  type DatagramAddress,
  type DatagramSocket,
  type ReceivedDatagram,
  sameAddress,
  type SocketOptionName,
  type SocketOptionTypes,
  udp,
} from "../../mod.ts";
import { Life } from "./_life.ts";
import { MockLog } from "./_mock_log.ts";
import { MockSocketOptions } from "./_mock_socket_options.ts";
import { Script, unscripted } from "./_script.ts";
import type { Action } from "./action.ts";
import type { MockOptions } from "./mock_options.ts";

/** A datagram for {@linkcode MockDatagramSocket} to receive. */
export interface MockDatagram {
  /** The payload: bytes, or a text in UTF-8. It may be empty. */
  readonly data: Uint8Array | string;
  /**
   * The sender.
   *
   * @default {the address that the socket is connected to, or udp("127.0.0.1", 50002)}
   */
  readonly from?: DatagramAddress | undefined;
}

/** A datagram socket that is scripted. Created by {@linkcode mockDatagramSocket}. */
export interface MockDatagramSocket extends DatagramSocket {
  /**
   * Appends actions for `recv` and `recvMany`: datagrams, or their payloads alone. A call without
   * an action fails; `recvMany` returns one datagram.
   *
   * @param actions What the next calls do.
   * @throws {TypeError} If one is not an action, or its value is not a datagram. None of them is
   * added then.
   */
  onRecv(...actions: Action<MockDatagram | Uint8Array | string>[]): void;
  /**
   * Appends actions for `send`: the value does not matter. A `send` without an action sends.
   *
   * @param actions What the next calls do.
   * @throws {TypeError} If one is not an action. None of them is added then.
   */
  onSend(...actions: Action<unknown>[]): void;
  /** What was done, a line for each. */
  readonly log: readonly string[];
}

/** Options for {@linkcode mockDatagramSocket}. */
export interface MockDatagramSocketOptions extends MockOptions {
  /**
   * The local address.
   *
   * @default {the address for which a mock network returns it, or udp("127.0.0.1", 50001)}
   */
  local?: DatagramAddress | undefined;
}

/**
 * Creates a datagram socket that does what a test has scripted, and logs what is done:
 * `received "pong" from udp:127.0.0.1:50002`, `sent "ping" to udp:10.0.0.2:53`, `closed`, and
 * options as those of a {@linkcode mockFlow}, with the same quotes, rows and lists.
 *
 * A call that is cancelled has used its action; a datagram that the action yields later is for the
 * next call. It needs no switch; one that a {@linkcode MockNet} returns belongs to the switch of
 * that call, is closed with it, counts in {@linkcode openCounts} until then, and is connected to
 * the `remote` of that call.
 *
 * @param label The name in the log, and in errors and dumps.
 * @param options The address and the log.
 * @returns A frozen socket.
 * @throws {TypeError} If `label` is not a string, the address is neither UDP nor Unix, or `log` is
 * not an array that can grow.
 *
 * @example A question and its answer
 * ```ts
 * import { udp } from "@sluice/io";
 * import { mockDatagramSocket } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const server = udp("10.0.0.2", 53);
 * const socket = mockDatagramSocket("socket");
 * socket.onRecv({ return: { data: "pong", from: server } });
 * await socket.send(new TextEncoder().encode("ping"), server);
 * assertEquals((await socket.recv(new Uint8Array(8))).size, 4);
 * assertEquals(socket.log, ['socket: sent "ping" to udp:10.0.0.2:53', 'socket: received "pong" from udp:10.0.0.2:53']);
 * ```
 */
export function mockDatagramSocket(label: string, options?: MockDatagramSocketOptions): MockDatagramSocket {
  checkOptions("make a mock datagram socket", options);
  const { log, local } = options ?? {};
  const mockLog = new MockLog("make a mock datagram socket", label, log);
  return new ScriptedDatagramSocket(mockLog, local === undefined ? undefined : checkDatagramAddress(local));
}

/** A datagram, whose sender may be the default one. */
interface Arrived {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly from: DatagramAddress | undefined;
}

let bindTo: (socket: ScriptedDatagramSocket, local: DatagramAddress, remote: DatagramAddress | undefined) => void;

class ScriptedDatagramSocket implements MockDatagramSocket {
  static {
    bindTo = (socket, local, remote) => {
      socket.#local ??= local;
      socket.#remote = remote;
    };
    hideClass(this);
  }

  readonly #log: MockLog;
  readonly #life: Life;
  readonly #options: MockSocketOptions;
  readonly #receives: Script<MockDatagram | Uint8Array | string, Arrived>;
  readonly #sends: Script<unknown>;
  #local: DatagramAddress | undefined;
  #remote: DatagramAddress | undefined;

  constructor(log: MockLog, local: DatagramAddress | undefined) {
    this.#log = log;
    this.#local = local;
    this.#receives = new Script({
      handler: "onRecv",
      check: checkArrived,
      otherwise: unscripted(log, "receive", "onRecv"),
    });
    this.#sends = new Script({
      handler: "onSend",
      check: (value) => value,
      otherwise: () => undefined,
      late: () => {},
    });
    this.#life = new Life(this, log, "sockets", () => {
      this.#receives.end({ error: this.#life.closedError("receive") });
      this.#sends.end({ error: this.#life.closedError("send") });
    });
    this.#options = new MockSocketOptions(log, this.#life);
    Object.freeze(this);
  }

  get log(): readonly string[] {
    return this.#log.lines;
  }

  get local(): DatagramAddress {
    return this.#local ?? udp("127.0.0.1", 50001);
  }

  get remote(): DatagramAddress | undefined {
    return this.#remote;
  }

  get [label](): string {
    return this.#log.label;
  }

  onRecv(...actions: Action<MockDatagram | Uint8Array | string>[]): void {
    this.#receives.add(actions);
  }

  onSend(...actions: Action<unknown>[]): void {
    this.#sends.add(actions);
  }

  send(data: Uint8Array | readonly Uint8Array[], to?: DatagramAddress): Promise<void> {
    try {
      const pieces = piecesOf(data);
      const size = totalLength(pieces);
      const target = describeAddress(this.#target(to));
      const refusal = refused();
      if (refusal !== undefined) return refusal;
      if (this.#life.isOver) throw this.#life.closedError("send");
      return this.#sends.call("send", this.#log, () => {
        if (totalLength(pieces) < size) throw vanished("send");
        this.#log.noteData("sent", pieces, ` to ${target}`);
      });
    } catch (error) {
      return rejection(error);
    }
  }

  #target(to: DatagramAddress | undefined): DatagramAddress {
    const target = to === undefined ? this.#remote : checkDatagramAddress(to);
    if (target === undefined) throw new TypeError("Cannot send: the socket is not connected, and there is no address");
    if (this.#remote === undefined || sameAddress(target, this.#remote)) return target;
    throw new TypeError(
      `Cannot send to ${describeAddress(target)}: the socket is connected to ${describeAddress(this.#remote)}`,
    );
  }

  recv(buffer: Uint8Array): Promise<ReceivedDatagram> {
    const problem = bytesProblem(buffer);
    if (problem !== undefined) return Promise.reject(problem);
    const empty = lengthOf(buffer) === 0;
    return this.#receive(({ data, from }) => {
      const size = Math.min(lengthOf(buffer), data.length);
      if (size === 0 && !empty && data.length > 0) throw vanished("receive");
      if (size > 0) copyTo(buffer, data.subarray(0, size), 0);
      return Object.freeze({ size, from, truncated: size < data.length });
    });
  }

  recvMany(): Promise<Datagram[]> {
    return this.#receive((datagram) => [datagram]);
  }

  #receive<R>(done: (datagram: Datagram) => R): Promise<R> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (this.#life.isOver) return rejection(this.#life.closedError("receive"));
    if (this.#receives.busy) return Promise.reject(new BusyError("receive", { flow: this.#log.label }));
    return this.#receives.call("receive", this.#log, ({ data, from = this.#remote ?? udp("127.0.0.1", 50002) }) => {
      const result = done(Object.freeze({ data, from }));
      this.#log.noteData("received", [data], ` from ${describeAddress(from)}`);
      return result;
    });
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    this.#options.set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    return this.#options.get(name) as SocketOptionTypes[N];
  }

  close(): Promise<void> {
    return this.#life.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Sets the addresses of a mock socket that a mock network returns. */
export function bindDatagramSocket(
  socket: Closable,
  local: DatagramAddress,
  remote: DatagramAddress | undefined,
): void {
  if (socket instanceof ScriptedDatagramSocket) bindTo(socket, local, remote);
}

/** Checks the buffers of one datagram, and returns views of them. */
function piecesOf(data: Uint8Array | readonly Uint8Array[]): Uint8Array[] {
  const pieces: readonly unknown[] = Array.isArray(data) ? data : [data];
  return pieces.map((piece) => {
    const problem = bytesProblem(piece);
    if (problem !== undefined) throw problem;
    return unshared(viewOf(piece as Uint8Array));
  });
}

/** Checks a scripted datagram. */
function checkArrived(value: unknown): Arrived {
  const { data, from } = typeof value === "object" && value !== null && !isBytes(value)
    ? value as Partial<MockDatagram>
    : { data: value, from: undefined };
  if (typeof data !== "string" && !isBytes(data)) {
    const rule = "its data must be a string or a Uint8Array";
    throw new TypeError(`Cannot receive a scripted datagram as ${rule}: current value is ${describe(data)}`);
  }
  return {
    data: typeof data === "string" ? encode(data) : viewOf(data).slice(),
    from: from === undefined ? undefined : checkDatagramAddress(from),
  };
}
