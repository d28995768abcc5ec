// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { nextTick } from "node:process";
import { Duplex, finished } from "node:stream";
import { Cancelled, interruptible, macrotask, startTimer, type Switch, type Timer } from "../../switch/internal.ts";
import { BridgeScope, checkMethods, isBytes, lendOne, lengthOf, vanished, writeLimit } from "../internal.ts";
import { cancellableSource, ClosedError, type Sink, type TwoWay, writeAll } from "../mod.ts";
import { lend, type LendingSource } from "../internal.ts";
import { endWithPeer } from "./_half_open.ts";
import { IdleTimer } from "./_idle_timer.ts";
import { coded, destroyedError, nodeError, type SystemCall } from "./_node_error.ts";
import { bufferOf } from "./_node_stream.ts";
import { ownCopy } from "./_private_copy.ts";
import { awaitReaction } from "./_reaction.ts";
import { asSocket, type SocketDuplex, type SocketState } from "./socket_duplex.ts";

/** Options for {@linkcode toDuplex}. */
export interface ToDuplexOptions {
  /**
   * The switch that owns the stream. Pass one for a client that opens connections on demand:
   * otherwise a connection belongs to the caller that needed it first. Then also pass a function
   * that opens the flow, or the flow still belongs to that caller.
   *
   * @default {the switch in which the stream is made}
   */
  sw?: Switch | undefined;
  /**
   * Whether the stream stays writable after the peer has ended. If `false`, it then ends and closes
   * itself, as a socket of `net.connect` does by default and some clients expect; a later write
   * fails with `EPIPE`. A `TLSSocket` over the stream decides this itself.
   *
   * @default {true}
   */
  allowHalfOpen?: boolean | undefined;
}

type Opening = Parameters<typeof toDuplex>[0];

/** The members of a flow that the bridge uses, where present. */
interface BridgedFlow extends TwoWay {
  readonly local?: unknown;
  readonly peer?: unknown;
  [lend]?: LendingSource[typeof lend];
  close?(): Promise<void>;
  abort?(reason?: unknown): void;
  setOption?(name: string, value: boolean | number): void;
}

const flowMethods: readonly string[] = ["read", "write", "shutdown"];

/** How long the end of the switch waits for the flow to take what was written, in milliseconds. */
const linger = 1000;

const nothing: Buffer = Buffer.alloc(0);

type Done = (error?: Error | null) => void;

/**
 * Makes a Node socket of a flow, for clients and servers that take one: `pg`, `ioredis`, `undici`,
 * `ws`, `node:http`. The stream behaves like a `node:net` socket: tests compare the two side by
 * side.
 *
 * The stream does its I/O, and emits its events, in the scope in which it was made, or in that of
 * `options.sw`: a caller that is cancelled, by a timeout for example, does not break a connection
 * that others share. When that scope is cancelled, the stream is destroyed with the
 * {@linkcode Cancelled}. When its switch ends, the stream waits at most one second for the flow
 * to take what was written, and is destroyed with a {@linkcode ClosedError}. If `end()` was called
 * before, the client is done, and the stream is destroyed without an error.
 *
 * It reads ahead from the start, up to its `readableHighWaterMark`, even while it is paused or has
 * no reader. Thus it notices the peer's end, or a reset, and closes.
 *
 * Ending the stream shuts down sending of the flow. When the stream is destroyed, also because both
 * directions have ended, it closes the flow, which flushes what the flow has taken. In three cases
 * it aborts the flow instead, if possible, so that the peer does not mistake truncated data for the
 * whole:
 *
 * - The flow has not taken all that was written.
 * - The scope of the stream is cancelled.
 * - The stream is destroyed before it has ended, and the peer goes on sending, unless the switch of
 *   the stream has ended.
 *
 * A flow that can be neither closed nor aborted is shut down.
 *
 * `'close'` is emitted, with whether there was an error, as soon as the stream is destroyed and its
 * write callbacks have been called, as for a Node socket: a pool frees its slot even if the peer is
 * slow. Only the switch waits until the flow has closed. If no function opened the flow, other code
 * may own it and close it on `'close'`. The event then waits until the stream has begun to close
 * the flow: at most 52 ms, the time to find out whether the peer goes on sending.
 *
 * While the flow has yet to arrive, the stream is `connecting`; `'connect'` follows. If opening
 * fails, the stream is destroyed with that error. A function that opens the flow is called at once,
 * in the scope of the stream; destroying the stream cancels it, and the switch waits for it. A
 * promise cannot be cancelled, so neither the stream nor its switch waits for it. In both cases a
 * flow that arrives too late is closed.
 *
 * Errors have the `code`, `syscall`, `address` and `port` of Node's own (`ECONNREFUSED`,
 * `ECONNRESET`, `EPIPE`, `ETIMEDOUT`, `ENOTFOUND`), and the error of the flow as their `cause`. An
 * `'error'` event without a listener does not end the process.
 *
 * @param flow The flow, a promise of it, or a function that opens it. Only the stream may use it
 * from now on.
 * @param options The owner, and how the stream ends.
 * @returns The stream. Its type is `Socket`, so that clients accept it without a cast. Beyond a
 * `Duplex` it has the members of {@linkcode SocketDuplex}.
 * @throws {TypeError} If `flow` is none of these, or `options.sw` is not a `Switch`, or has
 * finished.
 *
 * @example A client of `node:http` over a pipe
 * ```ts
 * import { pipe, Switch } from "@sluice/io";
 * import { toDuplex } from "@sluice/io/flow/node";
 * import { createServer, get, type IncomingMessage } from "node:http";
 * import { assertEquals } from "@std/assert";
 *
 * await Switch.run(async () => {
 *   const [client, server] = pipe();
 *   createServer((_, response) => response.end("hello")).emit("connection", toDuplex(server));
 *   const response = await new Promise<IncomingMessage>((resolve, reject) => {
 *     get({ createConnection: () => toDuplex(client) }, resolve).on("error", reject);
 *   });
 *   for await (const text of response.setEncoding("utf8")) assertEquals(text, "hello");
 * });
 * ```
 */
