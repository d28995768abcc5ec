// Copyright 2026 the Sluice authors. MIT license.

import { checkShape, hideClass } from "../../base/internal.ts";
import {
  type Borrower,
  give,
  gives,
  ignore,
  label,
  labelOf,
  lend,
  lends,
  rejection,
  type ShutdownHow,
  silenced,
} from "../../flow/internal.ts";
import { refused } from "../../switch/internal.ts";
import {
  checkStreamAddress,
  closeWithin,
  type Connection,
  describeAddress,
  type Lingering,
  type SocketOptionName,
  type StreamAddress,
  type StreamSocket,
} from "../internal.ts";
import { checkHooks } from "./_hooks.ts";
import { Lifetime } from "./_lifetime.ts";

/** Operations that {@linkcode ConnectionHooks.check} can refuse. */
export type ConnectionOperation = "read" | "write" | "setOption" | "getOption";

/**
 * Hooks of a connection. Each is optional, is read once, and is called without `this`.
 */
export interface ConnectionHooks {
  /**
   * Called before each operation, and before each chunk that {@linkcode LendingSource} lends.
   * Throws to refuse the operation, which then has no effect. `shutdown`, `close` and `abort`
   * cannot be refused.
   */
  check?: ((operation: ConnectionOperation) => void) | undefined;
  /**
   * Called with the number of bytes that a read, or a borrower, has taken: at least 1. Must not
   * throw.
   */
  received?: ((size: number) => void) | undefined;
  /**
   * Called with the number of bytes written: at least 1. Must not throw.
   */
  sent?: ((size: number) => void) | undefined;
  /**
   * Called exactly once, when the connection was closed or aborted through the wrapper. In a
   * wrapper made by {@linkcode wrapNet}, also called when the connection's switch has ended. Its
   * result is awaited by `close` and by the switch.
   */
  closed?: (() => unknown) | undefined;
  /** Replaces `local`. */
  local?: StreamAddress | undefined;
  /** Replaces `peer`. */
  peer?: StreamAddress | undefined;
}

/**
 * The inner connection. It may be a user's, which needs only the members of a
 * {@linkcode Connection}.
 */
interface Inner extends Omit<Connection, "abort">, Partial<Omit<StreamSocket, keyof Connection>> {
  [closeWithin]?: Lingering[typeof closeWithin];
  abort?: Connection["abort"];
  [lend]?(use: Borrower): Promise<number | null>;
  [give]?(buffers: readonly Uint8Array[]): number | Promise<number>;
}

/**
 * Optional members, which a wrapper has if its inner connection has them. Shared by all wrappers.
 */
let members: {
  abort(this: WrappedConnection, reason?: unknown): void;
  lend(this: WrappedConnection, use: Borrower): Promise<number | null>;
  give(this: WrappedConnection, buffers: readonly Uint8Array[]): number | Promise<number>;
  closeWithin(this: WrappedConnection, ms: number): Promise<void>;
  setOption(this: WrappedConnection, name: SocketOptionName, value: never): void;
  getOption(this: WrappedConnection, name: SocketOptionName): unknown;
};

/** A connection with hooks, and with the fast paths and options of the inner connection. */
class WrappedConnection {
  static {
    hideClass(this);
    members = {
      abort(reason) {
        try {
          this.#inner.abort?.(reason);
        } finally {
          this.#lifetime?.end().catch(ignore); // close() reports it
        }
      },
      lend(use) {
        return this.#lend(use);
      },
      give(buffers) {
        return this.#refuse("write") ?? this.#counted(this.#inner[give]?.(buffers) as number, this.#sent);
      },
      closeWithin(ms) {
        return this.#closing ??= this.#close(() => this.#inner[closeWithin]?.(ms));
      },
      setOption(name, value) {
        const check = this.#check;
        check?.("setOption");
        this.#inner.setOption?.(name, value);
      },
      getOption(name) {
        const check = this.#check;
        check?.("getOption");
        return this.#inner.getOption?.(name);
      },
    };
  }

  readonly #inner: Inner;
  readonly #check: ConnectionHooks["check"];
  readonly #received: ConnectionHooks["received"];
  readonly #sent: ConnectionHooks["sent"];
  readonly #local: StreamAddress | undefined;
  readonly #peer: StreamAddress | undefined;
  readonly #lifetime: Lifetime | undefined;
  #closing: Promise<void> | undefined;

  constructor(inner: Inner, hooks: ConnectionHooks, lifetime: Lifetime | undefined) {
    const { check, received, sent, local, peer } = hooks;
    this.#inner = inner;
    this.#check = check;
    this.#received = received;
    this.#sent = sent;
    this.#local = local && checkStreamAddress(local);
    this.#peer = peer && checkStreamAddress(peer);
    this.#lifetime = lifetime;
    const has = (key: keyof Inner) => typeof inner[key] === "function";
    Object.assign(
      this,
      has("abort") && { abort: members.abort },
      lends(inner) && { [lend]: members.lend },
      gives(inner) && { [give]: members.give },
      has(closeWithin) && { [closeWithin]: members.closeWithin },
      has("setOption") && { setOption: members.setOption },
      has("getOption") && { getOption: members.getOption },
    );
    Object.freeze(this);
  }

