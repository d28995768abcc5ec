// Copyright 2026 the Sluice authors. MIT license.

import type { Readable, Writable } from "node:stream";
import { setImmediate } from "node:timers";
import { fieldOf, textOf } from "../../base/internal.ts";
import {
  checkBytes,
  noSink,
  noSource,
  Stream,
  type StreamEnd,
  totalLength,
  vanished,
  viewOf,
  viewsOf,
} from "../../flow/internal.ts";
import { type Borrower, give, type GivingSink, lend, type LendingSource } from "../../flow/internal.ts";
import { brokenPipe, Incoming, Outgoing } from "../../flow/node/internal.ts";
import { Semaphore } from "../../switch/mod.ts";

/** What all runs that use a standard stream have in common: the process has only one of it. */
interface Shared<Half extends { fail(error: unknown): void }> {
  readonly half: Half;
  readonly users: Set<Stream>;
  readonly onError: (error: unknown) => void;
}

interface SharedOutput extends Shared<Outgoing> {
  readonly turn: Semaphore;
}

/** Kept between runs, for what has arrived and has not been read yet. */
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
  return { ...common, turn: new Semaphore(1) };
}

/** Standard input as a source, and the way to give it back to the process. */
export interface Input {
  readonly source: LendingSource;
  close(): void;
}

/**
 * Begins to read a standard stream of the process. What is not read is there for the next reader.
 */
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
    source: Object.freeze({
      read: (buffer: Uint8Array) => stream.read(buffer),
      [lend]: (use: Borrower) => stream.lend(use),
    }),
    close: () => {
      stream.close();
      users.delete(stream);
      if (users.size > 0) return;
      incoming.stop();
      readable.off("error", onError);
    },
  };
}

/** Standard output or error as a sink, and the way to give it back to the process. */
export interface Output {
  readonly sink: GivingSink;
  /**
   * Waits until everything that was taken has been passed on, and then lets go. Rejects with what
   * was not told to any writer.
   */
  close(): Promise<void>;
}

/**
 * Begins to write to a standard stream of the process, which itself is never ended. The whole
 * program shares it, so writes take turns instead of being a `BusyError`.
 */
export function openOutput(writable: Writable, label: string): Output {
  const output = outputs.get(writable) ?? shareOutput(writable);
  outputs.set(writable, output);
  const { half: outgoing, users, onError, turn } = output;
  let untold = false; // something was taken, and its loss is not known yet
  const failure = (operation: "read" | "write", cause: unknown) => {
    untold = false;
    const error = brokenPipe(operation, cause, label);
    if (error !== cause) return error;
    const reason = textOf(fieldOf(cause, Error, "message") ?? cause);
    return new Error(`Cannot ${operation} to ${label}: ${reason}`, { cause });
  };
  const taking = (taken: number) => {
    untold ||= taken > 0;
    return taken;
  };
  const end: StreamEnd = {
    ...noSource,
    write: (bytes) => taking(outgoing.write(bytes)),
    give: (buffers) => taking(outgoing.give(buffers)),
    end: () => {},
    get flushed() {
      return outgoing.flushed;
    },
  };
  const stream = new Stream(end, { label, failure });
  users.add(stream);
  if (users.size === 1) writable.on("error", onError);
  const inTurn = async (write: () => Promise<number>) => {
    const permit = await turn.acquire();
    try {
      return await write();
    } finally {
      permit.release();
    }
  };
  /** What is to be written may vanish while others have their turn. */
  const write = (views: readonly Uint8Array[], put: () => Promise<number>) => {
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
      await new Promise((resolve) => setImmediate(resolve)); // an error of the last write is still to come
      stream.close();
      users.delete(stream);
      if (users.size === 0) writable.off("error", onError);
      try {
        outgoing.check();
      } catch (error) {
        if (untold) throw failure("write", error);
      }
    },
  };
}