export function toDuplex(
  flow: TwoWay | Promise<TwoWay> | (() => TwoWay | Promise<TwoWay>),
  options?: ToDuplexOptions,
): SocketDuplex & Socket {
  if (typeof flow !== "function" && !(flow instanceof Promise)) {
    checkMethods("make a stream", flow, "a flow, a promise of it, or a function that opens it", ...flowMethods);
  }
  return new Bridge(flow, options ?? {}).duplex as SocketDuplex & Socket;
}

class Bridge implements SocketState {
  readonly duplex: SocketDuplex;
  readonly idle: IdleTimer = new IdleTimer(() => this.later(() => this.duplex.emit("timeout")));
  flow: BridgedFlow | undefined;
  bytesRead = 0;
  closed = false;

  readonly #scope: BridgeScope;
  /** Whether the stream opened the flow, and so is the only one to close it. */
  readonly #opensFlow: boolean;
  readonly #isPromise: boolean;
  readonly #arriving: Promise<BridgedFlow>;
  /** Resolves once the stream is destroyed, and its flow is closed or still a pending promise. */
  readonly #gone: Promise<void>;
  #onGone = () => {};
  #source: LendingSource | undefined;
  #sink: Sink | undefined;
  /** Bytes of all writes that have begun. */
  #dispatched = 0;
  /** Bytes of the write in progress. */
  #writing = 0;
  /** Bytes of the write whose callback is due. `writableLength` still includes them. */
  #waitingForCallback = 0;
  #peerEnded = false;
  #resetting = false;
  /** Whether the switch has ended, without a failure. */
  #released = false;

