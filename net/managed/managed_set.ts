// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions, describe, hideClass, isInstance } from "../../base/internal.ts";
import { operation, payloadOf } from "../../flow/internal.ts";
import { adopt, type Labelled, registerOwner, type Switch } from "../../switch/internal.ts";
import { retry } from "../../switch/mod.ts";
import { type ListeningSocket, type StreamAddress, Watches, watchOf } from "../internal.ts";
import { acceptFrom, checkListener, isFinal, longestBackoff, shortestBackoff } from "../serve/internal.ts";
import { Managed } from "./_managed.ts";
import { nextChange } from "./_next_change.ts";
import { endsOf, release } from "./_ends.ts";
import type { ManagedConnection } from "./managed_connection.ts";
import { checkManagedOptions, type ManagedOptions } from "./managed_options.ts";

/**
 * Options for {@linkcode ManagedSet.acceptFrom}: those of each connection, and how to make its
 * data.
 *
 * @typeParam D The type of the data.
 */
export interface AcceptFromOptions<D> extends Omit<ManagedOptions<D>, "data"> {
  /**
   * Returns the data of a new connection, or null to reset it at once.
   *
   * @param peer The address of the peer.
   */
  accept: (peer: StreamAddress) => D | null;
}

/**
 * A set of managed connections. One that has ended leaves it at once.
 *
 * Iterating goes over the members that there are at the start, in the order in which they came.
 *
 * @typeParam D The type of the data.
 */
export interface ManagedSet<D> extends Iterable<ManagedConnection<D>> {
  /** The number of members. */
  readonly size: number;
  /**
   * Adds a connection, which is closed with the switch of the set too. Adding one that has ended,
   * or is a member, does nothing.
   *
   * @param connection The connection.
   * @throws {TypeError} If it is not a managed connection, or the switch of the set has ended.
   */
  add(connection: ManagedConnection<D>): void;
  /**
   * Accepts connections, and adds each, until it is cancelled or the listener is closed. The
   * connections belong to the switch of the set. After an error of the system it tries again, as
   * `runServer` does: in 5 milliseconds, and at last every second.
   *
   * @param listener The listening socket.
   * @param options The options of every connection, and how to make its data.
   * @throws {ClosedError} If the listener is closed.
   * @throws {TypeError} If an argument has the wrong type, or the switch of the set has ended.
   * @throws {RangeError} If an option is out of range.
   * @throws What `accept` throws. The connection is reset then.
   * @throws {Cancelled} If the current scope, or the switch of the set, is cancelled.
   */
  acceptFrom(listener: ListeningSocket, options: AcceptFromOptions<D>): Promise<never>;
  /**
   * Sends to every member, as {@linkcode ManagedConnection.send} does.
   *
   * @param data The bytes or the text.
   * @returns How many members have queued it.
   * @throws {TypeError} If `data` is neither a `Uint8Array` nor a string.
   */
  broadcast(data: Uint8Array | string): number;
  /**
   * Waits until a member changes, comes or leaves. After the end of the switch it does not wait.
   *
   * @throws {Cancelled} If the current scope is cancelled.
   */
  changed(): Promise<void>;
}

/**
 * Creates an empty set of managed connections. When `sw` ends, all its members are closed.
 *
 * Source: Procord's `Procord_connection.empty_set`.
 *
 * @typeParam D The type of the data.
 * @param sw The switch that owns it.
 * @returns The set.
 * @throws {TypeError} If `sw` is not a switch, or has ended.
 *
 * @example A server that tells everybody the time
 * ```ts
 * import { run, tcp } from "@sluice/io";
 * import { managedSet } from "@sluice/io/net/managed";
 * import { assertEquals } from "@std/assert";
 *
 * await run(async ({ net, clock, sw }) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *   const clients = managedSet<{ name: string }>(sw);
 *   sw.forkDaemon(() => clients.acceptFrom(listener, { clock, accept: () => ({ name: "guest" }), timeout: 10_000 }));
 *
 *   const client = await net.connect(sw, listener.address);
 *   while (clients.size === 0) await clients.changed();
 *   assertEquals(clients.broadcast("12:00\n"), 1);
 *   assertEquals(await client.read(new Uint8Array(9)), 6);
 * });
 * ```
 */
export function managedSet<D>(sw: Switch): ManagedSet<D> {
  return new MemberSet<D>(sw);
}

const subject: Labelled = { label: "a set of managed connections" };

class MemberSet<D> implements ManagedSet<D> {
  static {
    hideClass(this);
  }

  readonly #sw: Switch;
  readonly #members: Set<ManagedConnection<D>> = new Set();
  readonly #watches: Watches = new Watches(this, () => !this.#ended);
  #ended = false;

  constructor(sw: Switch) {
    this.#sw = sw;
    registerOwner(sw, "make a set", { release: () => adopt(sw, this.#release()), label: subject.label });
    Object.freeze(this);
  }

  get size(): number {
    return this.#members.size;
  }

  [Symbol.iterator](): IterableIterator<ManagedConnection<D>> {
    return [...this.#members].values();
  }

  add(connection: ManagedConnection<D>): void {
    if (!isInstance(connection, Managed)) {
      throw new TypeError(`Cannot add ${describe(connection)} to a set: must be a managed connection`);
    }
    if (this.#ended) throw new TypeError("Cannot add a connection to a set: its switch has ended");
    if (!connection.alive || this.#members.has(connection)) return;
    this.#members.add(connection);
    watchOf(connection)?.(() => this.#changed(connection));
    this.#watches.wake();
  }

  acceptFrom(listener: ListeningSocket, options: AcceptFromOptions<D>): Promise<never> {
    const action = "accept connections";
    return operation(async () => {
      checkListener(action, listener);
      const { accept } = checkOptions(action, options) as AcceptFromOptions<D>;
      checkFunction(action, accept);
      const terms = checkManagedOptions(action, { ...options, data: undefined });
      const policy = { attempts: Infinity, delay: shortestBackoff, maxDelay: longestBackoff };
      const next = () => acceptFrom("accept", this.#sw, listener);
      for (;;) {
        const connection = await retry(terms.clock, policy, next, { isRetryable: (error) => !isFinal(error) });
        const ends = endsOf(connection);
        let data: D | null = null;
        try {
          data = accept(connection.peer);
        } finally {
          if (data === null) release(ends, false);
        }
        if (data !== null) this.add(new Managed<D>(this.#sw, () => ends, { ...terms, data }));
      }
    });
  }

  broadcast(data: Uint8Array | string): number {
    const bytes = payloadOf("send", data);
    return [...this].filter((member) => member.send(bytes)).length;
  }

  changed(): Promise<void> {
    return operation(() => nextChange("changed", [this.#watches.watch], subject));
  }

  #changed(connection: ManagedConnection<D>): void {
    if (!connection.alive) this.#members.delete(connection);
    this.#watches.wake();
  }

  /** Closes the members, also those of other switches. */
  async #release(): Promise<void> {
    this.#ended = true;
    this.#watches.wake();
    await Promise.all([...this].map((member) => member[Symbol.asyncDispose]()));
  }
}
