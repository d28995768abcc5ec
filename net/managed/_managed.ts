// Copyright 2026 the Sluice authors. MIT license.

import { checkMilliseconds, checkOptions, checkWhole, hideClass } from "../../base/internal.ts";
import { isInstance, isOfKind, isPromise, rejectionOf } from "../../base/internal.ts";
import {
  cancellableSource,
  giveOwned,
  lends,
  lendSome,
  operation,
  type Sink,
  type Source,
  type TwoWay,
} from "../../flow/internal.ts";
import {
  Cancelled,
  interruptible,
  isSwitchCancelled,
  type Labelled,
  refused,
  Switch,
  WaitQueue,
} from "../../switch/internal.ts";
import { describeAddress, type StreamAddress } from "../internal.ts";
import { Changes } from "./_changes.ts";
import { type Ends, isBroken, release, untilCancelled } from "./_ends.ts";
import { payloadOf } from "./_payload.ts";
import { OwnedFiber } from "./_owned_fiber.ts";
import { Rope } from "./_rope.ts";
import { Timeouts } from "./_timeouts.ts";
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
  readonly #timeouts: Timeouts;
  readonly #changes: Changes;
  readonly #input: Rope = new Rope();
  readonly #output: Rope = new Rope();
  /** How many bytes were taken out of the send buffer, and the sink has not taken. */
  #inFlight = 0;
  #state: ManagedState = connecting;
  /** The flow, once it is open. */
  #ends: Ends | undefined;
  /** Why no more can be sent: this side closes nicely, or the peer has ended. */
  #goal: "closed" | "end" | undefined;
  /** What waits for a condition, which is looked at whenever something happens. */
  readonly #waits: WaitQueue<void, () => boolean> = new WaitQueue();
  readonly #receivers: WaitQueue<Uint8Array<ArrayBuffer> | null, number> = new WaitQueue();
  /** Opens the flow, moves the bytes, and closes the flow. */
  readonly #fiber: OwnedFiber = new OwnedFiber();

  constructor(sw: Switch, open: (sw: Switch) => Ends | Promise<Ends>, terms: ManagedTerms<D>) {
    this.#sw = sw;
    this.#terms = terms;
    const { clock, timeout = Infinity, ping } = terms;
    this.#timeouts = new Timeouts(clock, timeout, {
      pings: () => ping !== undefined && this.#state === connected,
      ping: () => ping !== undefined && this.#queue(ping),
      expired: () => this.#end("timeout"),
      failed: (error) => this.#end("failed", error),
    });
    this.#changes = new Changes(this, () => this.alive);
    Object.freeze(this);
    this.#fiber.start(sw, () => this.close(), (own) => this.#run(own, open));
    this.#timeouts.set();
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
    this.#step();
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
    await this.#fiber.ended;
  }

  connected(): Promise<void> {
    return this.#when("connected", () => this.#ends !== undefined);
  }

  flushed(): Promise<void> {
    return this.#when("flushed", () => this.#unsent === 0);
  }

  closed(): Promise<void> {
    return this.#when("closed", () => false);
  }

  changed(): Promise<void> {
    return this.#changes.next(this.#subject);
  }

  received(size: number): Promise<Uint8Array<ArrayBuffer> | null> {
    const refusal = rejectionOf(() => this.#checkSize("receive", size)) ?? refused();
    if (refusal !== undefined) return refusal;
    const promise = this.#receivers.wait("received", size, this.#subject);
    this.#serve();
    return promise;
  }

  /** Waits until `holds` returns true, or the connection has ended. */
  #when(operation: string, holds: () => boolean): Promise<void> {
    const isOver = () => !this.alive || holds();
    return refused() ?? (isOver() ? Promise.resolve() : this.#waits.wait(operation, isOver, this.#subject));
  }

  /** Ends the waits whose condition holds now. */
  #step(): void {
    this.#waits.wakeIf((isOver) => isOver());
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
    this.#step();
    return bytes;
  }

  /** Queues bytes to send, or none of them. */
  #queue(bytes: Uint8Array): boolean {
    if (this.#state !== connecting && this.#state !== connected) return false;
    if (this.#sendsNothing) return false;
    if (this.#unsent + bytes.length > this.#terms.maxSendBuffer) return false;
    this.#output.push(bytes);
    this.#step();
    return true;
  }

  /** Whether the flow is open and cannot be written to. */
  get #sendsNothing(): boolean {
    return this.#ends !== undefined && this.#ends.sink === undefined;
  }

  async #run(own: Switch, open: (sw: Switch) => Ends | Promise<Ends>): Promise<void> {
    let ends: Ends | undefined;
    try {
      const opening = open(own);
      ends = isPromise(opening) ? await untilCancelled(opening) : opening;
      this.#opened(ends);
      const { source, sink } = ends;
      const fail = (error: unknown) => this.#fail(error);
      await Switch.run((fibers) => {
        if (source !== undefined) fibers.forkDaemon(() => this.#receiveFrom(source).catch(fail));
        if (sink !== undefined) fibers.forkDaemon(() => this.#sendTo(sink).catch(fail));
        return this.closed();
      });
    } catch (error) {
      this.#fail(error);
    } finally {
      if (ends !== undefined) await release(ends, !isSwitchCancelled(own));
    }
  }

  #opened(ends: Ends): void {
    if (!this.alive) return;
    this.#ends = ends;
    if (this.#goal === undefined) this.#change(connected);
    else if (ends.sink === undefined) this.#end(this.#goal);
    else this.#step();
    this.#timeouts.set();
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
    this.#timeouts.received();
    this.#serve();
    this.#changes.note();
    return size;
  }

  async #sendTo(sink: Sink): Promise<void> {
    for (;;) {
      await this.#when("output", () => this.#output.length > 0 || this.#goal !== undefined);
      if (!this.alive) return;
      if (this.#output.length === 0) break;
      const bytes = this.#output.shift();
      this.#inFlight = bytes.length;
      while (this.#inFlight > 0) {
        const taken = giveOwned(sink, bytes.subarray(bytes.length - this.#inFlight));
        const count = typeof taken === "number" ? taken : await interruptible(taken);
        if (!this.alive) return;
        this.#inFlight -= count;
        this.#step();
      }
    }
    const { shutdown } = sink as Partial<TwoWay>;
    if (typeof shutdown === "function") await interruptible(Promise.resolve(shutdown.call(sink, "send")));
    this.#end(this.#goal ?? "closed");
  }

  /** Sends what is queued, and then ends. */
  #finish(goal: "closed" | "end"): void {
    if (!this.alive || this.#goal !== undefined) return;
    this.#goal = goal;
    this.#change(disconnecting);
    if (this.#sendsNothing) this.#end(goal);
  }

  #fail(thrown: unknown): void {
    // What `open` has left running can fail the switch of the flow, and so cancel the fibers.
    const error = isInstance(thrown, Cancelled) ? thrown.cause ?? thrown : thrown;
    // Other code of this side has closed the flow, or the switch is cancelled.
    if (isOfKind(error, "ClosedError") || isSwitchCancelled(this.#sw)) this.#end("closed");
    else if (!isBroken(error)) this.#end("failed", error);
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
    this.#change(Object.freeze(reason === "reset" || reason === "failed" ? { ...state, error } : state));
    this.#serve();
    // A flow that must not wait for the peer is reset.
    if (!graceful) this.#fiber.cancel();
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
    this.#step();
    this.#changes.note();
  }
}
