// Copyright 2026 the Sluice authors. MIT license.

/**
 * What backends, wrappers and flows of other libraries are made with: the fast paths, and the end of a stream that never waits.
 *
 * ```ts
 * import { stringSource } from "@sluice/io/flow";
 * import { lend } from "@sluice/io/flow/provider";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await stringSource("hello")[lend]((bytes) => bytes.length), 5);
 * ```
 *
 * @module
 */

export { type Borrower, give, type GivingSink, lend, type LendingSource } from "./types.ts";

/**
 * What a {@linkcode StreamEnd} tells its one user. Each call may come at any time, from any callback, and more often than needed.
 */
export interface StreamEvents {
  /** {@linkcode StreamEnd.peek} has something new to say: bytes, the end, or an error. */
  readable(): void;
  /** {@linkcode StreamEnd.write} may take bytes again, or {@linkcode StreamEnd.flushed} became true, or an error came. */
  writable(): void;
}

/**
 * One end of a byte stream that never waits, as a non-blocking socket: it does what can be done now, and tells when to try again. Backends and pipes
 * implement it; waiting, cancellation, ownership and checks are added once, on top.
 */
export interface StreamEnd {
  /**
   * Whether the memory of what `peek` returned stays as it is after `consume`, so that a borrower may keep it. With `false`
   * the end may write to it again then.
   *
   * @default {true}
   */
  readonly keeps?: boolean | undefined;
  /**
   * What has arrived and is not consumed, as far as it lies in one piece: at least one byte, null at the end, `undefined` while nothing is there (then
   * {@linkcode StreamEvents.readable} follows). Its memory is not written to before it is consumed; if that has been detached or shrunk all
   * the same, it is empty, and stays so. It may be a subclass such as Node's `Buffer`: a plain view of it costs a tenth of a
   * round trip, so {@linkcode Stream} makes one only where it lends.
   *
   * @throws What broke the receiving direction, once everything that arrived before is consumed.
   */
  peek(): Uint8Array<ArrayBuffer> | null | undefined;
  /**
   * Drops the first `size` bytes of what `peek` returned, even if their memory was detached since. `true` says that more has arrived, so that `peek` gives it without doing anything for it: a read
   * takes that along.
   */
  consume(size: number): boolean | void;
  /**
   * Takes bytes: passes them on at once, or copies them. 0 while something older is queued (then {@linkcode StreamEvents.writable} follows).
   *
   * @throws What broke the sending direction.
   */
  write(bytes: Uint8Array): number;
  /**
   * {@linkcode StreamEnd.write}, for several buffers whose memory belongs to the stream once taken.
   *
   * @param owned Whether nothing else can reach the memory. If other code can, an end that leaves it with the system copies it first:
   * memory that is detached meanwhile is freed, and the system would send what lies there next.
   */
  give(buffers: readonly Uint8Array[], owned?: boolean): number;
  /** Ends the sending direction after everything that was taken. */
  end(): void;
  /** Drops what has arrived and whatever will, so that the other side is not held up. */
  drop(): void;
  /** Whether all that was taken, and the end, have been passed on, or never will be. */
  readonly flushed: boolean;
  /** What broke the sending direction after {@linkcode StreamEnd.end}, while something taken was still queued. */
  readonly lost?: { readonly error: unknown } | undefined;
}
