// Copyright 2026 the Sluice authors. MIT license.

import type { StreamNames } from "./_half.ts";
import { throwLater } from "../base/internal.ts";
import { currentScope, refused } from "../switch/internal.ts";
import { checkBuffer, checkBytes, copyTo, howProblem, isEmpty, lengthOf, lost, sizeOfLent } from "./_bytes.ts";
import { totalLength, vanished, viewOf, viewsOf } from "./_bytes.ts";
import { checkEndTook, checkTaken } from "./_bytes.ts";
import { type Attempt, Direction, Flushers, Watchers } from "./_half.ts";
import { rejection, silenced } from "./_operation.ts";
import { ownsMemory } from "./_stream_end.ts";
import { BusyError, ClosedError } from "./errors.ts";
import type { StreamEnd, StreamEvents } from "./provider.ts";
import type { Borrower, PromptBorrower } from "./provider.ts";
import type { ShutdownHow } from "./types.ts";

export { label } from "./errors.ts";

/** After so many pieces a pump lets others run, for ends that never wait would keep it going for ever. */
const piecesPerTurn = 256;

// What is tried of each operation, again and again. Not methods, for a direction keeps them without a closure for each operation.
/** Reads what is there, as far as it fits. Where the buffer has vanished, it stays for the next reader. */
let fill: Attempt<Stream, Uint8Array, number | null>;
/** Finds what to lend. Marked in the same turn, so that nobody else reads before the borrower is called. */
let markLent: Attempt<Stream, undefined, Uint8Array<ArrayBuffer> | null>;
/** Lends as long as all is taken. Whether it came to the end, or what the borrower threw. */
let lendOn: Attempt<Stream, PromptBorrower, boolean | { readonly error: unknown }>;
let writeTo: Attempt<Stream, Uint8Array, number>;
let giveTo: Attempt<Stream, readonly Uint8Array[], number>;
let giveOwnedTo: Attempt<Stream, Uint8Array, number>;

/**
 * Waiting, cancellation and checks over a {@linkcode StreamEnd}: the one place where reads and writes of pipes and sockets wait.
 */
