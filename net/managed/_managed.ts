// Copyright 2026 the Sluice authors. MIT license.

import { checkMilliseconds, checkOptions, checkWhole, hideClass, isInstance, isOfKind } from "../../base/internal.ts";
import { operation, rejection } from "../../flow/internal.ts";
import { BrokenPipeError } from "../../flow/mod.ts";
import { Condition } from "../../switch/mod.ts";
import { isSwitchCancelled, type Labelled, refused, type Switch, WaitQueue } from "../../switch/internal.ts";
import { addWatch, describeAddress, netErrorFrom, type StreamAddress } from "../internal.ts";
import { payloadOf } from "./_payload.ts";
import { type Ends, Pump, type Pumped } from "./_pump.ts";
import { Rope } from "./_rope.ts";
import { Timeouts } from "./_timeouts.ts";
import type { CloseNicelyOptions, DisconnectReason, ManagedConnection, ManagedState } from "./managed_connection.ts";
import type { ManagedTerms } from "./managed_options.ts";

const connecting: ManagedState = Object.freeze({ kind: "connecting" });
const connected: ManagedState = Object.freeze({ kind: "connected" });
const disconnecting: ManagedState = Object.freeze({ kind: "disconnecting" });

/** Reports whether `value` is a managed connection. */
export let isManaged: (value: unknown) => boolean;

/** A managed connection: its state, its buffers, and what waits for them. */
export class Managed<D> implements ManagedConnection<D> {
  static {
    isManaged = (value) => typeof value === "object" && value !== null && #state in value;
    hideClass(this);
  }

  readonly #sw: Switch;
  readonly #terms: ManagedTerms<D>;
  readonly #pump: Pump = new Pump();
  readonly #timeouts: Timeouts;
  readonly #input: Rope = new Rope();
  readonly #output: Rope = new Rope();
  /** How many bytes the fiber has taken out of the send buffer, and the sink has not taken. */
  #inFlight = 0;
  #state: ManagedState = connecting;
  /** The flow, once it is open. */
  #ends: Pick<Ends, "sink" | "peer"> | undefined;
  /** Why no more can be sent: this side closes nicely, or the peer has ended. */
  #goal: "closed" | "end" | undefined;
  readonly #queued: Condition = new Condition();
  readonly #spaced: Condition = new Condition();
  readonly #connections: WaitQueue<void> = new WaitQueue();
  readonly #flushes: WaitQueue<void> = new WaitQueue();
  readonly #closes: WaitQueue<void> = new WaitQueue();
  readonly #changes: WaitQueue<void> = new WaitQueue();
  readonly #receivers: WaitQueue<Uint8Array<ArrayBuffer> | null, number> = new WaitQueue();
  readonly #wakes: Set<() => void> = new Set();

