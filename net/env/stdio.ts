// Copyright 2026 the Sluice authors. MIT license.

import type { Readable, Writable } from "node:stream";
import { Incoming } from "../../flow/node/incoming.ts";
import { Outgoing } from "../../flow/node/outgoing.ts";
import { Stream } from "../../flow/stream.ts";
import type { StreamEnd } from "../../flow/stream_end.ts";
import { type Borrower, BrokenPipeError, give, type GivingSink, lend, type LendingSource } from "../../flow/mod.ts";
import { Semaphore } from "../../switch/mod.ts";

/** Standard input as a source, and the way to give it back to the process. */
export interface Input {
  readonly source: LendingSource;
  close(): void;
}

/** Begins to read a standard stream of the process. */
export function openInput(readable: Readable, label: string): Input {
  const incoming = new Incoming(readable);
  const end: StreamEnd = {
    peek: () => incoming.peek(),
    consume: (size) => incoming.consume(size),
    drop: () => incoming.drop(),
    write: () => 0,
    give: () => 0,
    end: () => {},
    flushed: true,
  };
  const stream = new Stream(end, { label, failure: (_, cause) => cause });
  const onError = (error: unknown) => incoming.fail(error);
  readable.on("error", onError);
  incoming.start(() => stream.readable());
  return {
    source: Object.freeze({
      read: (buffer: Uint8Array) => stream.read(buffer),
      [lend]: (use: Borrower) => stream.lend(use),
    }),
    close: () => {
      stream.close();
      incoming.stop();
      readable.off("error", onError);
    },
  };
}

/** Standard output or error as a sink, and the way to give it back to the process. */
export interface Output {
  readonly sink: GivingSink;
  /** Waits until everything that was taken has been passed on, and then lets go. */
  close(): Promise<void>;
}

/**
 * Begins to write to a standard stream of the process, which itself is never ended. The whole program shares it, so writes take turns instead of being a
 * `BusyError`.
 */
export function openOutput(writable: Writable, label: string): Output {
  const outgoing = new Outgoing(writable, () => stream.writable());
  const end: StreamEnd = {
    peek: () => null,
    consume: () => {},
    drop: () => {},
    write: (bytes) => outgoing.write(bytes),
    give: (buffers) => outgoing.give(buffers),
    end: () => {},
    get flushed() {
      return outgoing.flushed;
    },
  };
  const stream = new Stream(end, { label, failure: brokenPipe });
  const onError = (error: unknown) => outgoing.fail(error);
  writable.on("error", onError);
  const turn = new Semaphore(1);
  const inTurn = async (write: () => Promise<number>) => {
    const permit = await turn.acquire();
    try {
      return await write();
    } finally {
      permit.release();
    }
  };
  return {
    sink: Object.freeze({
      write: (bytes: Uint8Array) => inTurn(() => stream.write(bytes)),
      [give]: (buffers: readonly Uint8Array[]) => inTurn(() => stream.give(buffers)),
    }),
    close: async () => {
      await stream.flush();
      stream.close();
      writable.off("error", onError);
    },
  };
}

/** The reader of a standard stream may go away, as that of any pipe. */
function brokenPipe(operation: "read" | "write", cause: unknown): unknown {
  return (cause as { code?: unknown } | undefined)?.code === "EPIPE"
    ? new BrokenPipeError(operation, { cause })
    : cause;
}
