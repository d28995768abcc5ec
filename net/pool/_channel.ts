// Copyright 2026 the Sluice authors. MIT license.

import { checkNumber, checkWhole, fieldOf, isInstance } from "../../base/internal.ts";
import { BufReader } from "../../flow/buffered/mod.ts";
import { operation, payloadOf, silent, writeAll } from "../../flow/internal.ts";
import {
  asOperation,
  type Clock,
  currentScope,
  first,
  noLongerNeeded,
  Queue,
  refused,
  runIn,
  Scope,
  TimeoutError,
  Waiter,
  withTimeout,
  yieldNow,
} from "../../switch/internal.ts";
import { type Connection, NetError } from "../internal.ts";
import { Alarm, Deadlines } from "../server/internal.ts";
import { wrapConnection } from "../wrap/mod.ts";
import { cancellable } from "./_cancellable.ts";
import type { PoolLimits } from "./pool_options.ts";

/**
 * A connection of a pool, with its input buffer, messages and timers. Its loop of callbacks waits
 * in it, and users have only what {@linkcode PoolConnection} passes on.
 */
export class PoolChannel {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly acceptedAt: number;
  connectedAt: number;
  readonly reader: BufReader;
  /** The messages that no callback has got. */
  readonly posts: Queue<unknown> = new Queue(Number.MAX_SAFE_INTEGER);
  readonly #limits: PoolLimits;
  readonly #deadlines: Deadlines;
  /** The same connection, whose reads can be cancelled. */
  readonly #input: Connection;
  /** The same connection, whose writes have a time limit. */
  readonly #sender: Connection;
  /** Why the connection was reset by this side. */
  #failure: { readonly error: unknown } | undefined;
  #isOpen = true;
  #isUpgraded = false;
  /** Whether something has happened since {@linkcode PoolChannel.heed}. */
  #rang = false;
  /** The scope of the present wait for input, which a ring cancels. */
  #waiting: Scope | undefined;
  #waiter: Waiter<void> | undefined;
  #alarm: Alarm | undefined;
  /** When the alarm rings. */
  #rings = Infinity;

  constructor(connection: Connection, clock: Clock, limits: PoolLimits) {
    this.connection = connection;
    this.clock = clock;
    this.#limits = limits;
    this.acceptedAt = this.connectedAt = clock.now();
    this.#input = cancellable(connection);
    this.reader = new BufReader(this.#input, { maxSize: limits.maxBuffer });
    const { sendTimeout: write } = limits;
    const none = Infinity;
    this.#deadlines = new Deadlines(
      clock,
      { firstByte: none, idle: none, write, halfClosed: none, lifetime: none },
      connection,
      {
        expired: () => this.#fail(this.#timeoutOf("write", `a write made no progress for ${write} ms`)),
        failed: (error) => this.#fail(error),
      },
    );
    this.#sender = wrapConnection(connection, this.#deadlines.hooks);
  }

  /** Whether a callback has taken the connection over. */
  get isUpgraded(): boolean {
    return this.#isUpgraded;
  }

