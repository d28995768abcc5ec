// Copyright 2026 the Sluice authors. MIT license.

import { ByteQueue, checkOptions, describe, leastMemory } from "../base/internal.ts";
import { totalLength } from "./_bytes.ts";
import { type CloseActions, flowOf } from "./_flow.ts";
import { type StreamNames, writeLimit } from "./_half.ts";
import { Stream } from "./_stream.ts";
import { BrokenPipeError } from "./errors.ts";
import type { StreamEnd } from "./provider.ts";
import type { GivingSink, LendingSource } from "./provider.ts";
import type { Closable, TwoWay } from "./types.ts";

/** Options for {@linkcode pipe}. */
export interface PipeOptions {
  /**
   * How many bytes each direction buffers before its writer waits. The writer resumes once half of
   * the capacity is free, or its whole write fits; otherwise a reader of small parts would break
   * all writes into small pieces.
   *
   * @default {65536}
   */
  capacity?: number | undefined;
}

/** One end of a {@linkcode pipe}. */
export interface PipeEnd extends TwoWay, Closable, LendingSource, GivingSink {}

/**
 * Makes two flows in memory, each of which reads what is written to the other. They hold no system
 * resource and need no switch.
 *
 * After one end is closed, the other reads what is buffered and then the end; writing to it fails
 * with {@linkcode BrokenPipeError}.
 *
 * @param options The capacity of each direction.
 * @returns The two ends.
 * @throws {RangeError} If the capacity is not a whole number of at least 1.
 *
 * @example A conversation in memory
 * ```ts
 * import { copyString, pipe, readAll } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const [a, b] = pipe();
 * await copyString("hello", a);
 * await a.close();
 * assertEquals(new TextDecoder().decode(await readAll(b)), "hello");
 * ```
 */
export function pipe(options?: PipeOptions): [PipeEnd, PipeEnd] {
  checkOptions("make a pipe", options);
  const { capacity = 64 * 1024 } = options ?? {};
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    const value = typeof capacity === "number" ? capacity : describe(capacity);
    throw new RangeError(`Cannot make a pipe as capacity must be a whole number >= 1: current value is ${value}`);
  }
  return namedPipe(capacity, names, names);
}

/** Makes a pipe whose ends have their own names in errors and dumps. */
export function namedPipe(capacity: number, names: StreamNames, others: StreamNames): [PipeEnd, PipeEnd] {
  const there = new Channel(capacity);
  const back = new Channel(capacity);
  return [new MemoryEnd(back, there, names).flow, new MemoryEnd(there, back, others).flow];
}

/** One direction: what was written and not yet read, and the streams at both ends. */
class Channel {
  readonly queue: ByteQueue;
  ended = false;
  /** The reader has shut down receiving: what is written is dropped. */
  dropped = false;
  /** The reader is closed: writing fails. */
  broken = false;
  reader: Stream | undefined;
  writer: Stream | undefined;

  constructor(capacity: number) {
    this.queue = new ByteQueue(capacity);
  }

  clear(): void {
    this.queue.clear();
    this.writer?.writable();
  }
}

const names: StreamNames = { label: "pipe", failure: (_, cause) => cause };

/** An end that reads from one channel and writes to the other. */
class MemoryEnd implements StreamEnd, CloseActions {
  readonly flushed = true; // a channel needs no flush
  readonly #in: Channel;
  readonly #out: Channel;
  readonly #stream: Stream;

  constructor(from: Channel, to: Channel, names: StreamNames) {
    this.#in = from;
    this.#out = to;
    this.#stream = from.reader = to.writer = new Stream(this, names);
  }

  get flow(): PipeEnd {
    return flowOf(this.#stream, this);
  }

  get unsent(): number {
    return this.#out.queue.size;
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    return this.#in.queue.peek() ?? (this.#in.ended ? null : undefined);
  }

  consume(size: number): boolean {
    this.#in.queue.consume(size);
    this.#in.writer?.writable();
    return this.#in.queue.size > 0;
  }

  write(bytes: Uint8Array): number {
    return this.#put(bytes.length, (size) => this.#out.queue.add(bytes.subarray(0, size)));
  }

  give(buffers: readonly Uint8Array[]): number {
    return this.#put(totalLength(buffers), (size) => {
      let left = size;
      for (const bytes of buffers) {
        const part = bytes.subarray(0, left);
        // Copy a small part: a reference could keep much larger memory alive.
        if (part.length < leastMemory) this.#out.queue.add(part);
        else this.#out.queue.keep(part as Uint8Array<ArrayBuffer>);
        left -= part.length;
      }
    });
  }

  end(): void {
    this.#out.ended = true;
    this.#out.reader?.readable();
  }

  drop(): void {
    this.#in.dropped = true;
    this.#in.clear();
  }

  close(): Promise<void> {
    if (this.#stream.close()) {
      this.#in.broken = true;
      this.#in.clear();
      this.end();
    }
    return Promise.resolve();
  }

  #put(wanted: number, add: (size: number) => void): number {
    const { queue, broken, dropped, reader } = this.#out;
    if (broken) throw new BrokenPipeError("write");
    const most = Math.min(wanted, writeLimit);
    if (dropped) return most;
    const size = queue.room(most);
    if (size === 0) return 0;
    add(size);
    reader?.readable();
    return size;
  }
}
