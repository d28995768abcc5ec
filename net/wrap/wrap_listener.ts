// Copyright 2026 the Sluice authors. MIT license.

import { checkShape, hideClass } from "../../base/internal.ts";
import { rejection } from "../../flow/internal.ts";
import { refusedFor, type Switch } from "../../switch/internal.ts";
import {
  addWatch,
  describeAddress,
  labelled,
  type ListeningSocket,
  type SocketOptionName,
  type SocketOptionTypes,
  type StreamAddress,
  type StreamSocket,
  type Watch,
  watchOf,
} from "../internal.ts";
import { Accepting } from "./_accepting.ts";
import { checkHooks } from "./_hooks.ts";
import { Lifetime, openWrapped, recordLifetime, runAround } from "./_lifetime.ts";
import type { ConnectionHooks } from "./connection_hooks.ts";
import { connectionWith } from "./wrap_connection.ts";

/** Operations that {@linkcode ListenerHooks.check} can refuse. */
export type ListenerOperation = "accept" | "setOption" | "getOption";

/**
 * Hooks of a listener. Each is optional, is read once, and is called without `this`.
 */
export interface ListenerHooks {
  /** Called before each operation. Throws to refuse it. `close` cannot be refused. */
  check?: ((operation: ListenerOperation) => void) | undefined;
  /**
   * Called around each accept. It may act before, after or instead of it, and may throw.
   *
   * @param next Accepts a connection, and wraps it if hooks are passed. If the accept hook fails
   * later, the connection is aborted.
   * @param sw The switch that will own the connection.
   */
  accept?:
    | ((next: (hooks?: ConnectionHooks) => Promise<StreamSocket>, sw: Switch) => Promise<StreamSocket>)
    | undefined;
  /**
   * Called exactly once, when the listener was closed through the wrapper. In a wrapper made by
   * {@linkcode wrapNet}, also called when the listener's switch has ended. Its result is awaited by
   * `close` and by the switch.
   */
  closed?: (() => unknown) | undefined;
  /**
   * Called exactly once, when the listener is closed: before `closed`, and, in a wrapper made by
   * {@linkcode wrapNet}, as soon as a wrapper inside has closed it. Must not throw.
   */
  gone?: (() => void) | undefined;
}

/** A listener with hooks. */
class WrappedListener implements ListeningSocket {
  static {
    hideClass(this);
  }

  readonly #inner: ListeningSocket;
  readonly #check: ListenerHooks["check"];
  readonly #accepting: Accepting | undefined;
  readonly #lifetime: Lifetime | undefined;
  #closing: Promise<void> | undefined;

  constructor(inner: ListeningSocket, hooks: ListenerHooks, lifetime: Lifetime | undefined) {
    const { check, accept } = hooks;
    this.#inner = inner;
    this.#check = check;
    this.#accepting = accept && new Accepting(
      (sw) =>
        runAround<StreamSocket, ConnectionHooks>((hooks) => this.#acceptOne(sw, hooks), (next) => accept(next, sw)),
      labelled(inner.address),
    );
    this.#lifetime = lifetime;
    recordLifetime(this, inner, lifetime);
    const watch = watchOf(inner);
    if (watch !== undefined) addWatch(this, (wake) => this.#watch(watch, wake));
    Object.freeze(this);
  }

  get address(): StreamAddress {
    return this.#inner.address;
  }

  get dropped(): number | undefined {
    return this.#inner.dropped;
  }

  accept(sw: Switch): Promise<StreamSocket> {
    try {
      const refusal = refusedFor(sw, "accept");
      if (refusal !== undefined) return refusal;
      const check = this.#check;
      check?.("accept");
      return this.#accepting?.next(sw) ?? this.#inner.accept(sw);
    } catch (error) {
      return rejection(error);
    }
  }

  async #acceptOne(sw: Switch, hooks: ConnectionHooks | undefined): Promise<StreamSocket> {
    if (hooks === undefined) return await this.#inner.accept(sw);
    return await openWrapped(sw, {
      operation: "accept",
      name: () => describeAddress(this.address),
      hooks,
      open: async () => await this.#inner.accept(sw),
      wrap: (connection, lifetime) => connectionWith(connection, hooks, lifetime),
    });
  }

  #watch(watch: Watch, wake: () => void): (() => void) | undefined {
    if (this.#accepting?.hasLate) wake();
    return watch(wake);
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    const check = this.#check;
    check?.("setOption");
    this.#inner.setOption(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    const check = this.#check;
    check?.("getOption");
    return this.#inner.getOption(name);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      this.#accepting?.close();
      await this.#inner.close();
    } finally {
      await this.#lifetime?.end();
    }
  }
}

/**
 * Wraps a listener, and the connections that it accepts.
 *
 * The wrapper is frozen and does not expose the listener. It owns nothing: the listener's owner
 * still closes it.
 *
 * @typeParam A The kind of address.
 * @param listener The listener.
 * @param hooks The hooks.
 * @returns The wrapper.
 * @throws {TypeError} If `listener` is not a listener, or a hook is not a function.
 *
 * @example Counting connections
 * ```ts
 * import { both, Switch, tcp } from "@sluice/io";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { wrapListener } from "@sluice/io/net/wrap";
 * import { assertEquals } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const net = memoryNet();
 *   let open = 0;
 *   const counted = wrapListener(await net.listen(sw, tcp("127.0.0.1", 80)), {
 *     accept: async (next) => {
 *       const connection = await next({ closed: () => open-- });
 *       open++;
 *       return connection;
 *     },
 *   });
 *   const [connection] = await both(() => counted.accept(sw), () => net.connect(sw, counted.address));
 *   assertEquals(open, 1);
 *   await connection.close();
 *   assertEquals(open, 0);
 * });
 * ```
 */
export function wrapListener<A extends StreamAddress>(
  listener: ListeningSocket<A>,
  hooks: ListenerHooks,
): ListeningSocket<A> {
  checkShape("wrap a listener", "listener", "a ListeningSocket", listener, "accept");
  return listenerWith(listener, hooks);
}

/** Implements {@linkcode wrapListener}, with the lifetime of a listener that has an owner. */
export function listenerWith<A extends StreamAddress>(
  listener: ListeningSocket<A>,
  hooks: ListenerHooks,
  lifetime?: Lifetime | undefined,
): ListeningSocket<A> {
  checkHooks("wrap a listener", hooks, "check", "accept", "closed", "gone");
  return new WrappedListener(listener, hooks, lifetime ?? Lifetime.of(hooks)) as ListeningSocket as ListeningSocket<A>;
}
