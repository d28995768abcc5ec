// Copyright 2026 the Sluice authors. MIT license.

import { checkMilliseconds, checkOptions, checkWhole, hideClass } from "../../base/internal.ts";
import { isInstance, isOfKind, isPromise, rejectionOf } from "../../base/internal.ts";
import {
  cancellableSource,
  giveOwned,
  lends,
  lendSome,
  operation,
  payloadOf,
  type Sink,
  type Source,
  writeLimit,
} from "../../flow/internal.ts";
import {
  Cancelled,
  type ChildSwitch,
  interruptible,
  isSwitchCancelled,
  type Labelled,
  noLongerNeeded,
  refused,
  Switch,
  WaitQueue,
} from "../../switch/internal.ts";
import { describeAddress, type StreamAddress, Watches } from "../internal.ts";
import { DeadlineAlarm } from "../server/internal.ts";
import { ByteBuffer } from "./_byte_buffer.ts";
import { type Ends, halfClose, isBroken, release, untilCancelled } from "./_ends.ts";
import { forkOwned } from "./_fork_owned.ts";
import { nextChange } from "./_next_change.ts";
import type { CloseNicelyOptions, DisconnectReason, ManagedConnection, ManagedState } from "./managed_connection.ts";
import type { ManagedTerms } from "./managed_options.ts";

const connecting: ManagedState = Object.freeze({ kind: "connecting" });
const connected: ManagedState = Object.freeze({ kind: "connected" });
const disconnecting: ManagedState = Object.freeze({ kind: "disconnecting" });

/** A managed connection: its state, its buffers, and what waits for them. */
export class Managed<D> implements ManagedConnection<D> {
  static {
    hideClass(this);
  }

  readonly #sw: Switch;
  readonly #terms: ManagedTerms<D>;
  readonly #input: ByteBuffer = new ByteBuffer();
  /** What the sink has not taken. */
  readonly #output: ByteBuffer = new ByteBuffer();
  #state: ManagedState = connecting;
  /** The flow, once it is open. */
  #ends: Ends | undefined;
  /** Why no more can be sent: this side closes nicely, or the peer has ended. */
  #goal: "closed" | "end" | undefined;
  #lastReceived: number;
  #pinged = false;
  /** When `closeNicely` stops waiting. */
  #closeTime = Infinity;
  readonly #alarm: DeadlineAlarm;
  /** What waits for a condition, which is looked at whenever something happens. */
  readonly #waits: WaitQueue<void, () => boolean> = new WaitQueue();
  readonly #receivers: WaitQueue<Uint8Array<ArrayBuffer> | null, number> = new WaitQueue();
  readonly #watches: Watches = new Watches(this, () => this.alive);
  /** The switch of the flow. */
  #own: ChildSwitch | undefined;
  /** Settles once the flow is closed. */
  #ended: Promise<void> = Promise.resolve();

