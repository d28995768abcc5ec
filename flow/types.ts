// Copyright 2026 the Sluice authors. MIT license.

/**
 * Where bytes come from. It has the shape of Deno's reader, so `Deno.stdin`, files and `Deno.Conn` already are sources.
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
   * Waits for at least one byte, and reads as many as are there and fit.
   *
   * A cancelled read has taken nothing: the bytes stay for the next reader. One read at a time.
   *
   * @param buffer Where the bytes go. It must not be empty, and belongs to the source until the promise settles.
   * @returns How many bytes were read, at least 1; null at the end, now and ever after.
   * @throws {RangeError} When `buffer` is empty.
   * @throws {TypeError} When `buffer` is not a `Uint8Array`, of whatever realm, or its memory is detached, or shrunk to nothing, while the read waits: then
   * the bytes stay for the next reader.
   * @throws {BusyError} When another read is under way.
   * @throws {ClosedError} When this side has closed the flow.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  read(buffer: Uint8Array): Promise<number | null>;
}

/**
 * Where bytes go. It has the shape of Deno's writer.
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
   * Waits until nothing older is queued, and then takes what it can at once: at least one byte, and perhaps not all. `writeAll` writes all.
   *
   * A cancelled write has taken nothing. One write at a time.
   *
   * @param bytes What to write. They may be changed again as soon as the promise settles.
   * @returns How many bytes were taken, from the first on: at least 1, and 0 only of an empty buffer.
   * @throws {TypeError} When `bytes` is not a `Uint8Array`, of whatever realm, or its memory is detached, or shrunk, while the write waits: then nothing was
   * taken.
   * @throws {BusyError} When another write is under way.
   * @throws {ClosedError} When this side has closed the flow, or has shut down sending.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  write(bytes: Uint8Array): Promise<number>;
}

/** Which directions {@linkcode TwoWay.shutdown} ends. */
export type ShutdownHow = "receive" | "send" | "all";

/**
 * A source and a sink whose directions end on their own.
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
   * Ends one direction, or both. Ending it again does nothing, and a flow that is broken or closed is no error. Works in a cancelled scope.
   *
   * "send" gives the other side the end, after everything that was taken; it settles when that has been passed on, and this wait can be cancelled.
   * After "receive" a waiting read gets the end, and what arrives later is dropped.
   *
   * @param how Which directions to end.
   * @throws {Cancelled} When the current scope is cancelled during the wait. The direction has been ended all the same.
   * @throws What broke the flow, such as a `NetError`, if something that a write had taken is lost.
   */
  shutdown(how: ShutdownHow): Promise<void>;
}

/**
 * What can be closed.
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
   * Closes it. Operations that wait are woken with {@linkcode ClosedError}. The second close does nothing but wait for the first. Works in a cancelled
   * scope.
   */
  close(): Promise<void>;
}

/**
 * The name of a source's fast path, {@linkcode LendingSource}: it lends its own buffers instead of copying them into the caller's.
 */
export const lend: unique symbol = Symbol.for("@sluice/io/lend");

/**
 * The name of a sink's fast path, {@linkcode GivingSink}: it takes buffers whose memory the caller gives up, instead of copying them.
 */
export const give: unique symbol = Symbol.for("@sluice/io/give");

/**
 * What a lender calls with bytes that have arrived. It runs in the scope in which it was lent to.
 *
 * @param bytes At least one byte, for reading only, and only until the borrower has answered, except as `keep` says.
 * @param keep Whether the borrower may keep the memory of the bytes that it takes, and pass it on, because it is not
 * written to any more.
 * @returns How many bytes were taken, from the first on; the others stay in the source. 0 takes nothing. A number that
 * says all asks for more; a promise asks for nothing more, whatever it resolves with.
 */
export type Borrower = (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => number | Promise<number>;

/**
 * A source that lends its buffers, as all sources of the library do. A wrapper of a source implements this itself, or
 * hides it; it never forwards it uncounted.
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
   * Waits for at least one byte, then calls `use` with what has arrived. Each time that `use` answers at once, by a number,
   * that it took everything, it is called again with what has arrived or arrives next. It settles when `use` takes less, or
   * has answered with a promise, which is awaited; at the end; and when it has gone on for so long without waiting that other
   * code should have its turn.
   *
   * From beginning to end it counts as one read: another read is a {@linkcode BusyError}. A cancellation reaches the waits
   * before each call of `use`, and what `use` itself does. What `use` took before stays taken.
   *
   * @param use Takes some of the bytes, or none. What it throws is thrown, and nothing has been taken then of what it was
   * called with.
   * @returns How many bytes `use` took in all; null at the end, if nothing was taken.
   * @throws {RangeError} If `use` says that it took more than there was.
   * @throws {ClosedError} If this side has closed the flow, or closes it while the loan waits.
   * @throws {Cancelled} If the current scope is cancelled while no byte is there.
   */
  [lend](use: Borrower): Promise<number | null>;
}

/**
 * A sink that may keep buffers instead of copying them. A wrapper of a sink implements this itself, or hides it; it never
 * forwards it uncounted.
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
   * Takes what it can at once, as {@linkcode Sink.write} does, but it need not copy: the memory of the bytes that were taken
   * belongs to the sink from then on. The rest stays the caller's. Where it need not wait, it answers with the count itself,
   * else with a promise, which waits until nothing older is queued. It throws nothing at once: errors are rejections.
   *
   * What a sink in memory has kept must not be detached: reading it is a `TypeError` then. A socket, and a stream of Node, copies what other code can still
   * reach, since the system would otherwise send what comes to lie in memory that was freed.
   *
   * @param buffers What to take, in order. Empty ones are skipped.
   * @returns How many bytes were taken, counted over all buffers: at least 1, and 0 only where all are empty.
   */
  [give](buffers: readonly Uint8Array[]): number | Promise<number>;
}

/**
 * A source that can be closed before its end: what a bridge makes of a foreign stream.
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
 * A sink that has an end: what a bridge makes of a foreign stream.
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
   * Ends the stream after everything that was taken, and waits until it has passed that on. Operations that wait are woken with {@linkcode ClosedError}.
   * The second close does nothing but wait for the first.
   *
   * Where the caller's scope, or the one in which the sink was made, is cancelled before or meanwhile, the stream is aborted instead.
   *
   * @throws What broke the stream, if no write has thrown it.
   */
  close(): Promise<void>;
  /**
   * Gives the stream up at once, and what was taken with it. After a close it does nothing but end the wait of that.
   *
   * @param reason What the stream is told.
   */
  abort(reason?: unknown): void;
}
