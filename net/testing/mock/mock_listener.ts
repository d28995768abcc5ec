// Copyright 2026 the Sluice authors. MIT license.

import { checkClock, checkOptions, checkShape, hideClass } from "../../../base/internal.ts";
import { type Closable, operation } from "../../../flow/internal.ts";
import {
  checkIsSwitch,
  type Clock,
  refusedFor,
  type Switch,
  systemClock,
  WaitQueue,
} from "../../../switch/internal.ts";
import {
  checkStreamAddress,
  describeAddress,
  openOwned,
  type ServedListener,
  tellServer,
  Watches,
} from "../../internal.ts";
import {
  type ListeningSocket,
  type SocketOptionName,
  type SocketOptionTypes,
  type StreamAddress,
  type StreamSocket,
  tcp,
} from "../../mod.ts";
import { Life, ownBy } from "./_life.ts";
import { MockLog } from "./_mock_log.ts";
import { MockSocketOptions } from "./_mock_socket_options.ts";
import { Script, unscripted } from "./_script.ts";
import type { Action } from "./action.ts";
import type { MockOptions } from "./mock_options.ts";

/** A listener whose connections are scripted. Created by {@linkcode mockListener}. */
export interface MockListener extends ListeningSocket {
  /**
   * Appends actions for `accept`: connections, such as {@linkcode mockFlow}s. Each belongs to the
   * switch that accepts it. An `accept` without an action fails.
   *
   * @param actions What the next calls do.
   * @throws {TypeError} If one is not an action, or its value is not a connection. None of them is
   * added then.
   */
  onAccept(...actions: Action<StreamSocket>[]): void;
  /** What was done, a line for each. */
  readonly log: readonly string[];
}

/** Options for {@linkcode mockListener}. */
export interface MockListenerOptions extends MockOptions {
  /**
   * The address on which it listens.
   *
   * @default {the address for which a mock network returns it, or tcp("127.0.0.1", 50001)}
   */
  address?: StreamAddress | undefined;
  /**
   * The clock of `runServer` for `grace` and for the pause after an error of accepting.
   *
   * @default {the clock of the mock network that returns it, or the system's}
   */
  clock?: Clock | undefined;
}

/**
 * Creates a listener that accepts the connections that a test has scripted, and logs what is done:
 * `accepted connection from tcp:127.0.0.1:50002`, `closed`, and options as those of a
 * {@linkcode mockFlow}.
 *
 * A call that is cancelled has used its action; a connection that the action yields later is for
 * the next call. It needs no switch; one that a {@linkcode MockNet} returns belongs to the switch
 * of that call, is closed with it, and counts in {@linkcode openCounts} until then. A server that
 * has accepted everything waits for more in an action such as `{ run: awaitCancel }`, or
 * `{ await }` a promise that never settles.
 *
 * Source: Eio's `Eio_mock.Net.listening_socket`.
 *
 * @param label The name in the log, and in errors and dumps.
 * @param options The address, the clock and the log.
 * @returns A frozen listener.
 * @throws {TypeError} If `label` is not a string, the address is neither TCP nor Unix, `clock` is
 * not a clock, or `log` is not an array that can grow.
 *
 * @example A server, with everything that it does in one log
 * ```ts
 * import { awaitCancel, copy, runServer, Switch, tcp } from "@sluice/io";
 * import { mockFlow, mockListener, mockNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const net = mockNet();
 * const { log } = net;
 * const listener = mockListener("listener", { log });
 * const client = mockFlow("client", { log });
 * const stop = Promise.withResolvers<void>();
 * net.onListen({ return: listener });
 * listener.onAccept({ return: client }, { run: awaitCancel });
 * client.onRead({ return: "hello" });
 * await Switch.run(async (sw) => {
 *   const socket = await net.listen(sw, tcp("127.0.0.1", 8080));
 *   await runServer(socket, async (connection) => {
 *     await copy(connection, connection);
 *     stop.resolve();
 *   }, { onError: (error) => sw.fail(error), stop: stop.promise });
 * });
 * assertEquals(log, [
 *   "net: listen on tcp:127.0.0.1:8080",
 *   "listener: accepted connection from tcp:127.0.0.1:50002",
 *   'client: read "hello"',
 *   'client: wrote "hello"',
 *   "client: closed",
 *   "listener: closed",
 * ]);
 * ```
 */