  constructor(sw: Switch, open: (sw: Switch) => Ends | Promise<Ends>, terms: ManagedTerms<D>) {
    this.#sw = sw;
    this.#terms = terms;
    this.#lastReceived = terms.clock.now();
    this.#alarm = new DeadlineAlarm(terms.clock, {
      next: () => Math.min(this.#pingTime, this.#endTime),
      judge: () => this.#judge(),
      failed: (error) => this.#end("failed", { error }),
    });
    Object.freeze(this);
    try {
      this.#ended = forkOwned(sw, () => this.close(), (own) => this.#run(own, open));
    } catch (error) {
      if (!isInstance(error, Cancelled)) throw error;
      this.close();
    }
    this.#alarm.set();
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
    return this.#take(size);
  }

  receiveAll(): Uint8Array<ArrayBuffer> {
    return this.#take(Infinity);
  }

  forget(size: number): boolean {
    this.#checkSize("forget", size);
    if (size > this.#input.length) return false;
    this.#input.drop(size);
    this.#step();
    return true;
  }

  poll(offset: number, size: number): Uint8Array<ArrayBuffer> | null {
    checkWhole("poll", "offset", offset, 0);
    this.#checkSize("poll", size, offset);
    return offset + size <= this.#input.length ? this.#input.slice(offset, size) : null;
  }

  pollPart(offset: number, size: number): Uint8Array<ArrayBuffer> {
    checkWhole("poll", "offset", offset, 0);
    checkWhole("poll", "size", size, 0);
    return this.#input.slice(offset, size);
  }

  close(): void {
    this.#end("closed");
  }

  closeNicely(options?: CloseNicelyOptions): Promise<void> {
    return operation(async () => {
      const { timeout = Infinity } = checkOptions("close nicely", options);
      checkMilliseconds("close nicely", "timeout", timeout);
      if (this.alive) {
        this.#closeTime = Math.min(this.#closeTime, this.#terms.clock.now() + timeout);
        this.#alarm.set();
        this.#finish("closed");
      }
      await this.closed();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#ended;
  }

  connected(): Promise<void> {
    return this.#when("connected", () => this.#ends !== undefined);
  }

  flushed(): Promise<void> {
    return this.#when("flushed", () => this.#output.length === 0);
  }

  closed(): Promise<void> {
    return this.#when("closed", () => false);
  }

  changed(): Promise<void> {
    return operation(() => nextChange("changed", [this.#watches.watch], this.#subject));
  }

  received(size: number): Promise<Uint8Array<ArrayBuffer> | null> {
    const refusal = rejectionOf(() => this.#checkSize("receive", size)) ?? refused();
    if (refusal !== undefined) return refusal;
    const promise = this.#receivers.wait("received", size, this.#subject);
    this.#step();
    return promise;
  }

  /** Waits until `holds` returns true, or the connection has ended. */
  #when(operation: string, holds: () => boolean): Promise<void> {
    const isOver = () => !this.alive || holds();
    return refused() ?? (isOver() ? Promise.resolve() : this.#waits.wait(operation, isOver, this.#subject));
  }

  /** Passes what was received to the calls of `received`, in order, and ends the waits that are over. */
  #step(): void {
    for (let next = this.#receivers.oldest; next !== undefined; next = this.#receivers.oldest) {
      const isThere = next.payload <= this.#input.length;
      if (!isThere && this.alive) break;
      this.#receivers.wakeOne(isThere ? this.#input.take(next.payload) : null);
    }
    this.#waits.wakeIf((isOver) => isOver());
  }

  get #subject(): Labelled {
    return { label: this.peer === undefined ? "a managed connection" : describeAddress(this.peer) };
  }

  /** Checks how many bytes are asked for, which must fit in the buffer: else they never come. */
  #checkSize(action: string, size: number, offset = 0): void {
    checkWhole(action, "size", size, 0);
    const { maxReceiveBuffer } = this.#terms;
    const end = offset + size;
    if (end <= maxReceiveBuffer) return;
    throw new RangeError(`Cannot ${action} ${end} bytes: the receive buffer holds at most ${maxReceiveBuffer}`);
  }

  #take(size: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#input.take(size);
    this.#step();
    return bytes;
  }

  /** Queues bytes to send, or none of them. */
  #queue(bytes: Uint8Array): boolean {
    const sends = this.#state === connecting || (this.#state === connected && this.#ends?.sink !== undefined);
    if (!sends || this.#output.length + bytes.length > this.#terms.maxSendBuffer) return false;
    this.#output.push(bytes);
    this.#step();
    return true;
  }

  /** Opens the flow, moves its bytes, and closes it. */
  async #run(own: ChildSwitch, open: (sw: Switch) => Ends | Promise<Ends>): Promise<void> {
    this.#own = own;
    let ends: Ends | undefined;
    try {
      const opening = open(own.sw);
      ends = isPromise(opening) ? await untilCancelled(opening) : opening;
      if (this.alive) {
        this.#ends = ends;
        if (this.#goal === undefined) this.#change(connected);
        else this.#step();
        this.#alarm.set();
      }
      const { source, sink } = ends;
      const fail = (error: unknown) => this.#fail(error);
      await Switch.run((fibers) => {
        if (source !== undefined) fibers.forkDaemon(() => this.#receiveFrom(source).catch(fail));
        fibers.forkDaemon(() => this.#sendTo(sink).catch(fail));
        return this.closed();
      });
    } catch (error) {
      this.#fail(error);
    }
    if (ends !== undefined) await release(ends, !isSwitchCancelled(own.sw));
  }

  async #receiveFrom(source: Source): Promise<void> {
    const lending = lends(source) ? source : cancellableSource(source);
    for (let count: number | null = 0; count !== null;) {
      await this.#when("space", () => this.#input.length < this.#terms.maxReceiveBuffer);
      if (!this.alive) return;
      count = await interruptible(lendSome(lending, (bytes) => this.#arrived(bytes)));
    }
    this.#finish("end");
  }

  #arrived(bytes: Uint8Array): number {
    const size = this.alive ? Math.min(bytes.length, this.#terms.maxReceiveBuffer - this.#input.length) : 0;
    if (size === 0) return 0;
    this.#input.push(bytes.subarray(0, size));
    this.#lastReceived = this.#terms.clock.now();
    this.#pinged = false;
    this.#alarm.set();
    this.#step();
    this.#watches.wake();
    return size;
  }

  async #sendTo(sink: Sink | undefined): Promise<void> {
    for (;;) {
      await this.#when("output", () => this.#output.length > 0 || this.#goal !== undefined);
      if (!this.alive) return;
      if (sink === undefined || this.#output.length === 0) break;
      const bytes = this.#output.slice(0, writeLimit);
      for (let at = 0, count = 0; at < bytes.length; at += count) {
        const taken = giveOwned(sink, bytes.subarray(at));
        count = typeof taken === "number" ? taken : await interruptible(taken);
        if (!this.alive) return;
        this.#output.drop(count);
        this.#step();
      }
    }
    await halfClose(sink);
    this.#end(this.#goal ?? "closed");
  }

  /** Sends what is queued, and then ends. */
  #finish(goal: "closed" | "end"): void {
    if (!this.alive || this.#goal !== undefined) return;
    this.#goal = goal;
    this.#change(disconnecting);
  }

  #fail(thrown: unknown): void {
    // What `open` has left running can fail the switch of the flow, and so cancel the fibers.
    const error = isInstance(thrown, Cancelled) ? thrown.cause ?? thrown : thrown;
    // Other code of this side has closed the flow, or the switch is cancelled.
    if (isOfKind(error, "ClosedError") || isSwitchCancelled(this.#sw)) this.#end("closed");
    else if (!isBroken(error)) this.#end("failed", { error });
    // A peer that has ended, and then closes its socket, resets what is still sent to it.
    else if (this.#goal === "end") this.#end("end");
    else this.#end("reset", { error });
  }

  #end(reason: DisconnectReason, failure?: { readonly error: unknown }): void {
    if (!this.alive) return;
    const graceful = this.#ends !== undefined && (reason === "closed" || reason === "end");
    this.#alarm.stop();
    this.#output.drop(this.#output.length);
    this.#change(Object.freeze({ kind: "disconnected", reason, ...failure }));
    // A flow that must not wait for the peer is reset.
    if (!graceful) this.#own?.cancel(noLongerNeeded());
  }

  #change(state: ManagedState): void {
    this.#state = state;
    this.#step();
    this.#watches.wake();
  }

  get #pingTime(): number {
    const pings = this.#terms.ping !== undefined && this.#state === connected && !this.#pinged;
    return pings ? this.#lastReceived + (this.timeout ?? Infinity) / 2 : Infinity;
  }

  get #endTime(): number {
    return Math.min(this.#lastReceived + (this.timeout ?? Infinity), this.#closeTime);
  }

  #judge(): void {
    const now = this.#terms.clock.now();
    if (now >= this.#endTime) return this.#end("timeout");
    if (now >= this.#pingTime) {
      this.#pinged = true;
      this.#queue(this.#terms.ping as Uint8Array);
    }
    this.#alarm.set();
  }
}
