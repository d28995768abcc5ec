// Copyright 2026 the Sluice authors. MIT license.

import { hideClass, open } from "../../base/internal.ts";
import { ClosedError, rejection } from "../../flow/internal.ts";
import {
  type Clock,
  hasEnded,
  type Hook,
  isSwitchCancelled,
  type Labelled,
  refused,
  refusedFor,
  registerOwner,
  type Releasable,
  type Switch,
  type Waiter,
  WaitQueue,
} from "../../switch/internal.ts";
import {
  addServed,
  closedState,
  labelled,
  type ListeningSocket,
  netErrorFrom,
  ownerGone,
  type ServedListener,
  type SocketOptionEntry,
  type SocketOptionName,
  type SocketOptionTypes,
  type StreamAddress,
  type StreamSocket,
  tellServer,
  Watches,
} from "../internal.ts";
import { OptionState } from "./_option_state.ts";
import { type SocketTerms, SystemConnection } from "./_system_connection.ts";
import type { ProviderListener, ProviderOptions, ProviderStream } from "./provider.ts";

/** A pending `accept`. If its switch ends first, the call fails. */
class Acceptor implements Releasable {
  readonly sw: Switch;
  /** Registration with the switch: of the call, and then of the connection. */
  readonly hook: Hook;
  readonly waiter: Waiter<StreamSocket>;
  readonly #queue: WaitQueue<StreamSocket, Acceptor>;
  readonly #subject: Labelled;

  constructor(queue: WaitQueue<StreamSocket, Acceptor>, subject: Labelled, sw: Switch) {
    this.#queue = queue;
    this.#subject = subject;
    this.sw = sw;
    this.hook = registerOwner(sw, "accept", this);
    this.waiter = queue.add("accept", this, subject);
  }

  get label(): string {
    return this.#subject.label;
  }

  release(): void {
    this.#queue.fail(this.waiter, () => ownerGone(this.sw, "accept"));
  }
}

/** What a provider's listener has supplied, before a call of `accept` receives it. */
type Supplied = { readonly stream: ProviderStream } | { readonly error: unknown };

/** Settings of a listener. */
export interface ListenerTerms {
  readonly clock: Clock;
  /** The `linger` of accepted connections, in milliseconds. */
  readonly linger: number;
  /** The options that can be set. */
  readonly supportedOptions: {
    readonly ofListener: ReadonlySet<SocketOptionName>;
    readonly ofConnections: ReadonlySet<SocketOptionName>;
  };
  /** The options that accepted connections inherit from the start. */
  readonly initialOptions: readonly SocketOptionEntry[];
}

/** A listener over one of a provider, owned by a switch. */
export class SystemListener implements ListeningSocket, ServedListener {
  static {
    hideClass(this);
  }

  readonly #listener: ProviderListener;
  readonly #terms: ListenerTerms;
  readonly #options: OptionState;
  readonly #connectionTerms: SocketTerms;
  readonly #subject: Labelled;
  readonly #owner: Switch;
  readonly #hook: Hook;
  readonly #acceptors: WaitQueue<StreamSocket, Acceptor> = new WaitQueue(({ hook }) => hook.remove());
  readonly #watchers: WaitQueue<void> = new WaitQueue();
  /** What was taken from the provider because of a watch: the next call of `accept` receives it. */
  #supplied: Supplied | undefined;
  /** Watches for a connection that no pending `accept` call takes. */
  readonly #watches: Watches;
  /**
   * Whether connections are being reset because the backlog is full, and whether `overflow` has
   * reported it.
   */
  #burst: "none" | "unreported" | "reported" = "none";
  /** Re-entrancy guard: the `accept` of a provider may signal `acceptable`. */
  #wanted = false;
  #serving = false;
  #closing: Promise<void> | undefined;

