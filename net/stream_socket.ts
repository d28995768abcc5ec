// Copyright 2026 the Sluice authors. MIT license.

import { ClosedError } from "../flow/errors.ts";
import { Stream, type StreamNames } from "../flow/stream.ts";
import { give, lend, pump, tryGive } from "../flow/types.ts";
import type { Borrower, PromptBorrower, PumpedSink, PumpingSource, ShutdownHow } from "../flow/types.ts";
import type { Clock } from "../switch/clock.ts";
import { first } from "../switch/fiber.ts";
import type { Hook, Releasable } from "../switch/release_hooks.ts";
import { isSwitchCancelled, runUnder, type Switch } from "../switch/switch.ts";
import { formatAddress, type StreamAddress } from "./address.ts";
import { netErrorFrom } from "./errors.ts";
import type { ProviderStream } from "./provider.ts";
import type { SocketOptionEntry, SocketOptionName, SocketOptionTypes } from "./socket_option.ts";
import { SocketSettings } from "./socket_settings.ts";
import type { StreamSocket } from "./types.ts";

/** What the sockets of one listener, or one connect, have in common. */
export interface SocketTerms {
  readonly clock: Clock;
  /** How long closing waits for taken bytes to go out, in milliseconds. */
  readonly linger: number;
  /** The options that can be set on it. */
  readonly reach: ReadonlySet<SocketOptionName>;
  /** What to set now. */
  readonly given: readonly SocketOptionEntry[];
}

/** How a connection is called in dumps and errors, and how its owner releases it. */
class Identity implements StreamNames, Releasable {
  readonly #peer: StreamAddress;
  readonly #socket: ProvidedSocket;

  constructor(peer: StreamAddress, socket: ProvidedSocket) {
    this.#peer = peer;
    this.#socket = socket;
  }

  release(): Promise<void> {
    return this.#socket.close();
  }

  get label(): string {
    return formatAddress(this.#peer);
  }

  failure(operation: string, cause: unknown): unknown {
    return netErrorFrom(cause, { operation, address: this.#peer });
  }
}

/** A connection of a provider, with an owner. */
export class ProvidedSocket implements StreamSocket, PumpingSource, PumpedSink {
  static {
    Object.freeze(this.prototype);
  }

  readonly #end: ProviderStream;
  readonly #stream: Stream;
  readonly #terms: SocketTerms;
  readonly #owner: Switch;
  readonly #hook: Hook;
  #options: SocketSettings | undefined;
  #closing: Promise<void> | undefined;

  /** From now on `hook`, which `owner` has, releases the socket. */
  constructor(end: ProviderStream, terms: SocketTerms, owner: Switch, hook: Hook) {
    const identity = new Identity(end.peer, this);
    this.#end = end;
    this.#terms = terms;
    this.#owner = owner;
    this.#hook = hook;
    this.#stream = new Stream(end, identity);
    hook.resource = identity;
    end.attach(this.#stream);
    if (terms.given.length > 0) this.#settings();
    Object.freeze(this);
  }

  get local(): StreamAddress {
    return this.#end.local;
  }

  get peer(): StreamAddress {
    return this.#end.peer;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#stream.read(buffer);
  }

  [lend](use: Borrower): Promise<number | null> {
    return this.#stream.lend(use);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#stream.write(bytes);
  }

  [give](buffers: readonly Uint8Array[]): Promise<number> {
    return this.#stream.give(buffers);
  }

  [pump](use: PromptBorrower): Promise<boolean> {
    return this.#stream.pump(use);
  }

  [tryGive](buffers: readonly Uint8Array[]): number {
    return this.#stream.tryGive(buffers);
  }

  shutdown(how: ShutdownHow): Promise<void> {
    return this.#stream.shutdown(how);
  }

  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void {
    if (this.#stream.isClosed) throw new ClosedError("setOption");
    this.#settings().set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    if (this.#stream.isClosed) throw new ClosedError("getOption");
    return this.#settings().get(name);
  }

  abort(): void {
    this.#stream.close();
    this.#hook.remove();
    this.#end.abort();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #settings(): SocketSettings {
    const { reach, given } = this.#terms;
    return this.#options ??= new SocketSettings(this.#end.local, reach, this.#end, given);
  }

  /** Gives the socket back to the system. No async function: most often there is nothing to wait for but the system. */
  #close(): Promise<void> {
    try {
      if (this.#stream.close()) {
        this.#hook.remove();
        if (isSwitchCancelled(this.#owner)) this.#end.abort();
        else if (this.#end.flushed && this.#nothingUnread()) this.#end.close();
        else return this.#linger();
      }
      return this.#stream.awaitGone();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The same after what was taken has gone out, if there is time for it. */
  async #linger(): Promise<void> {
    const { clock, linger } = this.#terms;
    // Ended and read on, so that the system closes with an end of stream and not with a reset because of unread input.
    this.#end.drop();
    this.#end.end();
    if (!this.#end.flushed) {
      try {
        await runUnder(this.#owner, () => first(() => this.#stream.flush(), () => clock.sleep(linger)));
      } catch {
        // The owner was cancelled meanwhile: no more waiting.
      }
    }
    if (this.#end.flushed) this.#end.close();
    else this.#end.abort();
    await this.#stream.awaitGone();
  }

  /** Whether the other side has ended, and all that it sent was read; or nothing can be read any more. */
  #nothingUnread(): boolean {
    try {
      return this.#end.peek() === null;
    } catch {
      return true;
    }
  }
}
