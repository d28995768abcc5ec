// Copyright 2026 the Sluice authors. MIT license.

import { finished, type Readable, type Writable } from "node:stream";
import { Buffer } from "node:buffer";
import { type BridgeScope, onCancel } from "../internal.ts";
import { BrokenPipeError } from "../mod.ts";

/** The code for a stream that closed early without an error. */
const prematureClose = "ERR_STREAM_PREMATURE_CLOSE";

/** Codes of errors that only say that the peer is gone. */
const brokenCodes: readonly unknown[] = ["EPIPE", "ERR_STREAM_DESTROYED", prematureClose];

/**
 * Methods by which Node streams are recognized. Some are not of a class of `node:stream`: requests,
 * responses, streams of older packages.
 */
export const readableMethods: readonly string[] = ["on", "resume", "destroy"];
export const writableMethods: readonly string[] = ["on", "write", "end", "destroy"];

/**
 * Returns the error to throw for a failure of a stream: a {@linkcode BrokenPipeError} if the peer
 * is gone, and otherwise `cause`.
 */
export function brokenPipe(operation: "read" | "write", cause: unknown, flow?: string): unknown {
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  return brokenCodes.includes(code) ? new BrokenPipeError(operation, { cause, flow }) : cause;
}

/**
 * Calls `fail` with each error of a stream, and when it closes; after the end, `fail` must ignore
 * that. The `'error'` event then has a listener, and does not end the process. The promise resolves
 * when the stream has closed.
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

/** Ends a writable stream, or abandons it: destroys it before its end. */
export class Ending {
  readonly #writable: Writable;
  readonly #scope: BridgeScope;
  #abandoned = false;
  #wake = () => {};

  constructor(writable: Writable, scope: BridgeScope) {
    this.#writable = writable;
    this.#scope = scope;
  }

  /** Whether {@linkcode Ending.abandon} was called. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  /**
   * Destroys the stream now. If `cutsOff`, resets a socket, so that its peer learns that data is
   * missing.
   */
  abandon(reason?: unknown, cutsOff = true): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    const error = reason instanceof Error ? reason : undefined;
    if (cutsOff) cutOff(this.#writable, error);
    else this.#writable.destroy(error);
    this.#wake();
  }

  /**
   * Calls `end`, and waits until the stream has flushed everything, and then for `follow`. If the
   * scope of the caller or of the bridge is cancelled, the stream is abandoned, which ends the
   * wait.
   *
   * @param wrote Whether anything was written. If not, abandoning the stream does not reset a
   * socket.
   * @returns The error that broke the stream, if any.
   */
  async end(end: () => void, wrote = true, follow?: () => Promise<void>): Promise<unknown> {
    const abandon = (reason: unknown) => this.abandon(reason, wrote);
    const forget = [onCancel("close", abandon), this.#scope.onCancel("close", abandon)];
    try {
      if (this.#abandoned) return;
      const error = await new Promise((resolve) => {
        this.#wake = () => resolve(undefined);
        finished(this.#writable, { readable: false }, resolve);
        end();
      });
      if (!this.#abandoned) await follow?.();
      return error;
    } finally {
      forget.forEach((each) => each());
    }
  }
}

/** What a socket has beyond other streams. */
interface Resettable {
  readonly connecting?: boolean;
  /** The socket under a `TLSSocket`, on Node and Deno. */
  readonly _parent?: Writable | null;
  resetAndDestroy?(): unknown;
}

/**
 * Destroys a stream with the error, and resets the connection if it is a socket: a plain destroy
 * would look to its peer like a complete end.
 */
function cutOff(stream: Writable & Resettable, error: Error | undefined): void {
  const { destroy, _parent } = stream;
  if (!stream.destroyed && stream.connecting !== true) {
    // A TLSSocket rejects or ignores a reset.
    if (_parent !== undefined && _parent !== null) cutOff(_parent, undefined);
    else if (typeof stream.resetAndDestroy === "function") {
      stream.destroy = () => destroy.call(stream, error); // a reset takes no error
      try {
        stream.resetAndDestroy();
      } catch {
        // A Unix socket cannot be reset.
      }
      stream.destroy = destroy;
    }
  }
  stream.destroy(error);
}

/** Returns the bytes as a `Buffer` over the same memory. */
export function bufferOf(bytes: Uint8Array<ArrayBuffer>): Buffer<ArrayBuffer> {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
