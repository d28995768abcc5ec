// Copyright 2026 the Sluice authors. MIT license.

import { throwLater } from "../base/internal.ts";
import { currentScope, liveScope, refusedIn, runIn, type Scope, WaitQueue } from "../switch/internal.ts";
import { checkBuffer, checkBytes, copyTo, howProblem, isEmpty, lengthOf, lost, sizeOfLent } from "./_bytes.ts";
import { checkTaken, checkWritten, totalLength, vanished, viewOf, viewsOf, writePlain } from "./_bytes.ts";
import { Half, type HalfAttempt, ownsMemory, Pending, type StreamNames, Watchers } from "./_half.ts";
import { rejection, same, silenced } from "./_operation.ts";
import { type Joint, type Loan, type LoanTerms, noted, type Outlet } from "./_foreign.ts";
import { BusyError, ClosedError } from "./errors.ts";
import type { Borrower, StreamEnd, StreamEvents } from "./provider.ts";
import type { ShutdownHow } from "./types.ts";

/**
 * The most pieces that a loan lends in one turn, so that an end that always has more bytes does not
 * block the event loop.
 */
const piecesPerTurn = 256;

type Attempt<A, T = number> = HalfAttempt<Stream, A, T>;

// The attempts of each operation. They are not methods, so that a half keeps them without a closure
// per operation.
/**
 * Reads what has arrived, as far as it fits. If the buffer vanished, the bytes stay for the next
 * reader.
 */
let fill: Attempt<Uint8Array, number | null>;
/** Lends piece by piece, for as long as the borrower takes each whole and synchronously. */
let lendPieces: Attempt<Loan, number | null>;
let writeTo: Attempt<Uint8Array>;
let giveTo: Attempt<readonly Uint8Array[]>;
let giveOwnedTo: Attempt<readonly Uint8Array[]>;

/**
 * Adds waiting, cancellation and checks to a {@linkcode StreamEnd}. All reads and writes of pipes
 * and sockets wait here.
 */
export class Stream implements StreamEvents, Joint {
  static {
    fill = (stream, buffer) => {
      let bytes = stream.#peek();
      if (bytes === undefined || bytes === null) return bytes;
      const length = lengthOf(buffer);
      if (length === 0) return throwLater(() => vanished("read"));
      let filled = 0;
      do {
        const available = sizeOfLent(bytes);
        if (available === 0) return filled || throwLater(lost);
        const size = Math.min(available, length - filled);
        copyTo(buffer, size === available ? bytes : viewOf(bytes, size), filled);
        filled += size;
        stream.bytesIn += size;
        if (stream.#end.consume(size) !== true || filled === length) break;
        bytes = stream.#peek();
      } while (bytes !== undefined && bytes !== null);
      return filled;
    };
    lendPieces = (stream, loan) => {
      for (let pieces = 0; pieces < piecesPerTurn; pieces++) {
        const bytes = stream.#peek();
        if (bytes === undefined) return undefined;
        if (bytes === null) return loan.note !== undefined ? null : loan.taken || null;
        const length = sizeOfLent(bytes); // before the borrower can transfer the memory
        if (length === 0) return throwLater(lost);
        stream.#lending = true;
        try {
          const answer = stream.#lendPiece(bytes, loan);
          if (typeof answer !== "number") return stream.#settle(loan, answer, length);
          stream.#took(loan, answer, length);
          stream.#lending = false;
          if (answer < length || stream.#closed !== undefined || loan.scope?.reason !== undefined) break;
        } catch (error) {
          stream.#lending = false;
          return Promise.reject(error); // the borrower's error, not a failure of the end
        }
      }
      return loan.taken;
    };
    writeTo = (stream, bytes) => {
      const length = lengthOf(bytes);
      if (length === 0) return throwLater(() => vanished("write"));
      const taken = stream.#isOwn ? writePlain(stream.#end, bytes, length) : stream.#end.write(viewOf(bytes));
      return stream.#sent(taken, length) || undefined;
    };
    giveTo = (stream, buffers) => {
      if (buffers.some(isEmpty)) return throwLater(() => vanished("write"));
      return stream.#give(buffers, false) || undefined;
    };
    giveOwnedTo = (stream, buffers) => stream.#give(buffers, true) || undefined;
  }

  bytesIn = 0;
  bytesOut = 0;
  readonly #end: StreamEnd;
  /** Whether the end is the library's own: no other code can reach its memory. */
  readonly #isOwn: boolean;
  readonly #names: StreamNames;
  readonly #receiving: Half<Stream>;
  /** Made by the first write, because many streams never write. */
  #sending: Half<Stream> | undefined;
  /** How this side closed the stream: for the error of each operation. */
  #closed: { readonly state: string | undefined; readonly options: ErrorOptions | undefined } | undefined;
  #sendEnded = false;
  #receiveEnded = false;
  #lending = false;
  /** Whether user code may hold a view of bytes that are still unread. */
  #lent = false;
  #gone = false;
  /** Waiters, outside any scope, for a state of the stream. */
  #watchers: Watchers | undefined;
  /** What {@linkcode Stream.awaitGone} waits for. */
  #awaitsGone: Pending<void> | undefined;
  /** Called when the stream is gone. */
  #whenGone: Set<() => void> | undefined;
  /** The waiting calls of {@linkcode Stream.flush}. */
  #flushes: WaitQueue<void> | undefined;

  constructor(end: StreamEnd, names: StreamNames) {
    this.#end = end;
    this.#isOwn = ownsMemory(end);
    this.#names = names;
    this.#receiving = new Half<Stream>("read", names, this);
  }

  /** The name of the stream in errors and dumps. */
  get label(): string {
    return this.#names.label;
  }

  /** Whether this side has closed the stream. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Whether a write has ever taken bytes. */
  get hasTaken(): boolean {
    return this.bytesOut > 0;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return checkBuffer(buffer) ?? this.#receive(currentScope(), fill, buffer);
  }

  /** See {@linkcode LendingSource}. */
  lend(use: Borrower): Promise<number | null> {
    return silenced(this.#lend(use, undefined, false), same);
  }

  /**
   * Lends to another stream. No user code sees the bytes, so if the end owns its memory, no view is
   * made. As `note` has received each count, the result is null as soon as the input ends.
   */
  lendTo(outlet: Outlet, note: (taken: number) => number): Promise<number | null> {
    return this.#lend(outlet, note, this.#isOwn);
  }

  take(bytes: Uint8Array<ArrayBuffer>, { memory, scope: loanScope }: LoanTerms): number | Promise<number> {
    const problem = this.#writeProblem();
    if (problem !== undefined) throw problem;
    if (memory === "reused") return this.#take(writeTo, bytes, loanScope);
    return this.#take(memory === "owned" ? giveOwnedTo : giveTo, [bytes], loanScope);
  }

  #take<A>(attempt: Attempt<A>, argument: A, loanScope: Scope | undefined): number | Promise<number> {
    const scope = liveScope(loanScope);
    return this.#sender.now(attempt, argument) ?? refusedIn(scope) ?? this.#sender.wait(scope, attempt, argument);
  }

  #lend(to: Borrower | Outlet, note: Loan["note"], owned: boolean): Promise<number | null> {
    const scope = currentScope();
    return this.#receive(scope, lendPieces, { to, note, scope, owned, memory: "kept", taken: 0 });
  }

  #receive<A, T>(scope: Scope | undefined, attempt: Attempt<A, T>, argument: A): Promise<T> {
    return refusedIn(scope) ?? this.#refuseRead() ?? this.#receiving.perform(scope, attempt, argument);
  }

