// Copyright 2026 the Sluice authors. MIT license.

import { attempt } from "../../../base/internal.ts";
import { registerOwners } from "../../../flow/internal.ts";
import { awaitQuietInput } from "../../../flow/node/internal.ts";
import { startTimer, type Timer } from "../../../switch/internal.ts";
import type { SocketOptionName, SocketOptionValue, StreamAddress } from "../../internal.ts";
import type { ProviderStream, ProviderStreamEvents } from "../../provider/internal.ts";
import { closedBySystem } from "../shared/internal.ts";
import type { DenoConn } from "./_api.ts";
import { closed, opened } from "./_open_sockets.ts";
import { checkNativeOption } from "./_options.ts";
import { DenoOutput } from "./_output.ts";

/**
 * The memory of one read in bytes. It is small at first, because the pending read of an idle
 * connection holds it, larger after a read that has filled it, and smaller after two in a row that
 * have used little of it.
 */
const leastRead = 2 * 1024;
const mostRead = 64 * 1024;
const growth = 4;

/** How long an abandoned connection goes on sending, in milliseconds. */
const longestSending = 10_000;

/** How many connections go on sending at the same time. */
const mostAbandoned = 1_000;

let abandoned = 0;

/**
 * A connection of Deno as a non-blocking stream. It reads only when everything that has arrived
 * before is consumed. A read cannot be withdrawn: it stays pending for the next reader.
 */