export class Stream implements StreamEvents {
  static {
    fill = (stream, buffer) => {
      let bytes = stream.#peek();
      if (bytes === undefined || bytes === null) return bytes;
      const length = lengthOf(buffer);
      if (length === 0) return throwLater(() => vanished("read"));
      let filled = 0;
      do {
        const there = sizeOfLent(bytes);
        if (there === 0) return filled || throwLater(lost);
        const size = Math.min(there, length - filled);
        copyTo(buffer, size === there ? bytes : viewOf(bytes, size), filled);
        filled += size;
        if (stream.#end.consume(size) !== true || filled === length) break;
        bytes = stream.#peek();
      } while (bytes !== undefined && bytes !== null);
      return filled;
    };
    markLent = (stream) => {
      const bytes = stream.#peek();
      if (bytes === undefined || bytes === null) return bytes;
      if (sizeOfLent(bytes) === 0) return throwLater(lost);
      stream.#lending = true;
      return bytes;
    };
    lendOn = (stream, use) => {
      for (let pieces = 0; pieces < piecesPerTurn; pieces++) {
        const bytes = stream.#peek();
        if (bytes === undefined || bytes === null) return bytes === null || undefined;
        const length = sizeOfLent(bytes); // now, for the borrower may pass the memory on
        if (length === 0) return throwLater(lost);
        stream.#lending = true;
        try {
          const taken = checkTaken(use(bytes, stream.#end.keeps !== false), length);
          stream.#consume(taken);
          if (stream.#closed !== undefined) throw stream.#closed("read");
          if (taken < length) return false;
        } catch (error) {
          return { error }; // no failure of the end, so it is thrown as it is
        } finally {
          stream.#lending = false;
        }
      }
      return false;
    };
    writeTo = (stream, bytes) => {
      const { length } = bytes;
      if (length === 0) return throwLater(() => vanished("write"));
      return stream.#took(stream.#end.write(bytes), length) || undefined;
    };
    giveTo = (stream, buffers) => {
      if (buffers.some(isEmpty)) return throwLater(() => vanished("write"));
      return stream.#give(buffers, false) || undefined;
    };
    giveOwnedTo = (stream, bytes) => stream.#give([bytes], true) || undefined;
  }

  readonly #end: StreamEnd;
  readonly #names: StreamNames;
  readonly #receiving: Direction<Stream>;
  /** Made by the first write, for many never write. */
  #sending: Direction<Stream> | undefined;
  /** Makes the error of an operation, once the stream was closed by this side. */
  #closed: ((operation: string) => ClosedError) | undefined;
  #sendEnded = false;
  #receiveEnded = false;
  #lending = false;
  /** Whether the rest of what was lent is still here, so that other code may reach it. */
  #lent = false;
  #gone = false;
  #hasTaken = false;
  /** What waits in no scope for the stream to come to its end. */
  #watchers: Watchers | undefined;
  #flushers: Flushers | undefined;

  constructor(end: StreamEnd, names: StreamNames) {
    this.#end = end;
    this.#names = names;
    this.#receiving = new Direction<Stream>("read", names, this);
  }

  /** What it is called. */
  get label(): string {
    return this.#names.label;
  }

  /** Whether it was closed by this side. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Whether a write has ever taken something. */
  get hasTaken(): boolean {
    return this.#hasTaken;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const refusal = checkBuffer(buffer) ?? refused() ?? this.#refuseRead();
    if (refusal !== undefined) return refusal;
    return this.#receiving.perform(fill, buffer);
  }

  /** Lends as long as all is taken, without a promise for each piece. Whether it came to the end. */
  pump(use: PromptBorrower): Promise<boolean> {
    return this.#pump((bytes, keep) => {
      const { length } = bytes;
      this.#lent = true;
      const taken = use(viewOf(bytes), keep);
      this.#lent = taken !== length;
      return taken;
    });
  }

  /**
   * {@linkcode Stream.pump} to another stream. No other code sees the bytes, so those of an end that
   * owns its memory are passed on without a view. `note` is told each count that was taken.
   */
  pumpTo(sink: Stream, note: (taken: number) => void): Promise<boolean> {
    const owned = ownsMemory(this.#end);
    return this.#pump((lent) => {
      const bytes = owned ? lent : this.#end.keeps === false ? new Uint8Array(lent) : viewOf(lent);
      const taken = sink.#giveNow([bytes], owned && !this.#lent);
      if (taken === bytes.length) this.#lent = false;
      note(taken);
      return taken;
    });
  }

  #pump(use: PromptBorrower): Promise<boolean> {
    const refusal = refused() ?? this.#refuseRead();
    return refusal ?? silenced(this.#receiving.perform(lendOn, use), orThrow);
  }

  lend(use: Borrower): Promise<number | null> {
    const refusal = refused() ?? this.#refuseRead();
    if (refusal !== undefined) return refusal;
    // No async function, whose frame an idle connection would keep.
    const marked = this.#receiving.perform(markLent, undefined);
    return silenced(marked, (bytes) => bytes === null ? null : this.#lendTo(use, bytes));
  }

  async #lendTo(use: Borrower, bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    const length = lengthOf(bytes); // now, for the borrower may pass the memory on
    this.#lent = true;
    try {
      const taken = checkTaken(await use(viewOf(bytes), this.#end.keeps !== false), length);
      this.#lent = taken < length;
      this.#consume(taken);
      return taken;
    } finally {
      this.#lending = false;
    }
  }

  write(bytes: Uint8Array): Promise<number> {
    const refusal = checkBytes(bytes) ?? refused() ?? this.#refuseWrite();
    if (refusal !== undefined) return refusal;
    const view = viewOf(bytes);
    if (view.length === 0) return Promise.resolve(0);
    return this.#sender.perform(writeTo, view);
  }

  give(buffers: readonly Uint8Array[]): Promise<number> {
    const views = viewsOf(buffers);
    if (!Array.isArray(views)) return Promise.reject(views);
    const refusal = refused() ?? this.#refuseWrite();
    if (refusal !== undefined) return refusal;
    if (views.length === 0) return Promise.resolve(0);
    return this.#sender.perform(giveTo, views);
  }

  /** {@linkcode Stream.give} for memory of the library's own, which nothing else can reach. */
  giveOwned(bytes: Uint8Array): Promise<number> {
    return refused() ?? this.#refuseWrite() ?? this.#sender.perform(giveOwnedTo, bytes);
  }

  /** {@linkcode Stream.give} without the wait: 0 while something older is queued. It looks at no scope. */
  tryGive(buffers: readonly Uint8Array[]): number {
    const views = viewsOf(buffers);
    if (!Array.isArray(views)) throw views;
    return this.#giveNow(views, false);
  }

  /** The buffers are plain, or come from an end. */
  #giveNow(buffers: readonly Uint8Array[], owned: boolean): number {
    const problem = this.#writeProblem();
    if (problem !== undefined) throw problem;
    if (buffers.length === 0) return 0;
    try {
      return this.#give(buffers, owned);
    } catch (error) {
      throw this.#names.failure("write", error);
    }
  }

  shutdown(how: ShutdownHow): Promise<void> {
    const problem = howProblem(how);
    if (problem !== undefined) return Promise.reject(problem);
    if (this.#closed !== undefined) return Promise.resolve();
    if (how !== "send" && !this.#receiveEnded) {
      this.#receiveEnded = true;
      this.#end.drop();
      this.readable();
    }
    if (how === "receive") return Promise.resolve();
    if (!this.#sendEnded) {
      this.#sendEnded = true;
      this.#end.end();
      this.#sending?.failClosed(() => this.#sendingEnded());
    }
    return currentScope()?.reason === undefined ? this.flush() : Promise.resolve();
  }

  /** Waits until all that was taken has been passed on, or never will be. */
  flush(): Promise<void> {
    if (!this.#end.flushed) return (this.#flushers ??= new Flushers(this.#names)).wait();
    const loss = this.#loss;
    return loss === undefined ? Promise.resolve() : throwLater(loss);
  }

  /**
   * Forbids new operations and wakes what waits. Whether this was the first time.
   *
   * @param state What closed it, for the {@linkcode ClosedError} of each operation: "its switch has ended".
   * @param options The reason, as the cause of that error.
   */
  close(state?: string, options?: ErrorOptions): boolean {
    if (this.#closed !== undefined) return false;
    const closed = this.#closed = (operation: string) =>
      new ClosedError(operation, state, { ...options, flow: this.label });
    if (this.#receiving.busy) this.#receiving.failClosed(() => closed("read"));
    if (this.#sending?.busy) this.#sending.failClosed(() => closed("write"));
    return true;
  }

  readable(): void {
    this.#receiving.retry();
    this.#watchers?.look();
  }

  writable(): void {
    this.#sending?.retry();
    this.#watchers?.look();
    if (this.#flushers !== undefined && this.#end.flushed) this.#flushers.done(this.#loss);
  }

  /** What is under it is gone; nothing follows. */
  closed(): void {
    this.#gone = true;
    this.#names.gone?.();
    this.readable();
    this.writable();
  }

  /** Waits until what is under it is gone, in no scope. */
  awaitGone(): Promise<void> {
    return this.#until(() => this.#gone);
  }

  /** Waits until all that was taken has been passed on, or never will be, in no scope. */
  awaitFlushed(): Promise<void> {
    return this.#until(() => this.#gone || this.#end.flushed);
  }

  /** Waits until that is so and the other side has ended too, or nothing more can come, in no scope. */
  awaitDrained(): Promise<void> {
    return this.#until(() => this.#gone || (this.#end.flushed && this.inputIsOver));
  }

  /** Whether the other side has ended and all that it sent was read, or nothing more can be read. */
  get inputIsOver(): boolean {
    try {
      return this.#end.peek() === null;
    } catch {
      return true;
    }
  }

  #until(condition: () => boolean): Promise<void> {
    return condition() ? Promise.resolve() : (this.#watchers ??= new Watchers()).until(condition);
  }

  #give(buffers: readonly Uint8Array[], owned: boolean): number {
    const size = totalLength(buffers); // now, for the memory may be detached by whoever takes it
    return this.#took(this.#end.give(buffers, owned), size);
  }

  #took(count: number, size: number): number {
    if (count > 0) this.#hasTaken = true;
    return checkEndTook(count, size);
  }

  /** Makes the error for what was taken and lost, unless this side has closed the stream. */
  get #loss(): (() => unknown) | undefined {
    const { lost } = this.#end;
    if (lost === undefined || this.#closed !== undefined) return undefined;
    return () => this.#names.failure("shutdown", lost.error);
  }

  get #sender(): Direction<Stream> {
    return this.#sending ??= new Direction<Stream>("write", this.#names, this);
  }

  #peek(): Uint8Array<ArrayBuffer> | null | undefined {
    return this.#receiveEnded ? null : this.#end.peek();
  }

  /** Drops what was taken, unless the borrower has ended this direction meanwhile. */
  #consume(size: number): void {
    if (size > 0 && this.#closed === undefined && !this.#receiveEnded) this.#end.consume(size);
  }

  #refuseRead(): Promise<never> | undefined {
    if (this.#closed !== undefined) return rejection(this.#closed("read"));
    if (this.#receiving.busy || this.#lending) return Promise.reject(new BusyError("read", { flow: this.label }));
    return undefined;
  }

  #refuseWrite(): Promise<never> | undefined {
    const problem = this.#writeProblem();
    return problem === undefined ? undefined : rejection(problem);
  }

  #writeProblem(): Error | undefined {
    if (this.#closed !== undefined) return this.#closed("write");
    if (this.#sendEnded) return this.#sendingEnded();
    if (this.#sending?.busy) return new BusyError("write", { flow: this.label });
    return undefined;
  }

  #sendingEnded(): ClosedError {
    return new ClosedError("write", "sending was shut down by this side", { flow: this.label });
  }
}

function orThrow(ended: boolean | { readonly error: unknown }): boolean {
  if (typeof ended === "boolean") return ended;
  throw ended.error;
}
