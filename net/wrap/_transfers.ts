// Copyright 2026 the Sluice authors. MIT license.

import { checkTaken, noted, rejection, type ShutdownHow, silenced, viewOf, writeLimit } from "../../flow/internal.ts";
import { currentScope, refused, runIn, type Scope } from "../../switch/internal.ts";
import { giveRest, movedOf } from "./_hooks.ts";
import type { ByteQuota } from "./byte_quota.ts";
import type { ConnectionHooks, ConnectionOperation } from "./connection_hooks.ts";

/** A borrower of any kind: `how` says what it may do with the memory. */
type AnyBorrower<H> = (bytes: Uint8Array<ArrayBuffer>, how: H) => number | Promise<number>;

/** The hooks of a connection around every path that its bytes take. */
export class Transfers {
  readonly #check: ConnectionHooks["check"];
  readonly #received: ConnectionHooks["received"];
  readonly #sent: ConnectionHooks["sent"];
  readonly #pending: ConnectionHooks["pending"];
  readonly #ended: ConnectionHooks["ended"];
  readonly #incoming: ByteQuota | undefined;
  readonly #outgoing: ByteQuota | undefined;
  readonly #failed: ConnectionHooks["failed"];

  /** Whether this side has shut down receiving, so that reads do not tell when the peer ends. */
  #receivingEnded = false;

  constructor({ check, received, sent, pending, ended, incoming, outgoing, failed }: ConnectionHooks) {
    this.#check = check;
    this.#received = received;
    this.#sent = sent;
    this.#pending = pending;
    this.#ended = ended;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#failed = failed;
  }

  /** Whether the hooks do nothing but count. */
  get onlyCounts(): boolean {
    return this.#check === undefined && this.#failed === undefined && !this.limitsReads && !this.limitsWrites;
  }

  /** Counts bytes that were read, and returns how many. */
  noteRead(count: number): number {
    const received = this.#received; // called without `this`
    if (count > 0) received?.(count);
    return count;
  }

  /** Counts bytes that were written, and returns how many. */
  noteWritten(count: number): number {
    const sent = this.#sent;
    if (count > 0) sent?.(count);
    return count;
  }

  /** Counts bytes that a joint takes, at once or later, and returns how many. */
  noteTaken(taken: number | Promise<number>): number | Promise<number> {
    const note = (count: number) => this.noteWritten(count);
    const pending = this.#pending; // called without `this`
    if (typeof taken === "number" || pending === undefined) return noted(taken, note);
    const settled = pending("write");
    return silenced(taken, (count) => {
      note(count);
      settled();
      return count;
    }, (error) => {
      settled();
      return error;
    });
  }

  /** Notes the end if a read or a loan that has begun finds it. */
  noteEnd(reading: Promise<number | null>): Promise<number | null> {
    return this.#ended === undefined ? reading : silenced(reading, (count) => this.#noteEndIn(count));
  }

  #noteEndIn<T>(count: T): T {
    const ended = this.#ended;
    if (count === null && !this.#receivingEnded) ended?.();
    return count;
  }

  /** Shuts a direction down, or both. */
  shutdown(how: ShutdownHow, shut: () => Promise<void>): Promise<void> {
    if (how === "receive" || how === "all") this.#receivingEnded = true;
    const pending = this.#pending;
    if (pending === undefined || (how !== "send" && how !== "all")) return shut();
    const settled = pending("shutdown");
    let shutting: Promise<void>;
    try {
      shutting = Promise.resolve(shut());
    } catch (error) {
      settled();
      throw error;
    }
    return silenced(shutting, settled, (error) => {
      settled();
      return error;
    });
  }

  get limitsReads(): boolean {
    return this.#incoming !== undefined;
  }

  get limitsWrites(): boolean {
    return this.#outgoing !== undefined;
  }

  /** Throws to refuse an operation. */
  check(operation: ConnectionOperation): void {
    const check = this.#check; // called without `this`
    check?.(operation);
  }

  /** Does the same in `scope`, for an operation that continues in a callback of the system. */
  checkIn(scope: Scope | undefined, operation: ConnectionOperation): void {
    const check = this.#check;
    if (check === undefined) return;
    if (currentScope() === scope) check(operation);
    else runIn(scope, check, operation);
  }

