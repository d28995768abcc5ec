// Copyright 2026 the Sluice authors. MIT license.

import { currentScope, refused, Waiter } from "../switch/scope.ts";
import { checkBuffer, checkBuffers, checkBytes } from "./bytes.ts";
import { BusyError, ClosedError } from "./errors.ts";
import type { Borrower, ShutdownHow } from "./types.ts";

/**
 * What a {@linkcode StreamEnd} tells its one user. Each call may come at any time, from any callback, and more often than needed.
 */
export interface StreamEvents {
  /** {@linkcode StreamEnd.peek} has something new to say: bytes, the end, or an error. */
  readable(): void;
  /** {@linkcode StreamEnd.write} may take bytes again, or {@linkcode StreamEnd.flushed} became true, or an error came. */
  writable(): void;
}

/**
 * One end of a byte stream that never waits, as a non-blocking socket: it does what can be done now, and tells when to try again. Backends and pipes
 * implement it; waiting, cancellation, ownership and checks are added once, on top.
 */
export interface StreamEnd {
  /**
   * What has arrived and is not consumed, as far as it lies in one piece: at least one byte, null at the end, `undefined` while nothing is there (then
   * {@linkcode StreamEvents.readable} follows). Nobody writes to its memory any more.
   *
   * @throws What broke the receiving direction, once everything that arrived before is consumed.
   */
  peek(): Uint8Array<ArrayBuffer> | null | undefined;
  /** Drops the first `size` bytes of what `peek` gave. */
  consume(size: number): void;
  /**
   * Takes bytes: passes them on at once, or copies them. 0 while something older is queued (then {@linkcode StreamEvents.writable} follows).
   *
   * @throws What broke the sending direction.
   */
  write(bytes: Uint8Array): number;
  /** {@linkcode StreamEnd.write}, for several buffers whose memory belongs to the stream once taken. */
  give(buffers: readonly Uint8Array[]): number;
  /** Ends the sending direction after everything that was taken. */
  end(): void;
  /** Drops what has arrived and whatever will, so that the other side is not held up. */
  drop(): void;
  /** Whether all that was taken, and the end, have been passed on, or never will be. */
  readonly flushed: boolean;
}

/** The most that one write copies, in bytes. */
export const writeLimit: number = 64 * 1024;

/** How a stream names itself and its failures. */
export interface StreamNames {
  /** What the stream is called in dumps: "tcp:127.0.0.1:80". Asked for only when a dump is made. */
  readonly label: string;
  /** What is thrown for an error of the {@linkcode StreamEnd}. */
  failure(operation: "read" | "write", cause: unknown): unknown;
}

/**
 * Waiting, cancellation and checks over a {@linkcode StreamEnd}: the one place where reads and writes of pipes and sockets wait.
 */
export class Stream implements StreamEvents {
  readonly #end: StreamEnd;
  readonly #names: StreamNames;
  #closed = false;
  #sendEnded = false;
  #receiveEnded = false;
  #lending = false;
  #reader: Waiter<unknown> | undefined;
  #onReadable: (() => void) | undefined;
  #writer: Waiter<unknown> | undefined;
  #onWritable: (() => void) | undefined;
  #flushers: Set<Waiter<void>> | undefined;

  constructor(end: StreamEnd, names: StreamNames) {
    this.#end = end;
    this.#names = names;
  }

