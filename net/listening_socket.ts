// Copyright 2026 the Sluice authors. MIT license.

import { ClosedError } from "../flow/errors.ts";
import type { Clock } from "../switch/clock.ts";
import type { Labelled, ReleaseHook } from "../switch/release_hooks.ts";
import { refused, Waiter } from "../switch/scope.ts";
import { isSwitchCancelled, own, refusedFor, type Switch } from "../switch/switch.ts";
import type { StreamAddress } from "./address.ts";
import { netErrorFrom } from "./errors.ts";
import { labelled, ownerGone } from "./open.ts";
import type { ProviderListener, ProviderStream } from "./provider.ts";
import type { SocketOptionEntry, SocketOptionName, SocketOptionTypes } from "./socket_option.ts";
import { SocketSettings } from "./socket_settings.ts";
import { ProvidedSocket } from "./stream_socket.ts";
import type { ListeningSocket, StreamSocket } from "./types.ts";

/** Somebody who waits for a connection. */
interface Acceptor {
  readonly sw: Switch;
  readonly waiter: Waiter<StreamSocket>;
  readonly hook: ReleaseHook;
  opened: StreamSocket | undefined;
}

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
export class ProvidedListener implements ListeningSocket {
  static {
    Object.freeze(this.prototype);
  }

  readonly #listener: ProviderListener;
  readonly #terms: ListenerTerms;
  readonly #settings: SocketSettings;
  readonly #subject: Labelled;
  readonly #hook: ReleaseHook;
  readonly #acceptors: Set<Acceptor> = new Set();
  readonly #watchers: Set<Waiter<void>> = new Set();
  /** Whether connections are being reset because the backlog is full, and whether somebody knows. */
  #burst: "none" | "untold" | "told" = "none";
  #closing: Promise<void> | undefined;

  constructor(listener: ProviderListener, terms: ListenerTerms, hook: ReleaseHook) {
    this.#listener = listener;
    this.#terms = terms;
    this.#settings = new SocketSettings(listener.address, terms.reach.ofListener, {}, terms.given);
    this.#subject = labelled(listener.address);
    this.#hook = hook;
    listener.attach({ acceptable: () => this.#serve(), overflowing: () => this.#overflowing() });
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

  async accept(sw: Switch): Promise<StreamSocket> {
    const refusal = refusedFor(sw, "accept");
    if (refusal !== undefined) return await refusal;
    if (this.#closing !== undefined) throw closedListener();
    const release = () => {
      if (acceptor.opened !== undefined) return acceptor.opened.close();
      this.#refuse(acceptor, ownerGone(sw, "accept"));
    };
    const hook = own(sw, "accept", { release, label: this.#subject.label });
    const refuse = (_: unknown, reason: unknown) => this.#refuse(acceptor, reason);
    const waiter: Waiter<StreamSocket> = new Waiter("accept", refuse, this.#subject);
    const acceptor: Acceptor = { sw, waiter, hook, opened: undefined };
    this.#acceptors.add(acceptor);
    this.#serve();
    return await waiter.promise;
  }

  overflow(): Promise<void> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (this.#closing !== undefined) return Promise.reject(closedListener());
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

  #overflowing(): void {
    if (this.#burst !== "none") return;
    this.#burst = this.#watchers.size > 0 ? "told" : "untold";
    for (const watcher of this.#watchers) watcher.resolve();
    this.#watchers.clear();
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    if (this.#closing !== undefined) throw new ClosedError("setOption");
    this.#settings.set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    if (this.#closing !== undefined) throw new ClosedError("getOption");
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
    const closed = closedListener(); // one for all: who accepts and watches has failed once
    for (const acceptor of this.#acceptors) {
      this.#refuse(acceptor, closed);
    }
    for (const watcher of this.#watchers) watcher.reject(closed);
    this.#watchers.clear();
    await this.#listener.close();
  }

  /** Gives connections to those who wait, first come, first served, as long as there are both. */
  #serve(): void {
    for (const acceptor of this.#acceptors) {
      if (isSwitchCancelled(acceptor.sw)) {
        this.#refuse(acceptor, ownerGone(acceptor.sw, "accept"));
        continue;
      }
      let taken: ProviderStream | undefined;
      try {
        taken = this.#listener.accept();
      } catch (cause) {
        this.#refuse(acceptor, netErrorFrom(cause, { operation: "accept", address: this.address }));
        continue;
      }
      if (taken === undefined) return;
      this.#acceptors.delete(acceptor);
      if (this.#burst === "told") this.#burst = "none"; // there is room again
      acceptor.opened = this.#opened(taken, acceptor);
      acceptor.waiter.resolve(acceptor.opened);
    }
  }

  /** A connection with the listener's options. One that cannot have them fits another kind of address, or is broken, which its first operation will say. */
  #opened(taken: ProviderStream, { sw, hook }: Acceptor): StreamSocket {
    const { clock, linger, reach } = this.#terms;
    const socket = new ProvidedSocket(taken, { owner: sw, clock, linger, reach: reach.ofConnections, given: [] }, hook);
    for (const [name, value] of this.#settings.entries) {
      if (!reach.ofConnections.has(name)) continue;
      try {
        socket.setOption(name, value);
      } catch {
        // Said above.
      }
    }
    return socket;
  }

  #refuse(acceptor: Acceptor, reason: unknown): void {
    this.#acceptors.delete(acceptor);
    acceptor.hook.remove();
    acceptor.waiter.reject(reason);
  }
}

function closedListener(): ClosedError {
  return new ClosedError("accept", "the listener was closed by this side");
}