  get [label](): string | undefined {
    return this.#peer === undefined ? labelOf(this.#inner) : describeAddress(this.#peer);
  }

  get local(): StreamAddress {
    return this.#local ?? this.#inner.local;
  }

  get peer(): StreamAddress {
    return this.#peer ?? this.#inner.peer;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#refuse("read") ?? this.#counted(this.#inner.read(buffer), this.#received);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#refuse("write") ?? this.#counted(this.#inner.write(bytes), this.#sent);
  }

  shutdown(how: ShutdownHow): Promise<void> {
    return this.#inner.shutdown(how);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close(() => this.#inner.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(close: () => Promise<void> | undefined): Promise<void> {
    try {
      await close();
    } finally {
      await this.#lifetime?.end();
    }
  }

  #lend(use: Borrower): Promise<number | null> {
    const refusal = this.#refuse("read");
    if (refusal !== undefined) return refusal;
    const check = this.#check;
    const received = this.#received;
    let again = false;
    return (this.#inner[lend] as NonNullable<Inner[typeof lend]>)((bytes, keep) => {
      if (again) check?.("read");
      again = true;
      const { length } = bytes; // read now, as the borrower may detach the memory
      const note = (taken: number) => {
        if (Number.isInteger(taken) && taken > 0 && taken <= length) received?.(taken);
        return taken;
      };
      const taken = use(bytes, keep);
      return typeof taken === "number" ? note(taken) : Promise.resolve(taken).then(note);
    });
  }

  /**
   * Calls `note` with the size of an operation's result. A cancelled operation has taken nothing.
   */
  #counted<T extends number | null>(
    count: T | Promise<T>,
    note: ((size: number) => void) | undefined,
  ): Promise<T> { // or a number, from a sink's fast path
    if (note === undefined) return count as Promise<T>;
    const counted = (count: T) => {
      if (typeof count === "number" && count > 0) note(count);
      return count;
    };
    return typeof count === "number"
      ? counted(count) as unknown as Promise<T>
      : silenced(Promise.resolve(count), counted);
  }

  /** Returns the rejection if the operation must not begin. */
  #refuse(operation: ConnectionOperation): Promise<never> | undefined {
    const check = this.#check;
    if (check === undefined) return undefined; // the inner connection checks the scope
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    try {
      check(operation);
      return undefined;
    } catch (error) {
      return rejection(error);
    }
  }
}

/**
 * Wraps a connection in hooks, such as a limit, a meter or a revocation, which are called on every
 * path that bytes take.
 *
 * The wrapper is frozen and does not expose the connection. It has the connection's fast paths,
 * socket options and `abort`, if any, and nothing else: read the certificate of a TLS connection
 * before wrapping it. The wrapper owns nothing: the connection's owner still closes it.
 *
 * @typeParam C The kind of connection. Only a socket has socket options.
 * @param connection The connection: a socket, a TLS connection, another wrapper, or an object with
 * these methods.
 * @param hooks The hooks.
 * @returns The wrapper.
 * @throws {TypeError} If `connection` is not a connection, `hooks` is not an object, or an
 * address is not one of a stream socket.
 *
 * @example Counting bytes
 * ```ts
 * import { copyString, readAll } from "@sluice/io";
 * import { socketPair } from "@sluice/io/net/testing";
 * import { wrapConnection } from "@sluice/io/net/wrap";
 * import { assertEquals } from "@std/assert";
 *
 * const [client, server] = socketPair();
 * let sent = 0;
 * const counted = wrapConnection(client, { sent: (size) => void (sent += size) });
 * await copyString("hello", counted);
 * await counted.close();
 * assertEquals([(await readAll(server)).length, sent], [5, 5]);
 * await server.close();
 * ```
 */
export function wrapConnection<C extends Connection>(
  connection: C,
  hooks: ConnectionHooks,
): C extends StreamSocket ? StreamSocket : Connection {
  checkShape("wrap a connection", "connection", "a Connection", connection, "read", "write", "shutdown", "close");
  return connectionWith(connection as Connection as StreamSocket, hooks);
}

/** Implements {@linkcode wrapConnection}, with the lifetime of a connection that has an owner. */
export function connectionWith<C extends Connection>(
  connection: C,
  hooks: ConnectionHooks,
  lifetime?: Lifetime | undefined,
): C {
  checkHooks("wrap a connection", hooks, "check", "received", "sent", "closed");
  return new WrappedConnection(connection, hooks, lifetime ?? Lifetime.of(hooks)) as Partial<Connection> as C;
}
