// Copyright 2026 the Sluice authors. MIT license.

import { throwLater } from "../base/internal.ts";
import { currentScope, refused, runIn, type Scope, WaitQueue } from "../switch/internal.ts";
import { checkBuffer, checkBytes, copyTo, howProblem, isEmpty, lengthOf, lost, sizeOfLent } from "./_bytes.ts";
import { totalLength, vanished, viewOf, viewsOf } from "./_bytes.ts";
import { checkEndTook, checkTaken } from "./_bytes.ts";
import { type Attempt, Direction, ownsMemory, type StreamNames, Watchers } from "./_half.ts";
import { rejection, silenced } from "./_operation.ts";
import { BusyError, ClosedError } from "./errors.ts";
import type { Borrower, StreamEnd, StreamEvents } from "./provider.ts";
import type { ShutdownHow } from "./types.ts";

export { label } from "./errors.ts";

/** The most pieces that one turn of a loan lends: ends that never wait would keep it going forever. */
const piecesPerTurn = 256;

/** A borrower inside the library: what it is called with is as the end lent it. */
type RawBorrower = (bytes: Uint8Array<ArrayBuffer>, scope: Scope | undefined) => number | Promise<number>;

/** A loan that goes on. */
interface Loan {
  readonly use: RawBorrower;
  /** Where it was begun, and ends when that is cancelled. */
  readonly scope: Scope | undefined;
  /** Whether the borrower counts what it takes, so that the end is null whatever was taken before. */
  readonly counted: boolean;
  /** How many bytes were taken. */
  taken: number;
}

