// Copyright 2026 the Sluice authors. MIT license.

import { ClosedError } from "../flow/errors.ts";
import { Stream, type StreamNames } from "../flow/stream.ts";
import { give, lend, pump, tryGive } from "../flow/types.ts";
import type { Borrower, PromptBorrower, PumpedSink, PumpingSource, ShutdownHow } from "../flow/types.ts";
import type { Clock } from "../switch/clock.ts";
import { first } from "../switch/fiber.ts";
import type { ReleaseHook } from "../switch/release_hooks.ts";
import { isSwitchCancelled, runUnder, type Switch } from "../switch/switch.ts";
import { formatAddress, type StreamAddress } from "./address.ts";
import { netErrorFrom } from "./errors.ts";
import type { ProviderStream, ProviderStreamEvents } from "./provider.ts";
import type { SocketOptionEntry, SocketOptionName, SocketOptionTypes } from "./socket_option.ts";
import { SocketSettings } from "./socket_settings.ts";
import type { StreamSocket } from "./types.ts";

/** Who a socket belongs to, and how it closes. */
export interface SocketTerms {
  readonly owner: Switch;
  readonly clock: Clock;
  /** How long closing waits for taken bytes to go out, in milliseconds. */
  readonly linger: number;
  /** The options that can be set on it. */
  readonly reach: ReadonlySet<SocketOptionName>;
  /** What to set now. */
  readonly given: readonly SocketOptionEntry[];
}

/** How a connection is called in dumps and errors. */
class PeerNames implements StreamNames {
  readonly #peer: StreamAddress;

  constructor(peer: StreamAddress) {
    this.#peer = peer;
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
  readonly #hook: ReleaseHook;
  #options: SocketSettings | undefined;
  #gone = false;
  #onGone: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(end: ProviderStream, terms: SocketTerms, hook: ReleaseHook) {
    this.#end = end;
    this.#terms = terms;
    this.#hook = hook;
    const stream = this.#stream = new Stream(end, new PeerNames(end.peer));
    const events: ProviderStreamEvents = {
      readable: () => stream.readable(),
      writable: () => stream.writable(),
      closed: () => {
        this.#gone = true;
        stream.readable();
        stream.writable();
        this.#onGone?.();
      },
    };
    end.attach(events);
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
    if (this.#stream.closed) throw new ClosedError("setOption");
    this.#settings().set(name, value);
  }

  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N] {
    if (this.#stream.closed) throw new ClosedError("getOption");
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

  async #close(): Promise<void> {
    if (this.#stream.close()) {
      this.#hook.remove();
      await this.#giveBack();
    }
    if (!this.#gone) await new Promise<void>((resolve) => this.#onGone = resolve);
  }

  /** Gives the socket back to the system, after what was taken has gone out if there is time for it. */
  async #giveBack(): Promise<void> {
    const { owner, clock, linger } = this.#terms;
    if (isSwitchCancelled(owner)) return this.#end.abort();
    if (this.#end.flushed && this.#nothingUnread()) return this.#end.close();
    // Ended and read on, so that the system closes with an end of stream and not with a reset because of unread input.
    this.#end.drop();
    this.#end.end();
    if (!this.#end.flushed) {
      try {
        await runUnder(owner, () => first(() => this.#stream.flush(), () => clock.sleep(linger)));
      } catch {
        // The owner was cancelled meanwhile: no more waiting.
      }
    }
    if (this.#end.flushed) this.#end.close();
    else this.#end.abort();
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