  constructor(flow: Opening, { sw, allowHalfOpen = true }: ToDuplexOptions) {
    this.#scope = new BridgeScope(sw);
    const duplex = new Duplex({
      allowHalfOpen,
      emitClose: false, // emitted here, with whether there was an error
      read: () => this.#read(),
      write: (chunk, _, done) => this.#write([chunk], done),
      writev: (chunks, done) => this.#write(chunks.map(({ chunk }) => chunk), done),
      final: (done) => this.#run("shutdown", (flow) => flow.shutdown("send"), done),
      destroy: (error, done) => this.#destroy(error, done),
    });
    duplex.on("error", () => {});
    this.duplex = asSocket(duplex, this);
    endWithPeer(duplex);
    this.#gone = new Promise((resolve) => this.#onGone = resolve);
    this.#opensFlow = typeof flow === "function";
    this.#isPromise = flow instanceof Promise;
    this.#arriving = this.#arrive(flow);
    this.#arriving.catch((error) => this.#fail(nodeError(error, "connect")));
    const hook = this.#scope.onRelease({ release: () => this.#endWithSwitch(), label: "duplex" });
    const forget = this.#scope.onCancel("duplex", (reason) => this.#destroyWithScope(reason));
    this.#gone.then(() => {
      hook?.remove();
      forget();
    });
    if (this.flow !== undefined) this.#readAhead();
  }

  get bytesWritten(): number {
    return this.#dispatched + this.duplex.writableLength - this.#waitingForCallback;
  }

  later(fn: () => void): void {
    this.#scope.call(() => nextTick(fn));
  }

  setOption(name: string, value: boolean | number): void {
    this.#arriving.then((flow) => flow.setOption?.(name, value)).catch(() => {});
  }

  reset(): void {
    this.#resetting = true;
    this.duplex.destroy();
  }

  async #arrive(flow: Opening): Promise<BridgedFlow> {
    // A flow that exists is set synchronously, so that the stream is never connecting.
    if (typeof flow !== "function" && !(flow instanceof Promise)) return this.flow = flow;
    const late = await (typeof flow === "function" ? this.#scope.run(async () => await flow()) : flow);
    checkMethods("make a stream", late, "a flow", ...flowMethods);
    this.flow = late;
    this.idle.touch();
    this.duplex.connect();
    this.later(() => {
      if (!this.duplex.isPaused()) this.#readAhead();
    });
    return late;
  }

  /** Starts to fill the buffer of the stream, with or without a reader. */
  #readAhead(): void {
    this.#scope.call(() => this.duplex.read(0));
  }

  #read(): void {
    let chunk: Buffer | null = null;
    const take = (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => {
      chunk = keep ? bufferOf(bytes) : ownCopy(bytes);
      this.bytesRead += bytes.length;
      return bytes.length;
    };
    this.#run("read", async (flow) => void await lendOne(this.#lender(flow), take), (error) => {
      if (error) this.duplex.destroy(error);
      if (this.duplex.destroyed) return;
      this.#peerEnded = chunk === null;
      this.duplex.push(chunk);
      if (chunk === null) this.duplex.read(0); // so that 'end' is emitted without a reader
    });
  }

  /** Returns a source whose reads can be cancelled, even if those of the flow cannot. */
  #lender(flow: BridgedFlow): LendingSource {
    if (typeof flow[lend] === "function") return flow as LendingSource;
    return this.#source ??= this.#scope.call(() => cancellableSource(flow));
  }

  #write(chunks: readonly Uint8Array[], done: Done): void {
    const size = this.#writing = this.#waitingForCallback = chunks.reduce((sum, chunk) => sum + sizeOf(chunk), 0);
    this.#dispatched += size;
    // `writableLength` still counts memory that has vanished since.
    const whole = size >= this.duplex.writableLength;
    this.#run("write", async (flow) => {
      if (!whole) throw vanished("write");
      await writeAll(size > writeLimit ? this.#watchedSink(flow) : flow, ...chunks);
      this.#writing = 0;
    }, (error) => {
      this.#waitingForCallback = 0;
      done(error);
    });
  }

  /** Wraps the flow as a sink whose every write counts as activity. */
  #watchedSink(flow: BridgedFlow): Sink {
    return this.#sink ??= {
      write: async (bytes) => {
        const count = await flow.write(bytes);
        this.idle.touch();
        return count;
      },
    };
  }

  /**
   * Runs an operation in the scope of the bridge, at once if the flow has arrived. `done` runs in a
   * later turn, so that its errors do not end up here.
   */
  #run(syscall: SystemCall, operation: (flow: BridgedFlow) => Promise<void>, done: Done): void {
    const ended = (error?: Error) => {
      this.idle.touch();
      this.later(() => done(error));
    };
    this.idle.touch();
    this.#scope.run(async () => await operation(this.flow ?? await interruptible(this.#arriving))).then(
      () => ended(),
      (error) => ended(this.#failure(syscall, error)),
    );
  }

  #failure(syscall: SystemCall, error: unknown): Error {
    if (!this.duplex.destroyed) return nodeError(error, syscall, this.#peerEnded);
    const cause = this.duplex.errored ?? undefined;
    if (this.flow !== undefined) return destroyedError(syscall, cause);
    const message = "Socket closed before the connection was established";
    return coded("ERR_SOCKET_CLOSED_BEFORE_CONNECTION", message, cause);
  }

  #fail(error: Error): void {
    this.#scope.call(() => this.duplex.destroy(error));
  }

  async #endWithSwitch(): Promise<void> {
    this.#released = true;
    if (this.#hasWaiting) await this.#flushed();
    const error = new ClosedError("use the stream", "its switch has ended");
    this.#destroyWithScope(Object.assign(error, { code: "ERR_STREAM_DESTROYED" }));
    await this.#gone;
  }

  /** Whether written bytes, or the end, wait for the flow to take them. */
  get #hasWaiting(): boolean {
    const { writableLength, writableEnded, writableFinished, destroyed } = this.duplex;
    return this.flow !== undefined && !destroyed && (writableLength > 0 || writableEnded && !writableFinished);
  }

  /**
   * Waits until the flow has taken everything, or the stream is destroyed, or the linger time has
   * passed.
   */
  async #flushed(): Promise<void> {
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      timer = startTimer(linger, resolve);
      const done = () => resolve();
      this.#gone.then(done);
      if (this.duplex.writableEnded) finished(this.duplex, { readable: false }, done);
      else this.#scope.call(() => this.duplex.write(nothing, done));
    });
    timer?.stop();
  }

  /**
   * Destroys the stream because its scope ends: without an error if its client has called `end()`,
   * and so only waits for the close.
   */
  #destroyWithScope(reason: Error): void {
    if (this.duplex.writableEnded) this.#scope.call(() => this.duplex.destroy());
    else this.#fail(reason);
  }

  #destroy(error: Error | null, done: Done): void {
    this.idle.stop();
    // Not awaited: an operation of a foreign flow may settle only when the flow is closed.
    this.#scope.stop(error ?? new ClosedError("use the stream", "it was destroyed"));
    const waiting = this.duplex.writableLength - this.#waitingForCallback;
    this.#scope.end(() => this.#closeFlow(error, waiting)).then(
      () => {
        this.#onGone();
        this.#emitCloseSoon(error !== null);
      },
      (failure) => {
        this.#onGone();
        if (error !== null || this.closed) return this.#emitCloseSoon(true); // the error was reported, or it is too late
        this.later(() => this.duplex.emit("error", nodeError(failure, "shutdown")));
        this.#emitClose(true);
      },
    );
    if (this.#opensFlow) this.#emitCloseSoon(error !== null);
    this.#scope.call(() => done(error));
  }

  /** Emits 'close' as a Node socket does: after the callbacks of writes, whatever the peer does. */
  #emitCloseSoon(hadError: boolean): void {
    this.#scope.call(() => macrotask(() => this.#emitClose(hadError)));
  }

  #emitClose(hadError: boolean): void {
    if (this.closed) return;
    this.closed = true;
    // In a later turn, because a listener of 'error' may throw.
    this.later(() => this.duplex.emit("close", hadError));
  }

  /**
   * Closes the flow. If the flow is still a promise, it is closed in the background when it
   * arrives.
   */
  async #closeFlow(error: Error | null, waiting: number): Promise<void> {
    const closing = this.#close(error, waiting);
    if (this.flow !== undefined || !this.#isPromise) return await closing;
    closing.catch(() => {}); // too late to report to the user of the stream
  }

  async #close(error: Error | null, waiting: number): Promise<void> {
    let flow: BridgedFlow;
    try {
      flow = await this.#arriving;
    } catch {
      return; // nothing to close; the stream is destroyed with that error
    }
    await new Promise<void>((resolve) => nextTick(resolve)); // until writes that the flow took have settled
    if (typeof flow.abort === "function" && await this.#mustAbort(flow, error, waiting)) {
      flow.abort(error ?? undefined);
    }
    // Not before the abort: the owner of the flow may close it on 'close'.
    this.#emitCloseSoon(error !== null);
    await (typeof flow.close === "function" ? flow.close() : flow.shutdown("all"));
  }

  /** Reports whether the peer must learn that it is cut off, or that data is missing. */
  async #mustAbort(flow: BridgedFlow, error: Error | null, waiting: number): Promise<boolean> {
    if (this.#resetting || error instanceof Cancelled || waiting + this.#writing > 0) return true;
    if (this.#peerEnded || this.duplex.writableFinished || this.#released) return false;
    try {
      return await awaitReaction(flow, this.#lender(flow)) === "input";
    } catch (failure) {
      return failure instanceof Cancelled; // otherwise it is broken, and can only be closed
    }
  }
}

/** Returns the true size of a chunk. The write rejects what is not bytes. */
function sizeOf(chunk: Uint8Array): number {
  return isBytes(chunk) ? lengthOf(chunk) : 0;
}