  constructor(sw: Switch, open: (sw: Switch) => Ends | Promise<Ends>, terms: ManagedTerms<D>) {
    this.#sw = sw;
    this.#terms = terms;
    const { clock, timeout = Infinity, ping } = terms;
    const isConnected = () => this.#state === connected;
    this.#timeouts = new Timeouts(clock, timeout, {
      get pings() {
        return ping !== undefined && isConnected();
      },
      ping: () => ping !== undefined && this.#queue(ping),
      expired: () => this.#end("timeout"),
      failed: (error) => this.#end("failed", error),
    });
    addWatch(this, (wake) => this.#watch(wake));
    Object.freeze(this);
    this.#pump.start(sw, open, this.#pumped);
    this.#timeouts.set();
  }

  /** The connection for its fiber, which is all that calls these. */
  get #pumped(): Pumped {
    return {
      opened: (ends) => this.#opened(ends),
      space: async () => {
        while (this.#input.length >= this.#terms.maxReceiveBuffer) await this.#spaced.wait();
      },
      arrived: (bytes) => this.#arrived(bytes),
      peerEnded: () => this.#finish("end"),
      next: async () => {
        while (this.#output.length === 0) {
          if (this.#goal !== undefined) return undefined;
          await this.#queued.wait();
        }
        const bytes = this.#output.shift();
        this.#inFlight = bytes.length;
        return bytes;
      },
      sent: (size) => {
        if (!this.alive) return;
        this.#inFlight -= size;
        if (this.#unsent === 0) this.#flushes.wakeAll();
      },
      finished: () => this.#end(this.#goal ?? "closed"),
      failed: (error) => this.#fail(error),
      close: () => this.close(),
    };
  }

  get state(): ManagedState {
    return this.#state;
  }

  get alive(): boolean {
    return this.#state.kind !== "disconnected";
  }

  get data(): D {
    return this.#terms.data;
  }

  get timeout(): number | undefined {
    return this.#terms.timeout;
  }

  get peer(): StreamAddress | undefined {
    return this.#ends?.peer;
  }

  get bufferLength(): number {
    return this.#input.length;
  }

  get bufferEmpty(): boolean {
    return this.#input.length === 0;
  }

  send(data: Uint8Array | string): boolean {
    return this.#queue(payloadOf("send", data));
  }

  receive(size: number): Uint8Array<ArrayBuffer> | null {
    this.#checkSize("receive", size);
    return size <= this.#input.length ? this.#take(size) : null;
  }

  receivePart(size: number): Uint8Array<ArrayBuffer> {
    checkWhole("receive", "size", size, 0);
    return this.#take(Math.min(size, this.#input.length));
  }

  receiveAll(): Uint8Array<ArrayBuffer> {
    return this.#take(this.#input.length);
  }

  forget(size: number): boolean {
    this.#checkSize("forget", size);
    if (size > this.#input.length) return false;
    this.#input.drop(size);
    this.#spaced.notify();
    return true;
  }

  poll(offset: number, size: number): Uint8Array<ArrayBuffer> | null {
    checkWhole("poll", "offset", offset, 0);
    this.#checkSize("poll", size, offset);
    return offset + size <= this.#input.length ? this.#input.copy(offset, size) : null;
  }

  pollPart(offset: number, size: number): Uint8Array<ArrayBuffer> {
    checkWhole("poll", "offset", offset, 0);
    checkWhole("poll", "size", size, 0);
    const start = Math.min(offset, this.#input.length);
    return this.#input.copy(start, Math.min(size, this.#input.length - start));
  }

  close(): void {
    this.#end("closed");
  }

  closeNicely(options?: CloseNicelyOptions): Promise<void> {
    return operation(async () => {
      const { timeout = Infinity } = checkOptions("close nicely", options);
      checkMilliseconds("close nicely", "timeout", timeout);
      if (this.alive) {
        this.#timeouts.limitClosing(timeout);
        this.#finish("closed");
      }
      await this.closed();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#pump.released;
  }

  connected(): Promise<void> {
    return this.#when(this.#ends !== undefined, "connected", this.#connections);
  }

  flushed(): Promise<void> {
    return this.#when(this.#unsent === 0, "flushed", this.#flushes);
  }

  closed(): Promise<void> {
    return this.#when(false, "closed", this.#closes);
  }

  changed(): Promise<void> {
    return this.#when(false, "changed", this.#changes);
  }

  received(size: number): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      this.#checkSize("receive", size);
    } catch (error) {
      return rejection(error);
    }
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    const promise = this.#receivers.wait("received", size, this.#subject);
    this.#serve();
    return promise;
  }

  #when(holds: boolean, operation: string, queue: WaitQueue<void>): Promise<void> {
    return refused() ?? (holds || !this.alive ? Promise.resolve() : queue.wait(operation, undefined, this.#subject));
  }

  get #subject(): Labelled {
    const { peer } = this;
    return { label: peer === undefined ? "a managed connection" : describeAddress(peer) };
  }

  get #unsent(): number {
    return this.#output.length + this.#inFlight;
  }

  /** Checks how many bytes are asked for, which must fit in the buffer: else they never come. */
  #checkSize(action: string, size: number, offset = 0): void {
    checkWhole(action, "size", size, 0);
    const { maxReceiveBuffer } = this.#terms;
    if (offset + size <= maxReceiveBuffer) return;
    throw new RangeError(
      `Cannot ${action} ${offset + size} bytes: the receive buffer holds at most ${maxReceiveBuffer}`,
    );
  }

  #take(size: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#input.take(size);
    this.#spaced.notify();
    return bytes;
  }

  /** Queues bytes to send, or none of them. */
  #queue(bytes: Uint8Array): boolean {
    if (this.#state !== connecting && this.#state !== connected) return false;
    if (this.#ends !== undefined && this.#ends.sink === undefined) return false;
    if (this.#unsent + bytes.length > this.#terms.maxSendBuffer) return false;
    this.#output.push(bytes);
    this.#queued.notify();
    return true;
  }

  #opened(ends: Ends): void {
    if (!this.alive) return;
    this.#ends = { sink: ends.sink, peer: ends.peer };
    this.#connections.wakeAll();
    if (this.#goal === undefined) this.#change(connected);
    else if (ends.sink === undefined) this.#end(this.#goal);
    this.#timeouts.set();
  }

  #arrived(bytes: Uint8Array): number {
    const size = this.alive ? Math.min(bytes.length, this.#terms.maxReceiveBuffer - this.#input.length) : 0;
    if (size === 0) return 0;
    this.#input.push(bytes.subarray(0, size));
    this.#timeouts.received();
    this.#serve();
    this.#note();
    return size;
  }

  /** Sends what is queued, and then ends. */
  #finish(goal: "closed" | "end"): void {
    if (!this.alive || this.#goal !== undefined) return;
    this.#goal = goal;
    this.#change(disconnecting);
    if (this.#ends !== undefined && this.#ends.sink === undefined) this.#end(goal);
    else this.#queued.notify();
  }

  #fail(error: unknown): void {
    // Other code of this side has closed the flow, or the switch is cancelled.
    if (isOfKind(error, "ClosedError") || isSwitchCancelled(this.#sw)) this.#end("closed");
    else if (!isReset(error)) this.#end("failed", error);
    // A peer that has ended, and then closes its socket, resets what is still sent to it.
    else if (this.#goal === "end") this.#end("end");
    else this.#end("reset", error);
  }

  #end(reason: DisconnectReason, error?: unknown): void {
    if (!this.alive) return;
    const graceful = this.#ends !== undefined && (reason === "closed" || reason === "end");
    this.#timeouts.stop();
    this.#output.clear();
    this.#inFlight = 0;
    const state: ManagedState = { kind: "disconnected", reason };
    this.#state = Object.freeze(reason === "reset" || reason === "failed" ? { ...state, error } : state);
    this.#serve();
    for (const queue of [this.#connections, this.#flushes, this.#closes]) queue.wakeAll();
    this.#note();
    this.#pump.end(graceful);
  }

  /** Passes what was received to the calls of `received`, in order. */
  #serve(): void {
    for (let next = this.#receivers.oldest; next !== undefined; next = this.#receivers.oldest) {
      const { payload } = next;
      if (payload <= this.#input.length) this.#receivers.wakeOne(this.#take(payload));
      else if (this.alive) return;
      else this.#receivers.wakeOne(null);
    }
  }

  #change(state: ManagedState): void {
    this.#state = state;
    this.#note();
  }

  /** Tells who waits for a change. */
  #note(): void {
    this.#changes.wakeAll();
    for (const wake of [...this.#wakes]) wake();
  }

  #watch(wake: () => void): (() => void) | undefined {
    if (!this.alive) return undefined;
    this.#wakes.add(wake);
    return () => this.#wakes.delete(wake);
  }
}

/** Reports whether the peer, or the network, has broken the connection. */
function isReset(error: unknown): boolean {
  return isInstance(error, BrokenPipeError) ||
    netErrorFrom(error, { operation: "receive" }).code === "connection_reset";
}