  #lendPiece(bytes: Uint8Array<ArrayBuffer>, loan: Loan): number | Promise<number> {
    const { to, note, scope, owned } = loan;
    const keeps = this.#end.keeps !== false;
    if (typeof to === "function") {
      this.#lent = true;
      const view = viewOf(bytes);
      // Later pieces arrive in a callback of the end, which may run in any scope.
      return currentScope() === scope ? to(view, keeps) : runIn(scope, to, view, keeps);
    }
    loan.memory = !keeps ? "reused" : owned && !this.#lent ? "owned" : "kept";
    const taken = to.take(owned ? bytes : viewOf(bytes), loan);
    return note === undefined ? taken : noted(taken, note);
  }

  /** Waits for a borrower that returned a promise. */
  async #settle(loan: Loan, answer: Promise<number>, length: number): Promise<number> {
    try {
      this.#took(loan, await answer, length);
      return loan.taken;
    } finally {
      this.#lending = false;
    }
  }

  /** Records what a borrower took. */
  #took(loan: Loan, taken: number, length: number): void {
    checkTaken(taken, length);
    if (taken === length) this.#lent = false;
    // Not if the borrower has closed the stream or shut down receiving meanwhile.
    if (taken > 0 && this.#closed === undefined && !this.#receiveEnded) this.#end.consume(taken);
    this.bytesIn += taken;
    loan.taken += taken;
  }

  write(bytes: Uint8Array): Promise<number> {
    const problem = checkBytes(bytes);
    if (problem !== undefined) return problem;
    const scope = currentScope();
    const sent = this.#refuseSend(scope, lengthOf(bytes)) ?? this.#sender.now(writeTo, bytes) ??
      this.#sender.wait(scope, writeTo, viewOf(bytes));
    return typeof sent === "number" ? Promise.resolve(sent) : sent;
  }

  /** See {@linkcode GivingSink}. */
  give(buffers: readonly Uint8Array[]): number | Promise<number> {
    const views = viewsOf(buffers);
    return Array.isArray(views) ? this.#send(giveTo, views) : Promise.reject(views);
  }

  giveOwned(bytes: Uint8Array): number | Promise<number> {
    return this.#send(giveOwnedTo, [bytes]);
  }

  #send<A extends { readonly length: number }>(attempt: Attempt<A>, argument: A): number | Promise<number> {
    const scope = currentScope();
    return this.#refuseSend(scope, argument.length) ?? this.#sender.now(attempt, argument) ??
      this.#sender.wait(scope, attempt, argument);
  }

  /** Returns the result of sending `length` bytes or buffers that need no attempt. */
  #refuseSend(scope: Scope | undefined, length: number): Promise<never> | 0 | undefined {
    const refusal = refusedIn(scope);
    if (refusal !== undefined) return refusal;
    const problem = this.#writeProblem();
    return problem !== undefined ? rejection(problem) : length === 0 ? 0 : undefined;
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

  /** Waits until everything that writes took has been passed on or lost. */
  flush(): Promise<void> {
    if (!this.#end.flushed) return (this.#flushes ??= new WaitQueue()).wait("shutdown", undefined, this.#names);
    const loss = this.#loss;
    return loss === undefined ? Promise.resolve() : throwLater(loss);
  }

  /**
   * Closes the stream: refuses new operations and fails the waiting ones. Reports whether it was
   * open.
   *
   * @param state What closed it, for the {@linkcode ClosedError} of each operation: "its switch has
   * ended".
   * @param options The cause of that error, if there is one.
   */
  close(state?: string, options?: ErrorOptions): boolean {
    if (this.#closed !== undefined) return false;
    this.#closed = { state, options };
    if (this.#receiving.busy) this.#receiving.failClosed(() => this.#closedError("read"));
    if (this.#sending?.busy) this.#sending.failClosed(() => this.#closedError("write"));
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

  /** Notes that the underlying stream is gone. No other notification follows. */
  closed(): void {
    this.#gone = true;
    this.#names.gone?.();
    this.readable();
    this.writable();
    this.#awaitsGone?.resolve();
    this.#whenGone?.forEach((callback) => callback());
    this.#whenGone = undefined;
  }

  onGone(callback: () => void): () => void {
    if (this.#gone) callback();
    else (this.#whenGone ??= new Set()).add(callback);
    return () => this.#whenGone?.delete(callback);
  }

  /** Waits outside any scope until the underlying stream is gone. */
  awaitGone(): Promise<void> {
    return this.#gone ? Promise.resolve() : (this.#awaitsGone ??= new Pending<void>()).promise;
  }

  /** Waits outside any scope until everything that writes took has been passed on or lost. */
  awaitFlushed(): Promise<void> {
    return this.#until(() => this.#gone || this.#end.flushed);
  }

  /**
   * Waits outside any scope until the output is flushed and the input is over, or the underlying
   * stream is gone.
   */
  awaitDrained(): Promise<void> {
    return this.#until(() => this.#gone || (this.#end.flushed && this.input === null));
  }

  get input(): Uint8Array | null | undefined {
    try {
      return this.#end.peek();
    } catch {
      return null;
    }
  }

  get unsent(): number {
    return this.#end.unsent ?? 0;
  }

  #until(condition: () => boolean): Promise<void> {
    return condition() ? Promise.resolve() : (this.#watchers ??= new Watchers()).until(condition);
  }

  #give(buffers: readonly Uint8Array[], owned: boolean): number {
    const size = totalLength(buffers); // before the end can detach the memory
    return this.#sent(this.#end.give(buffers, owned), size);
  }

  #sent(count: number, size: number): number {
    this.bytesOut += checkWritten(count, size);
    return count;
  }

  #endFlushes(flushes: WaitQueue<void>): void {
    const loss = this.#loss;
    for (let next; (next = flushes.oldest) !== undefined;) {
      flushes.remove(next);
      if (loss === undefined) next.resolve();
      else next.fail(loss);
    }
  }

  /** Makes the error of a flush; undefined if nothing was lost, or this side has closed. */
  get #loss(): (() => unknown) | undefined {
    const { lost } = this.#end;
    if (lost === undefined || this.#closed !== undefined) return undefined;
    return () => this.#names.failure("shutdown", lost.error);
  }

  get #sender(): Half<Stream> {
    return this.#sending ??= new Half<Stream>("write", this.#names, this);
  }

  #peek(): Uint8Array<ArrayBuffer> | null | undefined {
    return this.#receiveEnded ? null : this.#end.peek();
  }

  #refuseRead(): Promise<never> | undefined {
    if (this.#closed !== undefined) return rejection(this.#closedError("read"));
    if (this.#receiving.busy || this.#lending) return Promise.reject(new BusyError("read", { flow: this.label }));
    return undefined;
  }

  #writeProblem(): Error | undefined {
    if (this.#closed !== undefined) return this.#closedError("write");
    if (this.#sendEnded) return this.#sendingEnded();
    if (this.#sending?.busy) return new BusyError("write", { flow: this.label });
    return undefined;
  }

  #closedError(operation: string): ClosedError {
    return new ClosedError(operation, this.#closed?.state, { ...this.#closed?.options, flow: this.label });
  }

  #sendingEnded(): ClosedError {
    return new ClosedError("write", "sending was shut down by this side", { flow: this.label });
  }
}