  get closed(): boolean {
    return this.#closed;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const refusal = checkBuffer(buffer) ?? refused() ?? this.#refuseRead();
    if (refusal !== undefined) return refusal;
    return this.#whenReadable((bytes) => {
      if (bytes === null) return null;
      const size = Math.min(bytes.length, buffer.length);
      buffer.set(size === bytes.length ? bytes : bytes.subarray(0, size));
      this.#end.consume(size);
      return size;
    });
  }

  async lend(use: Borrower): Promise<number | null> {
    const refusal = refused() ?? this.#refuseRead();
    if (refusal !== undefined) return await refusal;
    const bytes = await this.#whenReadable((bytes) => {
      this.#lending = bytes !== null;
      return bytes;
    });
    if (bytes === null) return null;
    try {
      const taken = await use(bytes, true);
      if (!(Number.isInteger(taken) && taken >= 0 && taken <= bytes.length)) {
        throw new RangeError(`Cannot lend: the borrower took ${taken} of ${bytes.length} bytes`);
      }
      if (taken > 0 && !this.#closed && !this.#receiveEnded) this.#end.consume(taken);
      return taken;
    } finally {
      this.#lending = false;
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    const refusal = checkBytes(bytes) ?? refused() ?? this.#refuseWrite();
    if (refusal !== undefined) return refusal;
    if (bytes.length === 0) return Promise.resolve(0);
    return this.#whenWritable(() => this.#end.write(bytes));
  }

  give(buffers: readonly Uint8Array[]): Promise<number> {
    const refusal = checkBuffers(buffers) ?? refused() ?? this.#refuseWrite();
    if (refusal !== undefined) return refusal;
    const full = buffers.filter((bytes) => bytes.length > 0);
    if (full.length === 0) return Promise.resolve(0);
    return this.#whenWritable(() => this.#end.give(full));
  }

  shutdown(how: ShutdownHow): Promise<void> {
    if (how !== "send" && how !== "receive" && how !== "all") {
      return Promise.reject(
        new TypeError(`Cannot shut down ${JSON.stringify(how)}: must be "send", "receive" or "all"`),
      );
    }
    if (this.#closed) return Promise.resolve();
    if (how !== "send" && !this.#receiveEnded) {
      this.#receiveEnded = true;
      this.#end.drop();
      this.readable();
    }
    if (how === "receive") return Promise.resolve();
    if (!this.#sendEnded) {
      this.#sendEnded = true;
      this.#end.end();
      this.#writer?.reject(new ClosedError("write", "sending was shut down by this side"));
      this.#writer = this.#onWritable = undefined;
    }
    return currentScope()?.reason === undefined ? this.flush() : Promise.resolve();
  }

  /** Waits until all that was taken has been passed on, or never will be. */
  flush(): Promise<void> {
    if (this.#end.flushed) return Promise.resolve();
    const flushers = this.#flushers ??= new Set();
    const waiter: Waiter<void> = new Waiter("shutdown", (_, reason) => {
      flushers.delete(waiter);
      waiter.reject(reason);
    }, this.#names);
    flushers.add(waiter);
    return waiter.promise;
  }

  /** Forbids new operations and wakes what waits. Whether this was the first time. */
  close(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    this.#reader?.reject(new ClosedError("read"));
    this.#writer?.reject(new ClosedError("write"));
    this.#reader =
      this.#writer =
      this.#onReadable =
      this.#onWritable =
        undefined;
    return true;
  }

  readable(): void {
    this.#onReadable?.();
  }

  writable(): void {
    this.#onWritable?.();
    if (this.#flushers === undefined || !this.#end.flushed) return;
    for (const waiter of this.#flushers) waiter.resolve();
    this.#flushers = undefined;
  }

  /** Gives what `take` makes of the next piece, at once or when it is there. */
  #whenReadable<T>(take: (bytes: Uint8Array<ArrayBuffer> | null) => T): Promise<T> {
    try {
      const bytes = this.#receiveEnded ? null : this.#end.peek();
      if (bytes !== undefined) return Promise.resolve(take(bytes));
    } catch (error) {
      return Promise.reject(this.#names.failure("read", error));
    }
    const waiter: Waiter<T> = new Waiter("read", (_, reason) => {
      this.#reader = this.#onReadable = undefined;
      waiter.reject(reason);
    }, this.#names);
    this.#reader = waiter as Waiter<unknown>;
    this.#onReadable = () => {
      try {
        const bytes = this.#receiveEnded ? null : this.#end.peek();
        if (bytes === undefined) return;
        this.#reader = this.#onReadable = undefined;
        waiter.resolve(take(bytes));
      } catch (error) {
        this.#reader = this.#onReadable = undefined;
        waiter.reject(this.#names.failure("read", error));
      }
    };
    return waiter.promise;
  }

  /** Gives how much `put` took, at once or when it takes something. */
  #whenWritable(put: () => number): Promise<number> {
    try {
      const taken = put();
      if (taken > 0) return Promise.resolve(taken);
    } catch (error) {
      return Promise.reject(this.#names.failure("write", error));
    }
    const waiter: Waiter<number> = new Waiter("write", (_, reason) => {
      this.#writer = this.#onWritable = undefined;
      waiter.reject(reason);
    }, this.#names);
    this.#writer = waiter as Waiter<unknown>;
    this.#onWritable = () => {
      try {
        const taken = put();
        if (taken === 0) return;
        this.#writer = this.#onWritable = undefined;
        waiter.resolve(taken);
      } catch (error) {
        this.#writer = this.#onWritable = undefined;
        waiter.reject(this.#names.failure("write", error));
      }
    };
    return waiter.promise;
  }

  #refuseRead(): Promise<never> | undefined {
    if (this.#closed) return Promise.reject(new ClosedError("read"));
    if (this.#reader !== undefined || this.#lending) return Promise.reject(new BusyError("read"));
    return undefined;
  }

  #refuseWrite(): Promise<never> | undefined {
    if (this.#closed) return Promise.reject(new ClosedError("write"));
    if (this.#sendEnded) return Promise.reject(new ClosedError("write", "sending was shut down by this side"));
    if (this.#writer !== undefined) return Promise.reject(new BusyError("write"));
    return undefined;
  }
}
