// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, checkWhole, describe, hideClass } from "../../../base/internal.ts";
import {
  BusyError,
  checkBuffer,
  checkBytes,
  ClosedError,
  copyTo,
  encode,
  give,
  howProblem,
  isBytes,
  label,
  lengthOf,
  rejection,
  type ShutdownHow,
  totalLength,
  unshared,
  vanished,
  viewOf,
  viewsOf,
} from "../../../flow/internal.ts";
import { refused } from "../../../switch/internal.ts";
import { checkStreamAddress } from "../../internal.ts";
import {
  type SocketOptionName,
  type SocketOptionTypes,
  type StreamAddress,
  type StreamSocket,
  tcp,
} from "../../mod.ts";
import { Life } from "./_life.ts";
import { MockLog } from "./_mock_log.ts";
import { MockSocketOptions } from "./_mock_socket_options.ts";
import { Script } from "./_script.ts";
import type { Action } from "./action.ts";
import type { MockOptions } from "./mock_options.ts";

/** How much an unscripted write takes, in bytes. */
const defaultWrite = 4096;

/** A connection whose reads and writes are scripted. Created by {@linkcode mockFlow}. */
export interface MockFlow extends StreamSocket {
  /**
   * Appends actions for reads: bytes, a text in UTF-8, or null for the end. A read without an
   * action is the end.
   *
   * One action is one read, unless the buffer is too small for the data: the rest stays for the
   * next read.
   *
   * @param actions What the next reads do.
   * @throws {TypeError} If one is not an action, or its value is of another type or empty. None of
   * them is added then.
   */
  onRead(...actions: Action<Uint8Array | string | null>[]): void;
  /**
   * Appends actions for writes: how many bytes a write takes at most, a whole number of at least 1
   * or `Infinity`. A write without an action takes at most 4096.
   *
   * @param actions What the next writes do.
   * @throws {TypeError} If one is not an action. None of them is added then.
   * @throws {RangeError} If its value is out of range.
   */
  onWrite(...actions: Action<number>[]): void;
  /** What was done, a line for each. */
  readonly log: readonly string[];
}

/** Options for {@linkcode mockFlow}. */
export interface MockFlowOptions extends MockOptions {
  /**
   * The local address.
   *
   * @default {tcp("127.0.0.1", 50001)}
   */
  local?: StreamAddress | undefined;
  /**
   * The peer's address.
   *
   * @default {tcp("127.0.0.1", 50002)}
   */
  peer?: StreamAddress | undefined;
}

/**
 * Creates a connection that does what a test has scripted, and logs what is done with it. There is
 * no other end: to test both ends of a protocol, use {@linkcode socketPair} or
 * {@linkcode memoryNet}.
 *
 * Each operation is a line of its log, `label: what`:
 *
 * - `read "hello\n"` and `wrote "hello\n"`, with the data that was read or taken, in quotes.
 *   Several lines of data are several rows of one entry, below each other. Several buffers that are
 *   written at once, as `BufWriter` does, are a list: `wrote ["a", "b"]`. The end of the input adds
 *   no line.
 * - `shutdown send`, `closed` and `aborted`. Closing again adds no line.
 * - `set TCP_NODELAY true` and `get TCP_NODELAY`. Each option can be set and has no effect; one
 *   that was not set is false, 0, empty, or null for `SO_LINGER`.
 *
 * A read or write that waits for its action is cancelled with its scope, or fails when the flow is
 * closed. It has used its action; data that the action yields later is for the next read, which
 * waits for it instead of ending if nothing else is scripted. An operation in a scope that is
 * cancelled already uses none.
 *
 * It holds no resource of the system and needs no switch. One that a {@linkcode MockNet} or a
 * {@linkcode MockListener} returns belongs to the switch of that call, is closed with it, and
 * counts in {@linkcode openCounts} until then. Closing never waits.
 *
 * Source: Eio's `Eio_mock.Flow`.
 *
 * @param label The name in the log, and in errors and dumps.
 * @param options The addresses and the log.
 * @returns A frozen flow.
 * @throws {TypeError} If `label` is not a string, an address is neither TCP nor Unix, or `log` is
 * not an array that can grow.
 *
 * @example A handler, and exactly what it does
 * ```ts
 * import { copy } from "@sluice/io";
 * import { mockFlow } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const client = mockFlow("client");
 * client.onRead({ return: "hello" });
 * client.onWrite({ return: 3 });
 * await copy(client, client);
 * await client.close();
 * assertEquals(client.log, [
 *   'client: read "hello"',
 *   'client: wrote "hel"',
 *   'client: wrote "lo"',
 *   "client: closed",
 * ]);
 * ```
 *
 * @example A peer that is late
 * ```ts
 * import { TimeoutError, withTimeout } from "@sluice/io";
 * import { mockClock, mockFlow } from "@sluice/io/net/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const clock = mockClock({ autoAdvance: true });
 * const server = mockFlow("server");
 * server.onRead({ run: () => clock.sleep(60_000).then(() => "late") });
 * await assertRejects(() => withTimeout(clock, 5_000, () => server.read(new Uint8Array(8))), TimeoutError);
 * assertEquals(clock.now(), 5_000);
 * ```
 */
export function mockFlow(label: string, options?: MockFlowOptions): MockFlow {
  checkOptions("make a mock flow", options);
  const { log, local = tcp("127.0.0.1", 50001), peer = tcp("127.0.0.1", 50002) } = options ?? {};
  const mockLog = new MockLog("make a mock flow", label, log);
  return new ScriptedFlow(mockLog, checkStreamAddress(local), checkStreamAddress(peer));
}

class ScriptedFlow implements MockFlow {
  static {
    hideClass(this);
  }

