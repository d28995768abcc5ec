// Copyright 2026 the Sluice authors. MIT license.

import type { Duplex } from "node:stream";
import { checkNumber, checkOptions, hideClass } from "../../base/internal.ts";
import { checkMethods, Home, label, Stream, type StreamEnd } from "../internal.ts";
import { type Borrower, give, type GivingSink, lend, type LendingSource } from "../internal.ts";
import type { Closable, ShutdownHow, TwoWay } from "../mod.ts";
import { brokenPipe, Ending, readableMethods, watch, writableMethods } from "./_node_stream.ts";
import { Incoming } from "./_readable_end.ts";
import { Outgoing } from "./_writable_end.ts";

const defaultLinger = 1000;

/** Options for {@linkcode fromDuplex}. */
export interface FromDuplexOptions {
  /**
   * How long `close` waits for the other side to end, in milliseconds of real time.
   *
   * @default {1000}
   */
  linger?: number | undefined;
}

/** The flow that {@linkcode fromDuplex} returns. */
export interface DuplexFlow extends TwoWay, Closable, LendingSource, GivingSink {
  /**
   * Lets everything that was taken go out, without a limit in time, and then destroys the stream: where
   * anything was written, once the other side has ended too, or after `linger`. It reads and drops
   * what arrives meanwhile. If the caller's scope, or the one in which the flow was
   * made, is cancelled before or meanwhile, the stream is destroyed at once. A second close waits for
   * the first.
   */
  close(): Promise<void>;
  /**
   * Destroys the stream at once, and drops what it was given and has not sent. The connection of a
   * socket is reset, so that its peer does not take a part for the whole; a Unix socket, and a
   * `TLSSocket` of Deno, cannot do that.
   *
   * @param reason The error that the stream is destroyed with, if it is an `Error`.
   */
  abort(reason?: unknown): void;
}

/**
 * Makes a flow of a stream of Node that goes both ways: a socket, a TLS connection, a `Transform`. Only
 * the flow may read or write the stream from now on; it listens to its `'error'` events. Each direction
 * ends on its own: the stream's `allowHalfOpen` is set.
 *
 * Receiving is as with {@linkcode fromReadable}, sending as with {@linkcode fromWritable}.
 *
 * @param duplex The stream.
 * @param options How long closing may take.
 * @returns The flow.
 * @throws {RangeError} If `linger` is not a number of at least 0.
 * @throws {TypeError} If `duplex` is not a stream of Node that goes both ways.
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
  const kind = "a stream of Node that goes both ways";
  checkMethods("make a flow", duplex, kind, ...readableMethods, ...writableMethods);
  checkOptions("make a flow", options);
  const { linger = defaultLinger } = options ?? {};
  checkNumber("make a flow", "linger", linger, 0, Infinity);
  return new NodeFlow(duplex, linger);
}

class NodeFlow implements DuplexFlow {
  static {
    hideClass(this);
  }

  readonly #duplex: Duplex;
  readonly #incoming: Incoming;
  readonly #outgoing: Outgoing;
  readonly #stream: Stream;
  readonly #ending: Ending;
  readonly #gone: Promise<void>;
  readonly #linger: number;
  #closing: Promise<void> | undefined;

  constructor(duplex: Duplex, linger: number) {
    duplex.allowHalfOpen = true;
    this.#linger = linger;
    this.#duplex = duplex;
    this.#ending = new Ending(duplex, new Home());
    const incoming = this.#incoming = new Incoming(duplex);
    const outgoing = this.#outgoing = new Outgoing(duplex, { writable: () => stream.writable() }, true);
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
    };
    const stream = this.#stream = new Stream(end, { label: "duplex", failure: brokenPipe });
    this.#gone = watch(duplex, (error) => {
      incoming.fail(error);
      outgoing.fail(error);
    });
    incoming.start(stream);
    Object.freeze(this);
  }

  get [label](): string {
    return this.#stream.label;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#stream.read(buffer);
  }

  [lend](use: Borrower): Promise<number | null> {
    return this.#stream.lend(use);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#stream.write(bytes);
  }

  [give](buffers: readonly Uint8Array[]): Promise<number> {
    return this.#stream.give(buffers);
  }

  shutdown(how: ShutdownHow): Promise<void> {
    return this.#stream.shutdown(how);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  abort(reason?: unknown): void {
    this.#stream.close("aborted by this side", reason === undefined ? undefined : { cause: reason });
    this.#ending.giveUp(reason);
    this.#closing ??= this.#gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#stream.close();
    const wrote = this.#stream.hasTaken;
    const end = () => {
      this.#incoming.drop();
      this.#outgoing.end();
    };
    // A socket that is closed before answers what still arrives with a reset, which destroys what the
    // other side has yet to read.
    await this.#ending.end(end, wrote, () => wrote ? this.#incoming.over(this.#linger) : this.#incoming.settled());
    this.#duplex.destroy();
    await this.#gone;
  }
}
