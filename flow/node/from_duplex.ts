// Copyright 2026 the Sluice authors. MIT license.

import type { Duplex } from "node:stream";
import { checkNumber, checkOptions } from "../../base/internal.ts";
import {
  BridgeScope,
  checkMethods,
  flowOf,
  type GivingSink,
  type LendingSource,
  Stream,
  type StreamEnd,
} from "../internal.ts";
import type { Closable, TwoWay } from "../mod.ts";
import { brokenPipe, Ending, readableMethods, watch, writableMethods } from "./_node_stream.ts";
import { Incoming } from "./_readable_end.ts";
import { Outgoing } from "./_writable_end.ts";

const defaultLinger = 1000;

/** Options for {@linkcode fromDuplex}. */
export interface FromDuplexOptions {
  /**
   * How long `close` waits for the peer to end, in milliseconds of real time.
   *
   * @default {1000}
   */
  linger?: number | undefined;
}

/** A flow made by {@linkcode fromDuplex}. */
export interface DuplexFlow extends TwoWay, Closable, LendingSource, GivingSink {
  /**
   * Flushes everything that was written, without a time limit. If anything was, it then waits until
   * the peer has ended too, for at most `linger`. Then it destroys the stream. It reads and drops
   * what arrives meanwhile. If the caller's scope, or the one in which the flow was made, is
   * cancelled, the stream is destroyed at once. A second close waits for the first.
   */
  close(): Promise<void>;
  /**
   * Destroys the stream at once, and drops its unsent output. The connection of a socket is reset,
   * so that its peer does not mistake truncated data for the whole; a Unix socket, and a
   * `TLSSocket` of Deno, cannot do that.
   *
   * @param reason The error to destroy the stream with, if it is an `Error`.
   */
  abort(reason?: unknown): void;
}

/**
 * Makes a flow of a duplex stream of Node: a socket, a TLS connection, a `Transform`. Only the flow
 * may read or write the stream from now on; it listens to its `'error'` events. It sets
 * `allowHalfOpen`, so that each direction ends independently.
 *
 * Receiving works as in {@linkcode fromReadable}, sending as in {@linkcode fromWritable}.
 *
 * @param duplex The stream.
 * @param options How long closing may take.
 * @returns The flow.
 * @throws {RangeError} If `linger` is not a number of at least 0.
 * @throws {TypeError} If `duplex` is not a duplex stream of Node.
 *
 * @example A stream of Node as a flow
 * ```ts
 * import { copyString, readAll } from "@sluice/io";
 * import { fromDuplex } from "@sluice/io/flow/node";
 * import { PassThrough } from "node:stream";
 * import { assertEquals } from "@std/assert";
 *
 * const flow = fromDuplex(new PassThrough());
 * await copyString("hello", flow);
 * const [echo] = await Promise.all([readAll(flow), flow.shutdown("send")]);
 * assertEquals(new TextDecoder().decode(echo), "hello");
 * await flow.close();
 * ```
 */
export function fromDuplex(duplex: Duplex, options?: FromDuplexOptions): DuplexFlow {
  const kind = "a duplex stream of Node";
  checkMethods("make a flow", duplex, kind, ...readableMethods, ...writableMethods);
  checkOptions("make a flow", options);
  const { linger = defaultLinger } = options ?? {};
  checkNumber("make a flow", "linger", linger, 0, Infinity);

  duplex.allowHalfOpen = true;
  const ending = new Ending(duplex, new BridgeScope());
  const incoming = new Incoming(duplex);
  const outgoing: Outgoing = new Outgoing(duplex, { writable: () => stream.writable() }, true);
  const end: StreamEnd = {
    peek: () => incoming.peek(),
    consume: (size) => incoming.consume(size),
    drop: () => incoming.drop(),
    write: (bytes) => outgoing.write(bytes),
    give: (buffers) => outgoing.give(buffers),
    end: () => outgoing.end(),
    get flushed() {
      return outgoing.flushed;
    },
    get unsent() {
      return outgoing.unsent;
    },
  };
  const stream = new Stream(end, { label: "duplex", failure: brokenPipe });
  const streamClosed = watch(duplex, (error) => {
    incoming.fail(error);
    outgoing.fail(error);
  });
  incoming.start(stream);

  const finish = async () => {
    stream.close();
    const wrote = stream.hasTaken;
    const endSending = () => {
      incoming.drop();
      outgoing.end();
    };
    // A socket that is closed earlier answers late input with a reset, and the peer then loses what
    // it has yet to read.
    await ending.end(endSending, wrote, () => wrote ? incoming.over(linger) : incoming.settled());
    duplex.destroy();
    await streamClosed;
  };
  let closing: Promise<void> | undefined;
  return flowOf(stream, {
    close: () => closing ??= finish(),
    abort: (reason?: unknown) => {
      stream.close("aborted by this side", reason === undefined ? undefined : { cause: reason });
      ending.abandon(reason);
      closing ??= streamClosed;
    },
  });
}
