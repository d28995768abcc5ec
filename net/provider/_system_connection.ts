// Copyright 2026 the Sluice authors. MIT license.

import { hideClass, open } from "../../base/internal.ts";
import {
  addStreamMethods,
  ClosedError,
  eventsOf,
  Stream,
  type StreamMethods,
  type StreamNames,
} from "../../flow/internal.ts";
import {
  adopt,
  type Clock,
  type Hook,
  isSwitchCancelled,
  type Releasable,
  type Switch,
} from "../../switch/internal.ts";
import {
  closedState,
  closeGracefully,
  closeWithin,
  describeAddress,
  type Lingering,
  netErrorFrom,
  type SocketOptionEntry,
  type SocketOptionName,
  type SocketOptionTypes,
  type StreamAddress,
  type StreamSocket,
} from "../internal.ts";
import { OptionState } from "./_option_state.ts";
import type { ProviderStream } from "./provider.ts";

/** What the sockets of one listener, or of one connect, share. */
export interface SocketTerms {
  readonly clock: Clock;
  /** How long closing waits for output to be flushed and for the peer to end, in milliseconds. */
  readonly linger: number;
  /** The options that can be set. */
  readonly supportedOptions: ReadonlySet<SocketOptionName>;
  /** The options to set first. */
  readonly initialOptions: readonly SocketOptionEntry[];
}

/** The name of a connection in dumps and errors, and its release by its owner. */
class Identity implements StreamNames, Releasable {
  readonly #peer: StreamAddress;
  readonly #socket: SystemConnection;
  #gone = false;

  constructor(peer: StreamAddress, socket: SystemConnection) {
    this.#peer = peer;
    this.#socket = socket;
  }

  release(): Promise<void> {
    return releaseSocket(this.#socket);
  }

  /** Both directions have ended, or the connection broke: the owner has nothing left to release. */
  gone(): void {
    if (this.#gone) return;
    this.#gone = true;
    open.sockets--;
    forgetSocket(this.#socket);
  }

  get label(): string {
    return describeAddress(this.#peer);
  }

  failure(operation: string, cause: unknown): unknown {
    return netErrorFrom(cause, { operation, address: this.#peer });
  }
}

let releaseSocket: (socket: SystemConnection) => Promise<void>;
let forgetSocket: (socket: SystemConnection) => void;

export interface SystemConnection extends StreamMethods {}

/** A connection of a provider, with an owner. */
export class SystemConnection implements StreamSocket, Lingering {
  static {
    releaseSocket = (socket) => socket.#release();
    forgetSocket = (socket) => socket.#hook.remove();
    addStreamMethods(this, (flow) => #stream in flow ? flow.#stream : undefined);
    hideClass(this);
  }

  readonly #end: ProviderStream;
  readonly #stream: Stream;
  readonly #terms: SocketTerms;
  readonly #owner: Switch;
  readonly #hook: Hook;
  #options: OptionState | undefined;
  #closing: Promise<void> | undefined;

  /** Makes a socket that `hook`, registered with `owner`, releases from now on. */
  constructor(end: ProviderStream, terms: SocketTerms, owner: Switch, hook: Hook) {
    const identity = new Identity(end.peer, this);
    this.#end = end;
    this.#terms = terms;
    this.#owner = owner;
    this.#hook = hook;
    this.#stream = new Stream(end, identity);
    hook.resource = identity;
    end.attach(eventsOf(this.#stream));
    open.sockets++; // a system that reports its end synchronously has decremented it
    if (terms.initialOptions.length > 0) this.#settings();
    Object.freeze(this);
  }

  get local(): StreamAddress {
    return this.#end.local;
  }

  get peer(): StreamAddress {
    return this.#end.peer;
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    if (this.#stream.isClosed) throw new ClosedError("set an option", closedState(this.#owner));
    this.#settings().set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    if (this.#stream.isClosed) throw new ClosedError("get an option", closedState(this.#owner));
    return this.#settings().get(name);
  }

  abort(reason?: unknown): void {
    this.#stream.close("aborted by this side", reason === undefined ? undefined : { cause: reason });
    this.#end.abort();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close("closed by this side");
  }

  [closeWithin](ms: number): Promise<void> {
    return this.#closing ??= this.#close("closed by this side", ms);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #settings(): OptionState {
    const { supportedOptions, initialOptions } = this.#terms;
    return this.#options ??= new OptionState(this.#end.local, supportedOptions, this.#end, initialOptions);
  }

  /**
   * Closes the socket because its switch ends. The next release hook runs as soon as everything
   * taken is flushed, so that two ends of one connection in one switch do not wait for each other;
   * the switch itself waits until the socket is closed.
   */
  #release(): Promise<void> {
    const closing = this.#closing ??= this.#close("its switch has ended");
    adopt(this.#owner, closing);
    return this.#stream.awaitFlushed();
  }

  /** Not an async function: most often only the system must be awaited. */
  #close(state: string, ms = this.#terms.linger): Promise<void> {
    try {
      if (!this.#stream.close(state)) return this.#stream.awaitGone();
      if (isSwitchCancelled(this.#owner)) this.#end.abort();
      else if (this.#end.flushed && this.#stream.input === null) this.#end.close();
      else return this.#linger(Math.min(ms, this.#terms.linger));
      return this.#stream.awaitGone();
    } catch (error) {
      this.#hook.remove(); // a second attempt would fail as well
      return Promise.reject(error);
    }
  }

  /**
   * Closes the socket once the peer has ended too, or the time has passed. A socket that is closed
   * earlier answers late input with a reset, which destroys what the peer has yet to read, such as
   * the response to a pipelined request.
   */
  async #linger(ms: number): Promise<void> {
    await closeGracefully(this.#owner, this.#terms.clock, ms, this.#end, () => {
      this.#end.drop();
      this.#end.end();
      return this.#stream.hasTaken ? this.#stream.awaitDrained() : this.#stream.awaitFlushed();
    });
    await this.#stream.awaitGone();
  }
}