export function mockListener(label: string, options?: MockListenerOptions): MockListener {
  checkOptions("make a mock listener", options);
  const { log, address, clock } = options ?? {};
  if (clock !== undefined) checkClock("make a mock listener", clock);
  const mockLog = new MockLog("make a mock listener", label, log);
  return new ScriptedListener(mockLog, address === undefined ? undefined : checkStreamAddress(address), clock);
}

let listenOn: (listener: ScriptedListener, address: StreamAddress, clock: Clock) => void;

class ScriptedListener implements MockListener {
  static {
    listenOn = (listener, address, clock) => {
      listener.#address ??= address;
      listener.#clock ??= clock;
    };
    hideClass(this);
  }

  readonly #log: MockLog;
  readonly #life: Life;
  readonly #options: MockSocketOptions;
  readonly #accepts: Script<StreamSocket>;
  readonly #overflows: WaitQueue<void> = new WaitQueue();
  readonly #served: ServedListener;
  readonly #watches: Watches;
  #address: StreamAddress | undefined;
  #clock: Clock | undefined;

  constructor(log: MockLog, address: StreamAddress | undefined, clock: Clock | undefined) {
    this.#log = log;
    this.#address = address;
    this.#clock = clock;
    this.#accepts = new Script({
      handler: "onAccept",
      check: checkConnection,
      otherwise: unscripted(log, "accept", "onAccept"),
    });
    this.#life = new Life(this, log, "listeners", () => {
      this.#accepts.end({ error: this.#life.closedError("accept") });
      this.#overflows.failAll(() => this.#life.closedError("accept"));
      this.#watches.wake();
    });
    this.#options = new MockSocketOptions(log, this.#life);
    const clockOf = () => this.#clock ?? systemClock;
    this.#served = {
      get clock() {
        return clockOf();
      },
      dropped: 0,
      overflow: () => this.#overflows.wait("overflow", undefined, log),
      stopListening: () => Promise.resolve(),
    };
    this.#watches = new Watches(this, () => !this.#life.isOver, (wake) => this.#accepts.hasNext && wake());
    Object.freeze(this);
  }

  get log(): readonly string[] {
    return this.#log.lines;
  }

  get address(): StreamAddress {
    return this.#address ?? tcp("127.0.0.1", 50001);
  }

  onAccept(...actions: Action<StreamSocket>[]): void {
    this.#accepts.add(actions);
    if (this.#accepts.hasNext) this.#watches.wake();
  }

  accept(sw: Switch): Promise<StreamSocket> {
    return operation(async () => {
      checkIsSwitch(sw, "accept");
      const refusal = refusedFor(sw, "accept");
      if (refusal !== undefined) return await refusal;
      if (this.#life.isOver) throw this.#life.closedError("accept");
      tellServer(sw, this.#served);
      return await openOwned({
        sw,
        operation: "accept",
        subject: this.#log,
        begin: () => this.#accepts.attempt(),
        wrap: (connection, hook) => {
          const peer = describeAddress(connection.peer);
          ownBy(hook, connection, peer);
          this.#log.note(`accepted connection from ${peer}`);
          return connection;
        },
        discard: (connection) => this.#accepts.putBack(connection),
        failure: (cause) => cause,
      });
    });
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    this.#options.set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    return this.#options.get(name) as SocketOptionTypes[N];
  }

  close(): Promise<void> {
    return this.#life.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Sets the address and the clock of a mock listener that a mock network returns. */
export function bindListener(listener: Closable, address: StreamAddress, clock: Clock): void {
  if (listener instanceof ScriptedListener) listenOn(listener, address, clock);
}

/** Checks that a scripted value is a connection. */
export function checkConnection(value: unknown): StreamSocket {
  checkShape("use a scripted connection", "it", "a StreamSocket", value, "read", "write", "shutdown", "close");
  const connection = value as StreamSocket;
  checkStreamAddress(connection.peer);
  return connection;
}