export class DenoStream implements ProviderStream {
  static {
    registerOwners((end) => #conn in end);
  }

  readonly local: StreamAddress;
  readonly peer: StreamAddress;
  readonly #conn: DenoConn;
  #events: ProviderStreamEvents | undefined;
  /** The memory of the last read, used again once its bytes are consumed. */
  #memory: Uint8Array<ArrayBuffer> | undefined;
  /** The part that was filled: the next one is most often as long. */
  #filled: Uint8Array<ArrayBuffer> | undefined;
  #unread: Uint8Array<ArrayBuffer> | undefined;
  /** The length of the unread bytes, even if a borrower has transferred their memory. */
  #unreadSize = 0;
  #readSize = leastRead;
  /** Whether the last read has used little of its memory. */
  #wasSmall = false;
  #received = 0;
  #reading = false;
  #ended = false;
  #dropping = false;
  #hadUnreadInput = false;
  #failure: { readonly error: unknown } | undefined;
  #output: DenoOutput | undefined;
  #noDelay = true;
  /** Ends sending. Defined once the connection is abandoned. */
  #sendingTimer: Timer | undefined;
  /** Whether Deno was told to close the connection. */
  #shut = false;
  #gone = false;

  constructor(conn: DenoConn, local: StreamAddress, peer: StreamAddress) {
    this.#conn = conn;
    this.local = local;
    this.peer = peer;
    opened();
    // A broken connection throws, which its first read reports.
    if (peer.transport === "tcp") attempt(() => conn.setNoDelay(true), () => {});
  }

  /** Memory is used again for the next read. */
  get keeps(): boolean {
    return false;
  }

  attach(events: ProviderStreamEvents): void {
    this.#events = events;
    if (this.#gone) events.closed();
    else this.#receive();
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    if (this.#unread !== undefined) return this.#unread;
    if (this.#ended) return null;
    if (this.#failure !== undefined) throw this.#failure.error;
    return undefined;
  }

  consume(size: number): void {
    const unread = this.#unread as Uint8Array<ArrayBuffer>;
    this.#unreadSize -= size;
    if (this.#unreadSize > 0) {
      if (unread.length > 0) this.#unread = unread.subarray(size);
      return;
    }
    this.#unread = undefined;
    this.#receive();
  }

  drop(): void {
    this.#hadUnreadInput ||= this.#unread !== undefined;
    this.#dropping = true;
    this.#unread = undefined;
    this.#receive();
  }

  write(bytes: Uint8Array): number {
    this.#check();
    return this.#sender.write(bytes);
  }

  give(buffers: readonly Uint8Array[], owned = false): number {
    this.#check();
    return this.#sender.give(buffers, owned);
  }

  end(): void {
    if (!this.#shut) this.#sender.end();
  }

  get flushed(): boolean {
    return this.#gone || this.#output === undefined || this.#output.flushed;
  }

  get unsent(): number {
    return this.#output?.unsent ?? 0;
  }

  get lost(): { readonly error: unknown } | undefined {
    return this.#output?.lost;
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    checkNativeOption(name);
    if (this.#shut) return;
    if (name === "SO_KEEPALIVE") return this.#conn.setKeepAlive(value as boolean);
    this.#conn.setNoDelay(value as boolean);
    this.#noDelay = value as boolean;
  }

  getOption(name: SocketOptionName): boolean | undefined {
    return name === "TCP_NODELAY" ? this.#noDelay : undefined;
  }

  close(): void {
    if (!this.#hadUnreadInput || this.#ended) return this.#shutDown();
    // Closing with unread input would reset the connection, so the peer would lose sent data.
    awaitQuietInput(() => this.#ended || this.#shut ? undefined : this.#received)
      .then(() => this.#shutDown(), () => {});
  }

  abort(): void {
    this.#break(closedBySystem);
  }

  /**
   * Goes on sending what the system has yet to take, because Deno cannot reset a connection. The
   * system takes it, all at once, when the peer has read about a third of what the system holds,
   * which takes a slow peer longer than `linger`.
   */
  abandon(): void {
    if (abandoned === mostAbandoned) return this.abort();
    abandoned++;
    this.#sendingTimer = startTimer(longestSending, () => this.abort());
    const events = this.#events;
    this.#events = undefined;
    attempt(() => events?.closed(), () => {});
  }

  /** Called by the output when it takes bytes again, has passed on everything, or has failed. */
  writable(): void {
    try { // not guard(): this runs for each write
      if (this.#sendingTimer !== undefined) this.close();
      else if (!this.#shut) this.#events?.writable();
    } catch (error) {
      this.#break(error);
    }
    this.#look();
  }

  get #sender(): DenoOutput {
    return this.#output ??= new DenoOutput(this.#conn, this);
  }

  /** Throws unless Deno can still be asked to write. */
  #check(): void {
    if (this.#shut) throw this.#failure?.error ?? this.#output?.failure?.error ?? closedBySystem;
  }

  get #wantsInput(): boolean {
    return this.#unread === undefined && !this.#ended && !this.#shut && this.#failure === undefined;
  }

  /** Starts reading, unless a read is pending or its bytes are just being delivered. */
  #receive(): void {
    if (!this.#reading && this.#events !== undefined) this.#readAll();
  }

  /** Reads for as long as what has arrived is consumed at once. */
  async #readAll(): Promise<void> {
    this.#reading = true;
    while (this.#wantsInput) {
      try {
        let memory = this.#memory;
        if (memory?.length !== this.#readSize) this.#memory = memory = new Uint8Array(this.#readSize);
        this.#take(memory, await this.#conn.read(memory));
      } catch (error) {
        this.#break(error);
      }
    }
    this.#reading = false;
    this.#look();
  }

  #take(memory: Uint8Array<ArrayBuffer>, size: number | null): void {
    if (size === null) {
      // After a reset that a write has reported, the system reports an end.
      const failure = this.#output?.failure;
      if (failure !== undefined && !isBrokenPipe(failure.error)) throw failure.error;
      this.#ended = true;
      this.#memory = this.#filled = undefined;
    } else {
      this.#received += size;
      if (this.#dropping) return;
      // Transferred memory is empty.
      if (size >= memory.length) this.#unread = memory;
      else if (this.#filled?.length === size && this.#filled.buffer === memory.buffer) this.#unread = this.#filled;
      else this.#unread = this.#filled = memory.subarray(0, size);
      this.#unreadSize = size;
      this.#adapt(size);
    }
    this.#events?.readable();
  }

  #adapt(size: number): void {
    const isSmall = size * growth <= this.#readSize;
    if (size === this.#readSize) this.#readSize = Math.min(size * growth, mostRead);
    else if (isSmall && this.#wasSmall) this.#readSize = Math.max(this.#readSize / growth, leastRead);
    this.#wasSmall = isSmall;
  }

  /** Fails both directions, and closes the connection. */
  #break(error: unknown): void {
    if (this.#shut) return;
    this.#failure ??= { error };
    this.#output?.fail(error);
    this.#shutDown();
  }

  #shutDown(): void {
    if (this.#shut) return;
    this.#shut = true;
    attempt(() => this.#conn.close(), () => {});
    this.#look();
  }

  /**
   * Closes the connection once both directions are over, and reports it when Deno works on nothing.
   */
  #look(): void {
    if (!this.#shut && this.#ended && this.#output?.over === true && !this.#output.busy) return this.#shutDown();
    if (!this.#shut || this.#gone || this.#reading || this.#output?.busy) return;
    this.#gone = true;
    closed();
    if (this.#sendingTimer !== undefined) {
      this.#sendingTimer.stop();
      abandoned--;
    }
    this.#memory = this.#filled = undefined;
    if (!this.#ended) this.#failure ??= { error: closedBySystem };
    this.#output?.fail(closedBySystem);
    attempt(() => this.#events?.closed(), () => {});
  }
}

/** Whether a write has failed because the peer had ended before it reset the connection. */
function isBrokenPipe(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === "EPIPE";
}
