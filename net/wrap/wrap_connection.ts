// Copyright 2026 the Sluice authors. MIT license.

import { checkShape, hideClass } from "../../base/internal.ts";
import {
  type Borrower,
  checkBuffer,
  copyTo,
  give,
  gives,
  type GivingSink,
  ignore,
  isBytes,
  type Joint,
  jointOf,
  label,
  labelOf,
  lend,
  type LendingSource,
  lends,
  lengthOf,
  registerFlows,
  registerLayers,
  type ShutdownHow,
  totalLength,
  vanished,
  viewOf,
  viewsOf,
} from "../../flow/internal.ts";
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
import { checkHooks, checkQuotas } from "./_hooks.ts";
import { Lifetime, recordLifetime } from "./_lifetime.ts";
import { Transfers } from "./_transfers.ts";
import { WrappedJoint } from "./_wrapped_joint.ts";
import type { ConnectionHooks } from "./connection_hooks.ts";

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
    registerFlows((flow) => #inner in flow ? flow.#joint() : undefined);
    registerLayers((flow) => #inner in flow ? flow.#inner : undefined);
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
        return this.#give(buffers);
      },
      closeWithin(ms) {
        return this.#closing ??= this.#close(() => this.#inner[closeWithin]?.(ms));
      },
      setOption(name, value) {
        this.#transfers.check("setOption");
        this.#inner.setOption?.(name, value);
      },
      getOption(name) {
        this.#transfers.check("getOption");
        return this.#inner.getOption?.(name);
      },
    };
  }

  readonly #inner: Inner;
  readonly #transfers: Transfers;
  readonly #local: StreamAddress | undefined;
  readonly #peer: StreamAddress | undefined;
  readonly #lifetime: Lifetime | undefined;
  #ownJoint: Joint | undefined;
  #closing: Promise<void> | undefined;

  constructor(inner: Inner, hooks: ConnectionHooks, lifetime: Lifetime | undefined, fields: object | undefined) {
    const { local, peer } = hooks;
    this.#inner = inner;
    this.#transfers = new Transfers(hooks);
    this.#local = local && checkStreamAddress(local);
    this.#peer = peer && checkStreamAddress(peer);
    this.#lifetime = lifetime;
    recordLifetime(this, inner, lifetime);
    const has = (key: keyof Inner) => typeof inner[key] === "function";
    Object.assign(
      this,
      fields,
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
    const transfers = this.#transfers;
    const refusal = transfers.refuse("read");
    if (refusal !== undefined) return refusal;
    if (!transfers.limitsReads) return transfers.read(this.#inner.read(buffer));
    return checkBuffer(buffer) ?? (lends(this.#inner) ? this.#readLent(buffer) : this.#readPrivate(buffer));
  }

  /** Reads by borrowing, because the quota is asked only once bytes have arrived. */
  #readLent(buffer: Uint8Array): Promise<number | null> {
    return this.#borrow((bytes) => {
      const size = Math.min(bytes.length, lengthOf(buffer));
      if (size === 0) throw vanished("read");
      copyTo(buffer, viewOf(bytes, size), 0);
      return Promise.resolve(size); // a promise, as one piece is enough
    });
  }

  /**
   * Reads from a connection that does not lend. Bytes beyond the quota are dropped: it has none
   * left for a later read.
   */
  #readPrivate(buffer: Uint8Array): Promise<number | null> {
    const own = new Uint8Array(lengthOf(buffer));
    return this.#transfers.read(this.#inner.read(own), (count) => {
      if (lengthOf(buffer) < count) throw vanished("read");
      copyTo(buffer, viewOf(own, count), 0);
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    const size = isBytes(bytes) ? lengthOf(bytes) : 0;
    const move = (most: number) => this.#inner.write(most < size ? viewOf(bytes, most) : bytes);
    return this.#transfers.refuse("write") ?? this.#transfers.write(size, move) as Promise<number>;
  }

  #give(buffers: readonly Uint8Array[]): number | Promise<number> {
    const transfers = this.#transfers;
    const refusal = transfers.refuse("write");
    if (refusal !== undefined) return refusal;
    if (!transfers.limitsWrites) return transfers.write(0, () => this.#innerGive(buffers));
    const views = viewsOf(buffers);
    if (!Array.isArray(views)) return Promise.reject(views);
    return transfers.write(totalLength(views), (most) => this.#innerGive(firstOf(views, most)));
  }

  #innerGive(buffers: readonly Uint8Array[]): number | Promise<number> {
    return (this.#inner as Inner & GivingSink)[give](buffers);
  }

  shutdown(how: ShutdownHow): Promise<void> {
    return this.#transfers.shutdown(how, () => this.#inner.shutdown(how));
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
    return this.#transfers.refuse("read") ?? this.#borrow(use);
  }

  #borrow(use: Borrower): Promise<number | null> {
    return this.#transfers.lend(use, (use) => (this.#inner as Inner & LendingSource)[lend](use));
  }

  /** Connects the inner connection to others through the hooks, if it is one of the library. */
  #joint(): Joint | undefined {
    if (this.#ownJoint !== undefined) return this.#ownJoint;
    const inner = jointOf(this.#inner);
    return inner && (this.#ownJoint = new WrappedJoint(inner, this.#transfers));
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

/**
 * Implements {@linkcode wrapConnection}, with the lifetime of a connection that has an owner, and
 * with more fields.
 */
export function connectionWith<C extends Connection, F extends object = object>(
  connection: C,
  hooks: ConnectionHooks,
  lifetime?: Lifetime | undefined,
  fields?: F,
): C & F {
  const action = "wrap a connection";
  checkHooks(action, hooks, "check", "received", "sent", "pending", "ended", "failed", "closed", "gone");
  checkQuotas(action, hooks, "incoming", "outgoing");
  return new WrappedConnection(connection, hooks, lifetime ?? Lifetime.of(hooks), fields) as Partial<Connection> as
    & C
    & F;
}

/** Returns the first `size` bytes of views. */
function firstOf(views: readonly Uint8Array[], size: number): Uint8Array[] {
  const first: Uint8Array[] = [];
  let left = size;
  for (const view of views) {
    if (left === 0) break;
    first.push(view.length > left ? viewOf(view, left) : view);
    left -= Math.min(left, view.length);
  }
  return first;
}
