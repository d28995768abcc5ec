// Copyright 2026 the Sluice authors. MIT license.

/**
 * A reader of bytes. It has the shape of Deno's reader, so `Deno.stdin`, files and `Deno.Conn` are
 * sources already.
 *
 * @example Reading once
 * ```ts
 * import { type Source, stringSource } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const source: Source = stringSource("hello");
 * const buffer = new Uint8Array(3);
 * assertEquals(await source.read(buffer), 3);
 * ```
 */
export interface Source {
  /**
   * Waits for at least one byte, and reads as many as have arrived and fit.
   *
   * A cancelled read has taken nothing: the bytes stay for the next reader. One read at a time.
   *
   * @param buffer The buffer to fill. It must not be empty, and belongs to the source until the
   * promise settles.
   * @returns How many bytes were read, at least 1; null at the end, and ever after.
   * @throws {RangeError} If `buffer` is empty.
   * @throws {TypeError} If `buffer` is not a `Uint8Array` (of any realm), or its memory is
   * detached, or shrunk to nothing, while the read waits: the bytes stay for the next reader.
   * @throws {BusyError} If another read is in progress.
   * @throws {ClosedError} If this side has closed the flow.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  read(buffer: Uint8Array): Promise<number | null>;
}

/**
 * A writer of bytes. It has the shape of Deno's writer.
 *
 * @example Writing once
 * ```ts
 * import { bufferSink } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * assertEquals(await sink.write(new TextEncoder().encode("hello")), 5);
 * ```
 */
export interface Sink {
  /**
   * Waits until no older bytes are queued, and then takes what it can at once: at least one byte,
   * and perhaps not all. `writeAll` writes all.
   *
   * A cancelled write has taken nothing. One write at a time.
   *
   * @param bytes The bytes to write. They may be changed again as soon as the promise settles.
   * @returns How many bytes were taken, from the start: at least 1, and 0 only for an empty buffer.
   * @throws {TypeError} If `bytes` is not a `Uint8Array` (of any realm), or its memory is detached,
   * or shrunk, while the write waits: nothing was taken.
   * @throws {BusyError} If another write is in progress.
   * @throws {ClosedError} If this side has closed the flow, or has shut down sending.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  write(bytes: Uint8Array): Promise<number>;
}

/** Which directions {@linkcode TwoWay.shutdown} ends. */
export type ShutdownHow = "receive" | "send" | "all";

/**
 * A source and a sink whose directions end independently (half-close).
 *
 * @example Telling the other side that no more will come
 * ```ts
 * import { copyString, pipe, readAll } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const [a, b] = pipe();
 * await copyString("hello", a);
 * await a.shutdown("send");
 * assertEquals((await readAll(b)).length, 5);
 * ```
 */
export interface TwoWay extends Source, Sink {
  /**
   * Ends one direction, or both. Ending it again does nothing, and a broken or closed flow is not
   * an error. Works in a cancelled scope.
   *
   * "send" ends the peer's input after everything that was taken, and settles when that has been
   * passed on; this wait can be cancelled. After "receive" a waiting read returns the end, and what
   * arrives later is dropped.
   *
   * @param how Which directions to end.
   * @throws {Cancelled} If the current scope is cancelled during the wait. The direction has ended
   * all the same.
   * @throws What broke the flow, such as a `NetError`, if bytes that a write had taken are lost.
   */
  shutdown(how: ShutdownHow): Promise<void>;
}

/**
 * A resource that can be closed.
 *
 * @example Closing twice
 * ```ts
 * import { pipe } from "@sluice/io";
 *
 * const [end] = pipe();
 * await end.close();
 * await end.close();
 * ```
 */
export interface Closable extends AsyncDisposable {
  /**
   * Closes it. Waiting operations fail with {@linkcode ClosedError}. A second close only waits for
   * the first. Works in a cancelled scope.
   */
  close(): Promise<void>;
}

/**
 * Key of a source's fast path, {@linkcode LendingSource}: it lends its own buffers instead of
 * copying them into the caller's.
 */
export const lend: unique symbol = Symbol.for("@sluice/io/lend");

/**
 * Key of a sink's fast path, {@linkcode GivingSink}: it takes over buffers that the caller gives
 * up, instead of copying them.
 */
export const give: unique symbol = Symbol.for("@sluice/io/give");

/**
 * A callback that a lender calls with bytes that have arrived, in the scope that called `lend`.
 *
 * @param bytes At least one byte, read-only, and only until the borrower has answered, unless
 * `keep` is true.
 * @param keep Whether the borrower may keep the memory of the bytes that it takes, and pass it on,
 * because it is never written to again.
 * @returns How many bytes were taken, from the start; the others stay in the source. 0 takes
 * nothing. A number equal to the length asks for more; a promise never does.
 */
export type Borrower = (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => number | Promise<number>;

/**
 * A source that lends its buffers, as all sources of the library do. A wrapper of a source
 * implements this method itself or omits it: a forwarded call would bypass the wrapper.
 *
 * @example Looking at bytes where they are
 * ```ts
 * import { stringSource } from "@sluice/io";
 * import { lend } from "@sluice/io/flow/provider";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await stringSource("hello")[lend]((bytes) => Math.min(bytes.length, 2)), 2);
 * ```
 *
 * @example Counting up to the end, without a promise for each piece
 * ```ts
 * import { bytesSource } from "@sluice/io";
 * import { lend } from "@sluice/io/flow/provider";
 * import { assertEquals } from "@std/assert";
 *
 * const source = bytesSource(new Uint8Array(3), new Uint8Array(4));
 * let size = 0;
 * for (let taken; (taken = await source[lend]((bytes) => bytes.length)) !== null;) size += taken;
 * assertEquals(size, 7);
 * ```
 */
export interface LendingSource extends Source {
  /**
   * Waits for at least one byte, then calls `use` with what has arrived. If `use` returns, as a
   * number, that it took everything, it is called again with what has arrived or arrives next. The
   * loan ends when `use` takes less, or returns a promise, which is awaited; at the end; and after
   * many calls without a wait, so that other code gets a turn.
   *
   * The whole loan counts as one read: another read is a {@linkcode BusyError}. A cancellation
   * reaches the waits before each call of `use`, and what `use` itself does. Bytes that `use` took
   * before stay taken.
   *
   * @param use Takes some of the bytes, or none. An error that it throws is passed on, and none of
   * the bytes of that call are taken.
   * @returns How many bytes `use` took in all; null at the end, if nothing was taken.
   * @throws {RangeError} If `use` returns more than the number of bytes lent.
   * @throws {ClosedError} If this side has closed the flow, or closes it while the loan waits.
   * @throws {Cancelled} If the current scope is cancelled while no byte has arrived.
   */
  [lend](use: Borrower): Promise<number | null>;
}

/**
 * A sink that may keep buffers instead of copying them. A wrapper of a sink implements this method
 * itself or omits it: a forwarded call would bypass the wrapper.
 *
 * @example Giving memory away
 * ```ts
 * import { bufferSink } from "@sluice/io";
 * import { give } from "@sluice/io/flow/provider";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await bufferSink()[give]([new Uint8Array(2), new Uint8Array(3)]), 5);
 * ```
 */
export interface GivingSink extends Sink {
  /**
   * Takes what it can at once, as {@linkcode Sink.write} does, but need not copy: the memory of the
   * bytes taken belongs to the sink from then on. The rest stays the caller's. It returns the count
   * itself if it need not wait, else a promise, which waits until no older bytes are queued. It
   * never throws synchronously: errors are rejections.
   *
   * Memory that a sink in memory has kept must not be detached: reading it is a `TypeError` then. A
   * socket, and a Node stream, copy what other code can still reach, because the system would
   * otherwise send from freed memory.
   *
   * @param buffers The buffers to take, in order. Empty ones are skipped.
   * @returns How many bytes were taken, over all buffers: at least 1, and 0 only if all are empty.
   */
  [give](buffers: readonly Uint8Array[]): number | Promise<number>;
}

/**
 * A source that can be closed before its end, such as a bridge to a foreign stream.
 *
 * @example Closing early
 * ```ts
 * import { fromReadableStream } from "@sluice/io";
 *
 * await using source = fromReadableStream(new Blob(["hello"]).stream());
 * await source.read(new Uint8Array(2));
 * ```
 */
export interface ClosableSource extends LendingSource, Closable {}

/**
 * A sink that can be closed, such as a bridge to a foreign stream.
 *
 * @example Ending a stream
 * ```ts
 * import { copyString, fromWritableStream } from "@sluice/io";
 *
 * const sink = fromWritableStream(new WritableStream());
 * await copyString("hello", sink);
 * await sink.close();
 * ```
 */
export interface ClosableSink extends GivingSink, Closable {
  /**
   * Ends the stream after everything that was taken, and waits until that has been passed on.
   * Waiting operations fail with {@linkcode ClosedError}. A second close only waits for the first.
   *
   * If the caller's scope, or the one in which the sink was made, is cancelled before or meanwhile,
   * the stream is aborted instead.
   *
   * @throws What broke the stream, if no write has thrown it.
   */
  close(): Promise<void>;
  /**
   * Aborts the stream at once, and drops what was taken. After a close it only ends the wait of
   * that close.
   *
   * @param reason The reason, passed to the stream.
   */
  abort(reason?: unknown): void;
}
