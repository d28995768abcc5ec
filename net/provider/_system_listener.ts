// Copyright 2026 the Sluice authors. MIT license.

import { hideClass, type Linked, List } from "../../base/internal.ts";
import { ClosedError, rejection } from "../../flow/internal.ts";
import {
  type Clock,
  hasEnded,
  type Hook,
  isSwitchCancelled,
  type Labelled,
  own,
  refused,
  refusedFor,
  type Releasable,
  type Switch,
  Waiter,
} from "../../switch/internal.ts";
import {
  addServed,
  closedState,
  describeAddress,
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
} from "../internal.ts";
import { SocketSettings } from "./_option_state.ts";
import { ProvidedSocket, type SocketTerms } from "./_system_connection.ts";
import type { ProviderListener, ProviderStream } from "./provider.ts";

/** Somebody who waits for a connection, and whom the switch releases until there is one. */
class Acceptor implements Linked<Acceptor>, Releasable {
  readonly listener: ProvidedListener;
  readonly sw: Switch;
  /** What the switch owns: the wait, and then the connection. */
  readonly hook: Hook;
  readonly waiter: Waiter<StreamSocket>;
  /** Whether it is in the listener's list. */
  listed = true;
  newer: Acceptor | undefined;
  older: Acceptor | undefined;

  constructor(listener: ProvidedListener, subject: Labelled, sw: Switch) {
    this.listener = listener;
    this.sw = sw;
    this.hook = own(sw, "accept", this);
    this.waiter = new Waiter("accept", (_, reason) => cancel(this, reason), subject);
  }

  get label(): string {
    return describeAddress(this.listener.address);
  }

  release(): void {
    refuse(this, () => ownerGone(this.sw, "accept"));
  }
}

let cancel: (acceptor: Acceptor, reason: unknown) => void;
let refuse: (acceptor: Acceptor, reason: () => unknown) => void;

/** How a listener accepts. */
export interface ListenerTerms {
  readonly clock: Clock;
  /** The `linger` of its connections, in milliseconds. */
  readonly linger: number;
  /** The options that can be set. */
  readonly reach: {
    readonly ofListener: ReadonlySet<SocketOptionName>;
    readonly ofConnections: ReadonlySet<SocketOptionName>;
  };
  /** What its connections inherit from the start. */
  readonly given: readonly SocketOptionEntry[];
}

/** A listener of a provider, with an owner. */
export class ProvidedListener implements ListeningSocket, ServedListener {
  static {
    refuse = (acceptor, reason) => acceptor.listener.#refuse(acceptor, reason);
    cancel = (acceptor, reason) => acceptor.listener.#cancel(acceptor, reason);
    hideClass(this);
  }

  readonly #listener: ProviderListener;
  readonly #terms: ListenerTerms;
  readonly #settings: SocketSettings;
  readonly #ofConnections: SocketTerms;
  readonly #subject: Labelled;
  readonly #owner: Switch;
  readonly #hook: Hook;
  readonly #acceptors: List<Acceptor> = new List();
  readonly #watchers: Set<Waiter<void>> = new Set();
  /** Whether connections are being reset because the backlog is full, and whether somebody knows. */
  #burst: "none" | "untold" | "told" = "none";
  /** Whether connections are to be given out, and whether somebody is at it: a provider may say that there is one while it is asked for one. */
  #wanted = false;
  #serving = false;
  #closing: Promise<void> | undefined;