  write(parts: readonly (Uint8Array | string)[]): Promise<void> {
    return this.#run("write", () => {
      return writeAll(this.#sender, ...parts.map((part) => payloadOf("write", part)));
    });
  }

  receive(limit: number | undefined): Promise<Uint8Array<ArrayBuffer> | null> {
    const { reader } = this;
    return this.#run("receive", async () => {
      if (limit !== undefined) checkWhole("receive", "limit", limit, 1, true);
      if (await this.#inTime(1, () => reader.atEnd())) return null;
      return await this.take(limit);
    });
  }

  readExact(size: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#run("read", async () => {
      this.#checkSize("read", size);
      return await this.#inTime(size, () => this.reader.take(size));
    });
  }

  peek(size: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#run("peek", async () => {
      this.#checkSize("peek", size);
      await this.#inTime(size, () => this.reader.ensure(size));
      return this.reader.peek().slice(0, size);
    });
  }

  post(message: unknown): boolean {
    if (!this.#isOpen) return false;
    this.posts.tryPush(message);
    this.ring();
    return true;
  }

  upgrade(): Connection {
    this.#checkNotUpgraded("upgrade");
    if (!this.#isOpen) throw new TypeError("Cannot upgrade the connection: it has ended");
    const flow = this.reader.unread(this.#input);
    this.#isUpgraded = true;
    this.end();
    this.dispose();
    return flow;
  }

  /** Takes no more messages. */
  end(): void {
    this.#isOpen = false;
    this.#alarm?.stop();
  }

  /** Removes the last timer, that of writes. */
  dispose(): void {
    this.#deadlines.stop();
  }

  /** Takes what is buffered, up to `limit`. */
  take(limit: number = Infinity): Promise<Uint8Array<ArrayBuffer>> {
    return this.reader.take(Math.min(limit, this.reader.buffered));
  }

  /** Ends the present or the next {@linkcode PoolChannel.wait}. */
  ring(): void {
    this.#rang = true;
    this.#waiter?.resolve();
    this.#waiting?.cancel(noLongerNeeded());
  }

  /** Forgets earlier calls of {@linkcode PoolChannel.ring}. The caller then looks what has happened. */
  heed(): void {
    this.#rang = false;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for input, the peer's end, a ring, or a time. */
  wait(time: number): Promise<unknown> {
    this.#setAlarm(time);
    return this.#told(() => this.reader.eofSeen ? this.#rung() : this.#inputOrRing());
  }

  /** Less than `first`, which would make a switch and two fibers for every message. */
  async #inputOrRing(): Promise<void> {
    const outer = currentScope();
    if (this.#rang && outer?.reason === undefined) return;
    const scope = this.#waiting = new Scope(outer, "wait");
    try {
      await runIn(scope, () => this.reader.atEnd());
    } catch (error) {
      // A ring alone has cancelled the read, and what had arrived is in the reader.
      if (error !== scope.reason || outer?.reason !== undefined) throw error;
    } finally {
      this.#waiting = undefined;
      scope.finish();
    }
  }

  /** Looks for input, or the peer's end, for some turns of the event loop. */
  look(turns: number): Promise<unknown> {
    return this.#told(() =>
      first(() => this.reader.atEnd(), async () => {
        for (let turn = 0; turn < turns; turn++) await yieldNow();
        return false;
      })
    );
  }

  #rung(): Promise<void> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (this.#rang) return Promise.resolve();
    this.#waiter = new Waiter("post");
    return this.#waiter.promise;
  }

  #setAlarm(time: number): void {
    if (time >= this.#rings) return;
    this.#alarm?.stop();
    this.#rings = time;
    this.#alarm = new Alarm(this.clock, time - this.clock.now(), () => {
      this.#rings = Infinity;
      this.ring();
    }, (error) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.connection.abort(error);
    this.ring();
  }

  /** Runs an operation of a callback. */
  #run<T>(action: string, fn: () => Promise<T>): Promise<T> {
    return operation(() =>
      this.#told(async () => {
        this.#checkNotUpgraded(action);
        return await fn();
      })
    );
  }

  /**
   * Runs `fn`. If this side has reset the connection, throws why, not that it is closed. An error
   * of the connection counts as handled if the operation is not awaited, because the loop of
   * callbacks meets it too.
   */
  async #told<T>(fn: () => Promise<T>): Promise<T> {
    try {
      return await fn();
    } catch (error) {
      const failure = this.#failure?.error;
      const thrown = failure !== undefined && fieldOf(error, Error, "cause") === failure ? failure : error;
      throw isInstance(thrown, NetError) ? silent(thrown) : thrown;
    }
  }

  /** Runs a read that needs `size` bytes, with the time limit if it has to wait. */
  async #inTime<T>(size: number, fn: () => Promise<T>): Promise<T> {
    const { receiveTimeout } = this.#limits;
    if (receiveTimeout === Infinity || this.reader.buffered >= size) return await fn();
    try {
      return await asOperation("receive", () => withTimeout(this.clock, receiveTimeout, fn));
    } catch (error) {
      if (!isInstance(error, TimeoutError)) throw error;
      throw this.#timeoutOf("read", `not enough input within ${receiveTimeout} ms`, error);
    }
  }

  #timeoutOf(operation: string, remedy: string, cause?: unknown): NetError {
    return new NetError("connection_timeout", { operation, address: this.connection.peer, remedy, cause });
  }

  #checkNotUpgraded(action: string): void {
    if (this.#isUpgraded) throw new TypeError(`Cannot ${action}: the connection was upgraded`);
  }

  #checkSize(action: string, size: number): void {
    checkWhole(action, "size", size, 0);
    checkNumber(action, "size", size, 0, this.#limits.maxBuffer);
  }
}
