// Copyright 2026 the Sluice authors. MIT license.

import { finished, type Readable, type Writable } from "node:stream";
import { Buffer } from "node:buffer";
import { type Home, onCancel } from "../internal.ts";
import { BrokenPipeError } from "../mod.ts";

/** The code for a stream that closed early without an error of its own. */
const prematureClose = "ERR_STREAM_PREMATURE_CLOSE";

/** The codes of errors that only say that the other side is gone. */
const brokenCodes: readonly unknown[] = ["EPIPE", "ERR_STREAM_DESTROYED", prematureClose];

/**
 * The methods by which streams of Node are recognized. Some are not of a class of `node:stream`:
 * requests, responses, those of older packages.
 */
export const readableMethods: readonly string[] = ["on", "resume", "destroy"];
export const writableMethods: readonly string[] = ["on", "write", "end", "destroy"];

/**
 * Returns what to throw for an error of a stream, which may have a name: a broken pipe if the other
 * side is gone.
 */
export function brokenPipe(operation: "read" | "write", cause: unknown, flow?: string): unknown {
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  return brokenCodes.includes(code) ? new BrokenPipeError(operation, { cause, flow }) : cause;
}

/**
 * Listens for what breaks a stream, so that an `'error'` event does not end the process: an error, or a
 * close, which `fail` ignores after an end. The promise settles when the stream has closed.
 */
export function watch(stream: Readable | Writable, fail: (error: unknown) => void): Promise<void> {
  const broken = () =>
    fail(stream.errored ?? Object.assign(new Error("The stream was closed before its end"), { code: prematureClose }));
  stream.on("error", fail);
  if (stream.destroyed) broken();
  if (stream.closed) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once("close", () => {
      broken();
      resolve();
    });
  });
}

/** Ends a stream for writing, or destroys it early. */
export class Ending {
  readonly #writable: Writable;
  readonly #home: Home;
  #givenUp = false;
  #wake = () => {};

  constructor(writable: Writable, home: Home) {
    this.#writable = writable;
    this.#home = home;
  }

  /** Whether {@linkcode Ending.giveUp} was called. */
  get givenUp(): boolean {
    return this.#givenUp;
  }

  /** Destroys the stream, now; a socket, if it `cutsOff`, so that its peer learns that it did not get everything. */
  giveUp(reason?: unknown, cutsOff = true): void {
    if (this.#givenUp) return;
    this.#givenUp = true;
    const error = reason instanceof Error ? reason : undefined;
    if (cutsOff) cutOff(this.#writable, error);
    else this.#writable.destroy(error);
    this.#wake();
  }

  /**
   * Ends the stream after everything that it was given, and waits until that has gone out, and then for
   * what `follow` waits for; or until it was given up, as when the caller's scope or the home is cancelled.
   * Resolves with what broke it. If nothing `wrote`, the peer misses nothing when it is given up.
   */
  async end(end: () => void, wrote = true, follow?: () => Promise<void>): Promise<unknown> {
    const giveUp = (reason: unknown) => this.giveUp(reason, wrote);
    const forget = [onCancel("close", giveUp), this.#home.onCancel("close", giveUp)];
    try {
      if (this.#givenUp) return;
      const error = await new Promise((resolve) => {
        this.#wake = () => resolve(undefined);
        finished(this.#writable, { readable: false }, resolve);
        end();
      });
      if (!this.#givenUp) await follow?.();
      return error;
    } finally {
      forget.forEach((each) => each());
    }
  }
}

/** What a socket has beside what streams have. */
interface Resettable {
  readonly connecting?: boolean;
  /** The socket under a `TLSSocket`, on Node and Deno. */
  readonly _parent?: Writable | null;
  resetAndDestroy?(): unknown;
}

/**
 * Destroys a stream with the error, and resets the connection where it is a socket: destroying that alone
 * would be an end to its peer as after the last byte.
 */
function cutOff(stream: Writable & Resettable, error: Error | undefined): void {
  const { destroy, _parent } = stream;
  if (!stream.destroyed && stream.connecting !== true) {
    // A TLSSocket refuses a reset, or does nothing for it.
    if (_parent !== undefined && _parent !== null) cutOff(_parent, undefined);
    else if (typeof stream.resetAndDestroy === "function") {
      stream.destroy = () => destroy.call(stream, error); // a reset takes no error
      try {
        stream.resetAndDestroy();
      } catch {
        // A Unix socket has no reset.
      }
      stream.destroy = destroy;
    }
  }
  stream.destroy(error);
}

/** Bytes as Node has them, in the same memory. */
export function bufferOf(bytes: Uint8Array<ArrayBuffer>): Buffer<ArrayBuffer> {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