  constructor(listener: ProviderListener, terms: ListenerTerms, owner: Switch, hook: Hook) {
    this.#listener = listener;
    this.#terms = terms;
    const { clock, linger, reach } = terms;
    this.#ofConnections = { clock, linger, reach: reach.ofConnections, given: [] };
    this.#settings = new SocketSettings(listener.address, terms.reach.ofListener, {}, terms.given);
    this.#subject = labelled(listener.address);
    this.#owner = owner;
    this.#hook = hook;
    listener.attach(Object.freeze({ acceptable: () => this.#serve(), overflowing: () => this.#overflowing() }));
    addServed(this);
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
      const acceptor = new Acceptor(this, this.#subject, sw);
      this.#acceptors.add(acceptor);
      this.#serve();
      return acceptor.waiter.promise;
    } catch (error) {
      return rejection(error);
    }
  }

  overflow(): Promise<void> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (this.#closing !== undefined) return rejection(this.#closedError());
    if (this.#burst === "untold") {
      this.#burst = "told";
      return Promise.resolve();
    }
    const watcher: Waiter<void> = new Waiter("overflow", (_, reason) => {
      this.#watchers.delete(watcher);
      watcher.reject(reason);
    }, this.#subject);
    this.#watchers.add(watcher);
    return watcher.promise;
  }

  async stopListening(): Promise<void> {
    await this.#listener.stopListening?.();
  }

  #overflowing(): void {
    if (this.#burst !== "none") return;
    this.#burst = this.#watchers.size > 0 ? "told" : "untold";
    for (const watcher of this.#watchers) watcher.resolve();
    this.#watchers.clear();
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    if (this.#closing !== undefined) throw new ClosedError("set an option", closedState(this.#owner));
    this.#settings.set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    if (this.#closing !== undefined) throw new ClosedError("get an option", closedState(this.#owner));
    return this.#settings.get(name);
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
    const closed = () => error ??= this.#closedError(); // one for all: a server that accepts and watches has failed once
    for (const acceptor of this.#acceptors.toArray()) this.#refuse(acceptor, closed);
    for (const watcher of this.#watchers) watcher.failClosed(closed);
    this.#watchers.clear();
    await this.#listener.close();
  }

  /** Gives connections to those who wait, first come, first served, as long as there are both. */
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
    for (let acceptor = this.#acceptors.oldest; acceptor !== undefined; acceptor = this.#acceptors.oldest) {
      if (isSwitchCancelled(acceptor.sw)) {
        this.#refuse(acceptor, () => ownerGone(acceptor.sw, "accept"));
        continue;
      }
      let taken: ProviderStream | undefined;
      try {
        taken = this.#listener.accept();
      } catch (cause) {
        this.#refuse(acceptor, () => netErrorFrom(cause, { operation: "accept", address: this.address }));
        continue;
      }
      if (taken === undefined) return;
      this.#remove(acceptor);
      if (this.#burst === "told") this.#burst = "none"; // there is room again
      const opened = this.#opened(taken, acceptor);
      if (acceptor.waiter.settled) opened.abort(); // cancelled meanwhile
      else acceptor.waiter.resolve(opened);
    }
  }

  /** A connection with the listener's options. One that cannot have them fits another kind of address, or is broken, which its first operation will say. */
  #opened(taken: ProviderStream, { sw, hook }: Acceptor): StreamSocket {
    const socket = new ProvidedSocket(taken, this.#ofConnections, sw, hook);
    if (this.#settings.isEmpty) return socket;
    for (const [name, value] of this.#settings.entries) {
      if (!this.#ofConnections.reach.has(name)) continue;
      try {
        socket.setOption(name, value);
      } catch {
        // Said above.
      }
    }
    return socket;
  }

  /** Fails an acceptor. That its listener was closed is not an unhandled rejection, if nothing awaits it. */
  #refuse(acceptor: Acceptor, reason: () => unknown): void {
    const { waiter } = acceptor;
    if (!this.#letGo(acceptor)) return;
    waiter.failClosed(reason);
  }

  #cancel(acceptor: Acceptor, reason: unknown): void {
    if (this.#letGo(acceptor)) acceptor.waiter.reject(reason);
  }

  #letGo(acceptor: Acceptor): boolean {
    if (acceptor.waiter.settled) return false;
    this.#remove(acceptor);
    acceptor.hook.remove();
    return true;
  }

  #remove(acceptor: Acceptor): void {
    if (!acceptor.listed) return;
    acceptor.listed = false;
    this.#acceptors.remove(acceptor);
  }

  #closedError(): ClosedError {
    const ended = hasEnded(this.#owner);
    return new ClosedError(
      "accept",
      ended ? "the switch of the listener has ended" : "the listener was closed by this side",
    );
  }
}