  /** Returns the rejection if the operation must not begin. */
  refuse(operation: ConnectionOperation): Promise<never> | undefined {
    if (this.#check === undefined) return undefined; // the inner connection checks the scope
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    try {
      this.check(operation);
      return undefined;
    } catch (error) {
      return rejection(error);
    }
  }

  /**
   * Completes a read that has begun. If reads are limited, `deliver` copies as many bytes as are
   * allowed to the caller.
   */
  read(reading: Promise<number | null>, deliver?: (count: number) => void): Promise<number | null> {
    const received = this.#received;
    if (received === undefined && this.#failed === undefined && deliver === undefined) return this.noteEnd(reading);
    return silenced(Promise.resolve(reading), (count) => {
      if (typeof count !== "number" || count <= 0) return this.#noteEndIn(count);
      const allowed = deliver === undefined ? count : this.#incoming?.take(count, 1) ?? count;
      deliver?.(allowed);
      received?.(allowed);
      return allowed;
    }, this.#failure("read"));
  }

  /**
   * Writes once: calls `move` with how many of `size` bytes it may write.
   *
   * @returns How many were written, or a promise of that.
   */
  write(size: number, move: (most: number) => number | Promise<number>): number | Promise<number> {
    const sent = this.#sent;
    const outgoing = size === 0 ? undefined : this.#outgoing;
    const failure = this.#failure("write");
    const pending = this.#pending;
    if (sent === undefined && outgoing === undefined && failure === undefined && pending === undefined) {
      return move(size);
    }
    let most = size;
    try {
      if (outgoing !== undefined) most = outgoing.take(Math.min(size, writeLimit), 1);
    } catch (error) {
      return rejection(error);
    }
    let count: number | Promise<number>;
    try {
      count = move(most);
    } catch (error) {
      giveRest(outgoing, most, 0);
      throw failure === undefined ? error : failure(error);
    }
    const written = (count: number) => {
      if (outgoing !== undefined) giveRest(outgoing, most, movedOf(count, most));
      if (typeof count === "number" && count > 0) sent?.(count);
      return count;
    };
    if (typeof count === "number") return written(count);
    const settled = pending?.("write");
    return silenced(Promise.resolve(count), (count) => {
      written(count);
      settled?.();
      return count;
    }, (error) => {
      giveRest(outgoing, most, 0);
      settled?.();
      return failure === undefined ? error : failure(error);
    });
  }

  /** Lends what `run` lends to `use`. */
  lend<H>(use: AnyBorrower<H>, run: (use: AnyBorrower<H>) => Promise<number | null>): Promise<number | null> {
    const scope = this.#check && currentScope();
    const incoming = this.#incoming;
    const received = this.#received;
    let again = false;
    /** What the borrower, or a hook, has thrown: not a failure of the connection. */
    let thrown: { readonly error: unknown } | undefined;
    const throwOwn = (error: unknown): never => {
      thrown = { error };
      throw error;
    };
    const borrower: AnyBorrower<H> = (bytes, how) => {
      const { length } = bytes; // read now, as the borrower may detach the memory
      let most = length;
      const note = (taken: number) => {
        if (incoming !== undefined) giveRest(incoming, most, movedOf(taken, most));
        if (Number.isInteger(taken) && taken > 0 && taken <= most) received?.(taken);
        return incoming === undefined ? taken : checkTaken(taken, most);
      };
      const failed = (error: unknown) => {
        giveRest(incoming, most, 0);
        return throwOwn(error);
      };
      let taken: number | Promise<number>;
      try {
        if (again) this.checkIn(scope, "read");
        again = true;
        if (incoming !== undefined) most = incoming.take(length, 1);
      } catch (error) {
        return throwOwn(error);
      }
      try {
        taken = use(most < length ? viewOf(bytes, most) : bytes, how);
      } catch (error) {
        return failed(error);
      }
      return typeof taken === "number" ? note(taken) : Promise.resolve(taken).then(note, failed);
    };
    const outcome = run(borrower);
    const failure = this.#failure("read");
    if (failure === undefined && this.#check === undefined) return this.noteEnd(outcome);
    return silenced(
      Promise.resolve(outcome),
      (count) => {
        // One loan can last up to the end, which another read would have been refused.
        if (count === null && again) this.checkIn(scope, "read");
        return this.#noteEndIn(count);
      },
      (error) => failure === undefined || thrown?.error === error ? error : failure(error),
    );
  }

  #failure(operation: "read" | "write"): ((error: unknown) => unknown) | undefined {
    const failed = this.#failed;
    return failed && ((error) => failed(error, operation));
  }
}
