// Copyright 2026 the Sluice authors. MIT license.

/**
 * The public view of a {@linkcode Stream}: its operations and nothing else. This is the one place
 * that forwards them.
 */
import { hideClass } from "../base/internal.ts";
import { registerFlows } from "./_foreign.ts";
import type { Stream } from "./_stream.ts";
import { label } from "./errors.ts";
import { type Borrower, give, type GivingSink, lend, type LendingSource } from "./provider.ts";
import type { Closable, ClosableSink, ClosableSource, ShutdownHow, TwoWay } from "./types.ts";

/** The operations of a stream, as methods of a flow. */
export interface StreamMethods extends TwoWay, LendingSource, GivingSink {
  readonly [label]: string;
}

/** How a flow ends. */
export interface CloseActions {
  close(): Promise<void>;
  /** Absent if the flow cannot be aborted. */
  abort?(reason?: unknown): void;
}

/**
 * Adds the operations of a stream to a class of flows. The flow forwards every call unchanged, so
 * `copy` from one such flow to another connects their streams directly.
 *
 * @param find Finds the stream of a flow by a private field, which no other object can forge.
 */
export function addStreamMethods(
  type: { readonly prototype: object },
  find: (flow: object) => Stream | undefined,
): void {
  registerFlows(find);
  const streamOf = find as (flow: object) => Stream;
  const methods: StreamMethods = {
    get [label](): string {
      return streamOf(this).label;
    },
    read(buffer: Uint8Array) {
      return streamOf(this).read(buffer);
    },
    [lend](use: Borrower) {
      return streamOf(this).lend(use);
    },
    write(bytes: Uint8Array) {
      return streamOf(this).write(bytes);
    },
    [give](buffers: readonly Uint8Array[]) {
      return streamOf(this).give(buffers);
    },
    shutdown(how: ShutdownHow) {
      return streamOf(this).shutdown(how);
    },
  };
  for (const key of Reflect.ownKeys(methods)) {
    const method = Object.getOwnPropertyDescriptor(methods, key);
    Object.defineProperty(type.prototype, key, { ...method, enumerable: false });
  }
}

interface Flow extends StreamMethods {}

/** A flow made of a stream and its ending. */
class Flow implements Closable {
  static {
    addStreamMethods(this, (flow) => #stream in flow ? flow.#stream : undefined);
    hideClass(this);
  }

  readonly #stream: Stream;
  readonly #ending: CloseActions;

  constructor(stream: Stream, ending: CloseActions) {
    this.#stream = stream;
    this.#ending = ending;
    if (ending.abort !== undefined) {
      Object.defineProperty(this, "abort", { value: (reason?: unknown) => ending.abort?.(reason) });
    }
    Object.freeze(this);
  }

  close(): Promise<void> {
    return this.#ending.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#ending.close();
  }
}

/** Wraps a stream as a flow. */
export function flowOf<E extends CloseActions>(
  stream: Stream,
  ending: E,
): StreamMethods & Closable & Pick<E, keyof E & "abort"> {
  return new Flow(stream, ending) as Flow & E;
}

/** Wraps the receiving half of a stream as a source. */
export function sourceOf(stream: Stream): LendingSource {
  return Object.freeze({
    read: (buffer: Uint8Array) => stream.read(buffer),
    [lend]: (use: Borrower) => stream.lend(use),
  });
}

/** Wraps the receiving half of a stream as a source that can be closed. */
export function closableSource(stream: Stream, close: () => Promise<void>): ClosableSource {
  return Object.freeze({ ...sourceOf(stream), close, [Symbol.asyncDispose]: close });
}

/** Wraps the sending half of a stream as a sink that can be closed and aborted. */
export function closableSink(stream: Stream, { close, abort }: Required<CloseActions>): ClosableSink {
  return Object.freeze({
    write: (bytes: Uint8Array) => stream.write(bytes),
    [give]: (buffers: readonly Uint8Array[]) => stream.give(buffers),
    close,
    abort,
    [Symbol.asyncDispose]: close,
  });
}