  readonly local: StreamAddress;
  readonly peer: StreamAddress;
  readonly #log: MockLog;
  readonly #life: Life;
  readonly #options: MockSocketOptions;
  readonly #reads: Script<Uint8Array | string | null, Uint8Array | null>;
  readonly #writes: Script<number>;
  /** What a small buffer has left of the last data. */
  #rest: Uint8Array | undefined;
  #readEnded = false;
  #writeEnded = false;

  constructor(log: MockLog, local: StreamAddress, peer: StreamAddress) {
    this.#log = log;
    this.local = local;
    this.peer = peer;
    this.#reads = new Script({ handler: "onRead", check: checkRead, otherwise: () => null });
    this.#writes = new Script({ handler: "onWrite", check: checkSize, otherwise: () => defaultWrite, late: () => {} });
    this.#life = new Life(this, log, "sockets", () => {
      this.#reads.end({ error: this.#life.closedError("read") });
      this.#writes.end({ error: this.#life.closedError("write") });
    });
    this.#options = new MockSocketOptions(log, this.#life);
    Object.freeze(this);
  }

  get log(): readonly string[] {
    return this.#log.lines;
  }

  get [label](): string {
    return this.#log.label;
  }

  onRead(...actions: Action<Uint8Array | string | null>[]): void {
    this.#reads.add(actions);
  }

  onWrite(...actions: Action<number>[]): void {
    this.#writes.add(actions);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const refusal = checkBuffer(buffer) ?? refused();
    if (refusal !== undefined) return refusal;
    if (this.#life.isOver) return rejection(this.#life.closedError("read"));
    if (this.#reads.busy) return Promise.reject(new BusyError("read", { flow: this.#log.label }));
    if (this.#readEnded) return Promise.resolve(null);
    if (this.#rest !== undefined) return Promise.resolve(this.#fill(buffer, this.#rest));
    return this.#reads.call("read", this.#log, (data) => data === null ? null : this.#fill(buffer, data));
  }

  #fill(buffer: Uint8Array, data: Uint8Array): number {
    this.#rest = data;
    const size = Math.min(lengthOf(buffer), data.length);
    if (size === 0) throw vanished("read");
    const part = data.subarray(0, size);
    copyTo(buffer, part, 0);
    this.#rest = size < data.length ? data.subarray(size) : undefined;
    this.#log.noteData("read", [part]);
    return size;
  }

  write(bytes: Uint8Array): Promise<number> {
    const refusal = checkBytes(bytes) ?? refused() ?? this.#refuseWrite();
    if (refusal !== undefined) return refusal;
    const view = unshared(viewOf(bytes));
    return view.length === 0 ? Promise.resolve(0) : this.#send([view]);
  }

  [give](buffers: readonly Uint8Array[]): Promise<number> {
    const views = viewsOf(buffers);
    if (!Array.isArray(views)) return Promise.reject(views);
    return refused() ?? this.#refuseWrite() ?? (views.length === 0 ? Promise.resolve(0) : this.#send(views));
  }

  #send(views: readonly Uint8Array[]): Promise<number> {
    const size = totalLength(views);
    return this.#writes.call("write", this.#log, (most) => {
      if (totalLength(views) < size) throw vanished("write");
      const taken = firstOf(views, most);
      this.#log.noteData("wrote", taken);
      return totalLength(taken);
    });
  }

  #refuseWrite(): Promise<never> | undefined {
    if (this.#life.isOver) return rejection(this.#life.closedError("write"));
    if (this.#writeEnded) return rejection(this.#writeEndedError());
    return this.#writes.busy ? Promise.reject(new BusyError("write", { flow: this.#log.label })) : undefined;
  }

  #writeEndedError(): ClosedError {
    return new ClosedError("write", "sending was shut down by this side", { flow: this.#log.label });
  }

  shutdown(how: ShutdownHow): Promise<void> {
    const problem = howProblem(how);
    if (problem !== undefined) return Promise.reject(problem);
    if (this.#life.isOver) return Promise.resolve();
    this.#log.note(`shutdown ${how}`);
    if (how !== "send") {
      this.#readEnded = true;
      this.#rest = undefined;
      this.#reads.end({ value: null });
    }
    if (how !== "receive") {
      this.#writeEnded = true;
      if (this.#writes.busy) this.#writes.end({ error: this.#writeEndedError() });
    }
    return Promise.resolve();
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    this.#options.set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    return this.#options.get(name) as SocketOptionTypes[N];
  }

  abort(reason?: unknown): void {
    this.#life.end("aborted", "aborted by this side", reason === undefined ? undefined : { cause: reason });
  }

  close(): Promise<void> {
    return this.#life.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Checks the value of a read: data that is not empty, or the end. */
function checkRead(value: unknown): Uint8Array | null {
  if (value === null) return null;
  const bytes = typeof value === "string" ? encode(value) : isBytes(value) ? viewOf(value).slice() : undefined;
  if (bytes === undefined) {
    const rule = "it must be a string, a Uint8Array or null";
    throw new TypeError(`Cannot read a scripted value as ${rule}: current value is ${describe(value)}`);
  }
  if (bytes.length > 0) return bytes;
  throw new TypeError("Cannot read a scripted value as it is empty: a read has at least 1 byte, and the end is null");
}

/** Checks the value of a write. */
function checkSize(value: unknown): number {
  checkWhole("write", "the scripted size", value, 1, true);
  return value as number;
}

/** Returns the first `size` bytes of buffers. */
function firstOf(buffers: readonly Uint8Array[], size: number): Uint8Array[] {
  const taken: Uint8Array[] = [];
  let left = size;
  for (const bytes of buffers) {
    if (left === 0) break;
    taken.push(bytes.subarray(0, left));
    left -= taken[taken.length - 1].length;
  }
  return taken;
}
