// Copyright 2026 the Sluice authors. MIT license.

/** The standard streams of the process as flows. */
import type { Readable, Writable } from "node:stream";
import { setImmediate } from "node:timers";
import { fieldOf, textOf } from "../../base/internal.ts";
import {
  checkBytes,
  noSink,
  noSource,
  sourceOf,
  Stream,
  type StreamEnd,
  totalLength,
  vanished,
  viewOf,
  viewsOf,
} from "../../flow/internal.ts";
import { give, type GivingSink, type LendingSource } from "../../flow/internal.ts";
import { brokenPipe, Incoming, Outgoing } from "../../flow/node/internal.ts";
import { Semaphore } from "../../switch/mod.ts";

/** The state of a standard stream, shared by all `run`s: the process has only one. */
interface Shared<Half extends { fail(error: unknown): void }> {
  readonly half: Half;
  readonly users: Set<Stream>;
  readonly onError: (error: unknown) => void;
}

interface SharedOutput extends Shared<Outgoing> {
  /** Serializes writes. */
  readonly mutex: Semaphore;
}

/** Kept between runs, as unread input belongs to the next one. */
const inputs: WeakMap<Readable, Shared<Incoming>> = new WeakMap();
const outputs: WeakMap<Writable, SharedOutput> = new WeakMap();

function shared<Half extends { fail(error: unknown): void }>(makeHalf: (users: Set<Stream>) => Half): Shared<Half> {
  const users = new Set<Stream>();
  const half = makeHalf(users);
  return { half, users, onError: (error) => half.fail(error) };
}

function shareOutput(writable: Writable): SharedOutput {
  const common = shared((users) =>
    new Outgoing(writable, { writable: () => users.forEach((user) => user.writable()) }, true)
  );
  return { ...common, mutex: new Semaphore(1) };
}

/** Standard input as a source. */
export interface Input {
  readonly source: LendingSource;
  /** Stops reading. Unread input is kept for the next reader. */
  close(): void;
}

/** Starts to read a standard stream of the process. */
export function openInput(readable: Readable, label: string): Input {
  const input = inputs.get(readable) ?? shared(() => new Incoming(readable));
  inputs.set(readable, input);
  const { half: incoming, users, onError } = input;
  const end: StreamEnd = {
    ...noSink,
    peek: () => incoming.peek(),
    consume: (size) => incoming.consume(size),
  };
  const stream = new Stream(end, { label, failure: (_, cause) => cause });
  users.add(stream);
  if (users.size === 1) {
    readable.on("error", onError);
    incoming.start({ readable: () => users.forEach((user) => user.readable()) });
  }
  return {
    source: sourceOf(stream),
    close: () => {
      stream.close();
      users.delete(stream);
      if (users.size > 0) return;
      incoming.stop();
      readable.off("error", onError);
    },
  };
}

/** Standard output or standard error as a sink. */
export interface Output {
  readonly sink: GivingSink;
  /**
   * Waits until everything accepted has been written, then detaches from the stream. Rejects with
   * an error that no write has reported.
   */
  close(): Promise<void>;
}

/**
 * Starts to write to a standard stream of the process, which is never ended. Concurrent writes take
 * turns rather than fail with a `BusyError`, as the whole program shares the stream.
 */
export function openOutput(writable: Writable, label: string): Output {
  const output = outputs.get(writable) ?? shareOutput(writable);
  outputs.set(writable, output);
  const { half: outgoing, users, onError, mutex } = output;
  let unreported = false; // whether bytes were accepted since the last reported error
  const failure = (operation: "read" | "write", cause: unknown) => {
    unreported = false;
    const error = brokenPipe(operation, cause, label);
    if (error !== cause) return error;
    const reason = textOf(fieldOf(cause, Error, "message") ?? cause);
    return new Error(`Cannot ${operation} to ${label}: ${reason}`, { cause });
  };
  const accepted = (taken: number) => {
    unreported ||= taken > 0;
    return taken;
  };
  const end: StreamEnd = {
    ...noSource,
    write: (bytes) => accepted(outgoing.write(bytes)),
    give: (buffers) => accepted(outgoing.give(buffers)),
    end: () => {},
    get flushed() {
      return outgoing.flushed;
    },
  };
  const stream = new Stream(end, { label, failure });
  users.add(stream);
  if (users.size === 1) writable.on("error", onError);
  const inTurn = async (write: () => number | Promise<number>) => {
    const permit = await mutex.acquire();
    try {
      return await write();
    } finally {
      permit.release();
    }
  };
  /** A buffer may be detached while it waits for its turn. */
  const write = (views: readonly Uint8Array[], put: () => number | Promise<number>) => {
    const size = totalLength(views);
    return inTurn(() => totalLength(views) === size ? put() : Promise.reject(vanished("write")));
  };
  return {
    sink: Object.freeze({
      write(bytes: Uint8Array) {
        const refusal = checkBytes(bytes);
        if (refusal !== undefined) return refusal;
        const view = viewOf(bytes);
        return write([view], () => stream.write(view));
      },
      [give](buffers: readonly Uint8Array[]) {
        const views = viewsOf(buffers);
        return Array.isArray(views) ? write(views, () => stream.give(views)) : Promise.reject(views);
      },
    }),
    close: async () => {
      await stream.flush();
      // Lets an error of the last write arrive.
      await new Promise((resolve) => setImmediate(resolve));
      stream.close();
      users.delete(stream);
      if (users.size === 0) writable.off("error", onError);
      try {
        outgoing.check();
      } catch (error) {
        if (unreported) throw failure("write", error);
      }
    },
  };
}