// What is tried of each operation, again and again. Not methods, for a direction keeps them without a closure for each operation.
/** Reads what is there, as far as it fits. Where the buffer has vanished, it stays for the next reader. */
let fill: Attempt<Stream, Uint8Array, number | null>;
/** Lends for as long as everything is taken at once. */
let lendOn: Attempt<Stream, Loan, number | null>;
let writeTo: Attempt<Stream, Uint8Array, number>;
let giveTo: Attempt<Stream, readonly Uint8Array[], number>;
let giveOwnedTo: Attempt<Stream, readonly Uint8Array[], number>;
let writeFirstTo: Attempt<Stream, readonly Uint8Array[], number>;

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
    lendOn = (stream, loan) => {
      for (let pieces = 0; pieces < piecesPerTurn; pieces++) {
        const bytes = stream.#peek();
        if (bytes === undefined) return undefined;
        if (bytes === null) return loan.counted ? null : loan.taken || null;
        const length = sizeOfLent(bytes); // now, for the borrower may pass the memory on
        if (length === 0) return throwLater(lost);
        stream.#lending = true;
        try {
          const answer = loan.use(bytes, loan.scope);
          if (typeof answer !== "number") return stream.#settle(loan, answer, length);
          stream.#took(loan, answer, length);
          stream.#lending = false;
          if (answer < length || stream.#closed !== undefined || loan.scope?.reason !== undefined) break;
        } catch (error) {
          stream.#lending = false;
          return Promise.reject(error); // not a failure of the end, so it is thrown as it is
        }
      }
      return loan.taken;
    };
    writeTo = (stream, bytes) => {
      const { length } = bytes;
      if (length === 0) return throwLater(() => vanished("write"));
      return stream.#sent(stream.#end.write(bytes), length) || undefined;
    };
    giveTo = (stream, buffers) => {
      if (buffers.some(isEmpty)) return throwLater(() => vanished("write"));
      return stream.#give(buffers, false) || undefined;
    };
    giveOwnedTo = (stream, buffers) => stream.#give(buffers, true) || undefined;
    writeFirstTo = (stream, [bytes]) => writeTo(stream, bytes);
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
  /** What waits until all that was taken has been passed on. */
  #flushes: WaitQueue<void> | undefined;

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

  /** See {@linkcode LendingSource}. */
  lend(use: Borrower): Promise<number | null> {
    const keep = this.#end.keeps !== false;
    return this.#lend((bytes, scope) => {
      this.#lent = true;
      const view = viewOf(bytes);
      // What comes later comes in a callback of the end, which runs in any scope.
      return currentScope() === scope ? use(view, keep) : runIn(scope, use, view, keep);
    }, false);
  }

  /**
   * {@linkcode Stream.lend} to another stream. No other code sees the bytes, so those of an end that
   * owns its memory are passed on without a view. `note` is told each count that was taken, so the end is null at once.
   */
  lendTo(sink: Stream, note: (taken: number) => number): Promise<number | null> {
    const owned = ownsMemory(this.#end);
    return this.#lend((lent, scope) => {
      const problem = sink.#writeProblem();
      if (problem !== undefined) throw problem;
      const buffers = [owned ? lent : viewOf(lent)];
      const attempt = this.#end.keeps === false ? writeFirstTo : owned && !this.#lent ? giveOwnedTo : giveTo;
      const taken = sink.#sender.now(attempt, buffers) ??
        runIn(scope, () => refused() ?? sink.#sender.wait(attempt, buffers));
      return typeof taken === "number" ? note(taken) : taken.then(note);
    }, true);
  }

  #lend(use: RawBorrower, counted: boolean): Promise<number | null> {
    const refusal = refused() ?? this.#refuseRead();
    if (refusal !== undefined) return refusal;
    return silenced(this.#receiving.perform(lendOn, { use, scope: currentScope(), counted, taken: 0 }), same);
  }

  /** Waits for a borrower that answered with a promise. */
  async #settle(loan: Loan, answer: Promise<number>, length: number): Promise<number> {
    try {
      this.#took(loan, await answer, length);
      return loan.taken;
    } finally {
      this.#lending = false;
    }
  }

  /** Notes what a borrower took. */
  #took(loan: Loan, taken: number, length: number): void {
    checkTaken(taken, length);
    if (taken === length) this.#lent = false;
    this.#consume(taken);
    loan.taken += taken;
  }

  write(bytes: Uint8Array): Promise<number> {
    const refusal = checkBytes(bytes) ?? refused() ?? this.#refuseWrite();
    if (refusal !== undefined) return refusal;
    const view = viewOf(bytes);
    if (view.length === 0) return Promise.resolve(0);
    return this.#sender.perform(writeTo, view);
  }

  /** See {@linkcode GivingSink}. */
  give(buffers: readonly Uint8Array[]): number | Promise<number> {
    const views = viewsOf(buffers);
    if (!Array.isArray(views)) return Promise.reject(views);
    const refusal = refused() ?? this.#refuseWrite();
    if (refusal !== undefined) return refusal;
    return views.length === 0 ? 0 : this.#perform(giveTo, views);
  }

  /** {@linkcode Stream.give} for memory of the library's own, which nothing else can reach. */
  giveOwned(bytes: Uint8Array): number | Promise<number> {
    return refused() ?? this.#refuseWrite() ?? this.#perform(giveOwnedTo, [bytes]);
  }

  #perform<A>(attempt: Attempt<Stream, A, number>, argument: A): number | Promise<number> {
    return this.#sender.now(attempt, argument) ?? this.#sender.wait(attempt, argument);
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
    if (!this.#end.flushed) return (this.#flushes ??= new WaitQueue()).wait("shutdown", undefined, this.#names);
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
    if (this.#flushes !== undefined && this.#end.flushed) this.#endFlushes(this.#flushes);
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
    return this.#sent(this.#end.give(buffers, owned), size);
  }

  #sent(count: number, size: number): number {
    if (count > 0) this.#hasTaken = true;
    return checkEndTook(count, size);
  }

  #endFlushes(flushes: WaitQueue<void>): void {
    const loss = this.#loss;
    for (let next; (next = flushes.oldest) !== undefined;) {
      flushes.remove(next.waiter);
      if (loss === undefined) next.waiter.resolve();
      else next.waiter.fail(loss);
    }
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

function same<T>(value: T): T {
  return value;
}