  constructor(listener: ProviderListener, terms: ListenerTerms, owner: Switch, hook: Hook) {
    this.#listener = listener;
    this.#terms = terms;
    const { clock, linger, supportedOptions } = terms;
    this.#connectionTerms = { clock, linger, supportedOptions: supportedOptions.ofConnections, initialOptions: [] };
    const { ofListener } = supportedOptions;
    const system = { setOption: (name, value) => listener.setOption?.(name, value) } satisfies ProviderOptions;
    this.#options = new OptionState(listener.address, ofListener, system, terms.initialOptions);
    this.#subject = labelled(listener.address);
    this.#owner = owner;
    this.#hook = hook;
    this.#watches = new Watches(this, () => this.#closing === undefined, () => this.#serve());
    listener.attach(Object.freeze({ acceptable: () => this.#serve(), overflowing: () => this.#overflowing() }));
    addServed(this);
    open.listeners++;
    Object.freeze(this);
  }

  get address(): StreamAddress {
    return this.#listener.address;
  }

  get clock(): Clock {
    return this.#terms.clock;
  }

  get dropped(): number {
    return this.#listener.dropped;
  }

  accept(sw: Switch): Promise<StreamSocket> {
    try {
      const refusal = refusedFor(sw, "accept");
      if (refusal !== undefined) return refusal;
      tellServer(sw, this);
      if (this.#closing !== undefined) throw this.#closedError();
      const { promise } = new Acceptor(this.#acceptors, this.#subject, sw).waiter;
      this.#serve();
      return promise;
    } catch (error) {
      return rejection(error);
    }
  }

  overflow(): Promise<void> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (this.#closing !== undefined) return rejection(this.#closedError());
    if (this.#burst === "unreported") {
      this.#burst = "reported";
      return Promise.resolve();
    }
    return this.#watchers.wait("overflow", undefined, this.#subject);
  }

  async stopListening(): Promise<void> {
    await this.#listener.stopListening?.();
  }

  #overflowing(): void {
    if (this.#burst !== "none") return;
    this.#burst = this.#watchers.empty ? "unreported" : "reported";
    this.#watchers.wakeAll();
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    if (this.#closing !== undefined) throw new ClosedError("set an option", closedState(this.#owner));
    this.#options.set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    if (this.#closing !== undefined) throw new ClosedError("get an option", closedState(this.#owner));
    return this.#options.get(name);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#hook.remove();
    let error: ClosedError | undefined;
    // One error for all: a server that accepts and watches fails once.
    const closed = () => error ??= this.#closedError();
    this.#acceptors.failAll(closed);
    this.#watchers.failAll(closed);
    const supplied = this.#supplied;
    this.#supplied = undefined;
    if (supplied !== undefined && "stream" in supplied) supplied.stream.abort();
    this.#watches.wake();
    await this.#listener.close();
    open.listeners--;
  }

  /** Passes connections to pending `accept` calls in FIFO order. */
  #serve(): void {
    this.#wanted = true;
    if (this.#serving) return;
    this.#serving = true;
    try {
      while (this.#wanted) {
        this.#wanted = false;
        this.#serveAll();
      }
    } finally {
      this.#serving = false;
    }
  }

  #serveAll(): void {
    for (let waiter = this.#acceptors.oldest; waiter !== undefined; waiter = this.#acceptors.oldest) {
      const acceptor = waiter.payload;
      if (isSwitchCancelled(acceptor.sw)) {
        acceptor.release();
        continue;
      }
      const supplied = this.#supply();
      if (supplied === undefined) return;
      this.#supplied = undefined;
      if ("error" in supplied) {
        const { error } = supplied;
        this.#acceptors.fail(waiter, () => netErrorFrom(error, { operation: "accept", address: this.address }));
        continue;
      }
      this.#acceptors.remove(waiter);
      if (this.#burst === "reported") this.#burst = "none"; // the backlog has room again
      const opened = this.#socketOf(supplied.stream, acceptor);
      if (waiter.settled) opened.abort(); // cancelled in the meantime
      else waiter.resolve(opened);
    }
    if (this.#watches.any && this.#supply() !== undefined) this.#watches.wake();
  }

  /** Returns the next connection or error, which is kept until an `accept` call has it. */
  #supply(): Supplied | undefined {
    if (this.#supplied !== undefined) return this.#supplied;
    try {
      const stream = this.#listener.accept();
      return this.#supplied = stream && { stream };
    } catch (error) {
      return this.#supplied = { error };
    }
  }

  /**
   * Creates a socket with the listener's options, ignoring those that fail: they are for another
   * kind of address, or the connection is broken, which its first operation reports.
   */
  #socketOf(taken: ProviderStream, { sw, hook }: Acceptor): StreamSocket {
    const socket = new SystemConnection(taken, this.#connectionTerms, sw, hook);
    if (this.#options.isEmpty) return socket;
    for (const [name, value] of this.#options.entries) {
      if (!this.#connectionTerms.supportedOptions.has(name)) continue;
      try {
        socket.setOption(name, value);
      } catch {
        // Ignored, as described above.
      }
    }
    return socket;
  }

  #closedError(): ClosedError {
    const ended = hasEnded(this.#owner);
    return new ClosedError(
      "accept",
      ended ? "the switch of the listener has ended" : "the listener was closed by this side",
    );
  }
}
