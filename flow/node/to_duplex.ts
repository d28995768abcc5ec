// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { nextTick } from "node:process";
import { Duplex, finished } from "node:stream";
import { Cancelled, interruptible, macrotask, startTimer, type Switch, type Timer } from "../../switch/internal.ts";
import { checkMethods, Home, isBytes, lendOne, lengthOf, vanished, writeLimit } from "../internal.ts";
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
   * The switch that owns the stream. A client that opens connections when it needs them must name one,
   * or the first caller who needs a connection owns it. The flow, too, is to be opened by a function
   * then, or that caller waits for it.
   *
   * @default {the switch in which the stream is made}
   */
  sw?: Switch | undefined;
  /**
   * Whether the stream can still be written to once the other side has ended. With `false` it ends
   * itself then, and so closes, as the sockets that clients make do, and some of them wait for it; a
   * later write is an `EPIPE`. A `TLSSocket` over the stream decides that itself.
   *
   * @default {true}
   */
  allowHalfOpen?: boolean | undefined;
}

type Opening = Parameters<typeof toDuplex>[0];

/** What the bridge uses of a flow, as far as it is there. */
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
 * Makes a socket of Node of a flow, for clients and servers that take one: `pg`, `ioredis`, `undici`,
 * `ws`, `node:http`. The stream behaves as a socket of `node:net` does: the two are tested side by side.
 *
 * The stream does its I/O, and emits its events, in the scope in which it was made, or in that of
 * `options.sw`: a caller who gives up, because of a timeout say, does not break a connection that
 * others share. When that scope is cancelled, the stream is destroyed with the {@linkcode Cancelled};
 * when its switch ends, with a {@linkcode ClosedError}, once the flow has taken what was written, or
 * after one second; and without an error if it was ended before, since its client is done.
 *
 * From the start it reads ahead, up to its `readableHighWaterMark`, also while it is paused or has no
 * reader: so it learns of the peer's end, or of a reset, and closes.
 *
 * Ending the stream ends the sending direction of the flow by `shutdown("send")`. When it is destroyed,
 * also because both directions have ended, it closes the flow, so that what the flow has taken goes
 * out. If it is destroyed before it has ended, other than by the end of its switch, and the peer goes
 * on sending, it aborts the flow, if that can be aborted, so that the peer learns of it. It aborts the flow as well if its scope is
 * cancelled, or the flow has not taken all that was written: a part must not look whole. A flow that
 * can be neither closed nor aborted is shut down.
 *
 * `'close'` is emitted, with whether there was an error, as soon as the stream is destroyed and the
 * callbacks of its writes have been called, as a socket of Node does it: a pool has its slot back
 * although the peer is slow. Only the switch waits until the flow has closed. Where the stream was
 * not given a function, others may own the flow, and close it after `'close'`: it is emitted then
 * when the close has begun, after at most 52 ms, in which the peer may show that it goes on sending.
 *
 * If the flow is yet to come, the stream is `connecting` until then, and `'connect'` follows; if
 * opening it fails, the stream is destroyed with that error. A function that opens the flow is called
 * at once, in the scope of the stream; when the stream is destroyed it is cancelled, and the switch
 * waits for it. Nothing waits for a promise then, since nothing here could end that, not even the end
 * of the switch. Either way, a flow that comes too late is closed.
 *
 * Errors have the `code`, `syscall`, `address` and `port` of Node's own (`ECONNREFUSED`, `ECONNRESET`,
 * `EPIPE`, `ETIMEDOUT`, `ENOTFOUND`), and the error of the flow as their `cause`. An `'error'` event
 * without a listener does not end the process.
 *
 * @param flow What carries the bytes, a promise of it, or a function that opens it. Only the stream uses it from now on.
 * @param options The owner, and how the stream ends.
 * @returns The stream. Its type is that of a `Socket`, so that clients take it without a cast. Of the
 * members that a socket adds to a `Duplex` it has those of {@linkcode SocketDuplex}.
 * @throws {TypeError} If `flow` is none of these, or `options.sw` is not a switch, or is finished.
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

  readonly #home: Home;
  /** Whether the stream opened the flow, and so alone closes it. */
  readonly #opens: boolean;
  readonly #promised: boolean;
  readonly #arriving: Promise<BridgedFlow>;
  readonly #gone: Promise<void>;
  #onGone = () => {};
  #source: LendingSource | undefined;
  #sink: Sink | undefined;
  /** Bytes of all writes that have begun. */
  #dispatched = 0;
  /** Bytes of the write that is under way. */
  #writing = 0;
  /** The same until its callback was called: by so much `writableLength` is larger than what waits. */
  #waitingForCallback = 0;
  #peerEnded = false;
  #resetting = false;
  /** Whether the switch has ended, without a failure. */
  #released = false;

  constructor(flow: Opening, { sw, allowHalfOpen = true }: ToDuplexOptions) {
    this.#home = new Home(sw);
    const duplex = new Duplex({
      allowHalfOpen,
      emitClose: false, // it is emitted here, with whether there was an error
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
    this.#opens = typeof flow === "function";
    this.#promised = flow instanceof Promise;
    this.#arriving = this.#arrive(flow);
    this.#arriving.catch((error) => this.#fail(nodeError(error, "connect")));
    const hook = this.#home.onRelease({ release: () => this.#endWithSwitch(), label: "duplex" });
    const forget = this.#home.onCancel("duplex", (reason) => this.#leave(reason));
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
    this.#home.call(() => nextTick(fn));
  }

  setOption(name: string, value: boolean | number): void {
    this.#arriving.then((flow) => flow.setOption?.(name, value)).catch(() => {});
  }

  reset(): void {
    this.#resetting = true;
    this.duplex.destroy();
  }

  async #arrive(flow: Opening): Promise<BridgedFlow> {
    // What is there is there at once, so that the stream is not connecting.
    if (typeof flow !== "function" && !(flow instanceof Promise)) return this.flow = flow;
    const late = await (typeof flow === "function" ? this.#home.run(async () => await flow()) : flow);
    checkMethods("make a stream", late, "a flow", ...flowMethods);
    this.flow = late;
    this.idle.touch();
    this.duplex.connect();
    this.later(() => {
      if (!this.duplex.isPaused()) this.#readAhead();
    });
    return late;
  }

  /** Begins to fill the buffer of the stream, whether it has a reader or not. */
  #readAhead(): void {
    this.#home.call(() => this.duplex.read(0));
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
      if (chunk === null) this.duplex.read(0); // so that 'end' comes without a reader
    });
  }

  /** One whose reads can be cancelled, even where those of the flow cannot. */
  #lender(flow: BridgedFlow): LendingSource {
    if (typeof flow[lend] === "function") return flow as LendingSource;
    return this.#source ??= this.#home.call(() => cancellableSource(flow));
  }

  #write(chunks: readonly Uint8Array[], done: Done): void {
    const size = this.#writing = this.#waitingForCallback = chunks.reduce((sum, chunk) => sum + sizeOf(chunk), 0);
    this.#dispatched += size;
    const whole = size >= this.duplex.writableLength; // which is how much there was when these were written
    this.#run("write", async (flow) => {
      if (!whole) throw vanished("write");
      await writeAll(size > writeLimit ? this.#watchedSink(flow) : flow, ...chunks);
      this.#writing = 0;
    }, (error) => {
      this.#waitingForCallback = 0;
      done(error);
    });
  }

  /** The flow as a sink each of whose writes is activity. */
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
   * Runs an operation at home, now if the flow is there. What follows is a turn of its own, so that what
   * it throws does not end up here.
   */
  #run(syscall: SystemCall, operation: (flow: BridgedFlow) => Promise<void>, done: Done): void {
    const ended = (error?: Error) => {
      this.idle.touch();
      this.later(() => done(error));
    };
    this.idle.touch();
    this.#home.run(async () => await operation(this.flow ?? await interruptible(this.#arriving))).then(
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
    this.#home.call(() => this.duplex.destroy(error));
  }

  async #endWithSwitch(): Promise<void> {
    this.#released = true;
    if (this.#hasWaiting) await this.#goneOut();
    const error = new ClosedError("use the stream", "its switch has ended");
    this.#leave(Object.assign(error, { code: "ERR_STREAM_DESTROYED" }));
    await this.#gone;
  }

  /** Whether something that was written, or the end, waits for the flow to take it. */
  get #hasWaiting(): boolean {
    const { writableLength, writableEnded, writableFinished, destroyed } = this.duplex;
    return this.flow !== undefined && !destroyed && (writableLength > 0 || writableEnded && !writableFinished);
  }

  /** Waits until the flow has taken everything, or the stream is destroyed, or the time for that is over. */
  async #goneOut(): Promise<void> {
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      timer = startTimer(linger, resolve);
      const done = () => resolve();
      this.#gone.then(done);
      if (this.duplex.writableEnded) finished(this.duplex, { readable: false }, done);
      else this.#home.call(() => this.duplex.write(nothing, done));
    });
    timer?.stop();
  }

  /**
   * Destroys the stream because its home ends. To a client that has ended it, and only waits for the
   * close, that is not an error.
   */
  #leave(reason: Error): void {
    if (this.duplex.writableEnded) this.#home.call(() => this.duplex.destroy());
    else this.#fail(reason);
  }

  #destroy(error: Error | null, done: Done): void {
    this.idle.stop();
    // Not awaited: an operation of a foreign flow may settle only when the flow is closed.
    this.#home.stop(error ?? new ClosedError("use the stream", "it was destroyed"));
    const waiting = this.duplex.writableLength - this.#waitingForCallback;
    this.#home.end(() => this.#closeOrLeave(error, waiting)).then(
      () => {
        this.#onGone();
        this.#closeSoon(error !== null);
      },
      (failure) => {
        this.#onGone();
        if (error !== null || this.closed) return this.#closeSoon(true); // the error was told, or it is too late
        this.later(() => this.duplex.emit("error", nodeError(failure, "shutdown")));
        this.#emitClose(true);
      },
    );
    if (this.#opens) this.#closeSoon(error !== null);
    this.#home.call(() => done(error));
  }

  /** Emits 'close' as a socket of Node does: after the callbacks of writes, whatever the peer does. */
  #closeSoon(hadError: boolean): void {
    this.#home.call(() => macrotask(() => this.#emitClose(hadError)));
  }

  #emitClose(hadError: boolean): void {
    if (this.closed) return;
    this.closed = true;
    // A turn of its own, for a listener of 'error' may throw.
    this.later(() => this.duplex.emit("close", hadError));
  }

  /** Closes the flow, or, where only a promise of it is there, leaves that to when it comes. */
  async #closeOrLeave(error: Error | null, waiting: number): Promise<void> {
    const closing = this.#close(error, waiting);
    if (this.flow !== undefined || !this.#promised) return await closing;
    closing.catch(() => {}); // it is too late to tell the user of the stream
  }

  async #close(error: Error | null, waiting: number): Promise<void> {
    let flow: BridgedFlow;
    try {
      flow = await this.#arriving;
    } catch {
      return; // there is nothing to close, and the stream is destroyed with that error
    }
    await new Promise<void>((resolve) => nextTick(resolve)); // by then it is known what the flow has taken
    if (typeof flow.abort === "function" && await this.#mustAbort(flow, error, waiting)) {
      flow.abort(error ?? undefined);
    }
    // Not earlier: the owner of a flow could close it then, instead of aborting it.
    this.#closeSoon(error !== null);
    await (typeof flow.close === "function" ? flow.close() : flow.shutdown("all"));
  }

  /** Whether the peer must learn that it is cut off, or that it did not get everything. */
  async #mustAbort(flow: BridgedFlow, error: Error | null, waiting: number): Promise<boolean> {
    if (this.#resetting || error instanceof Cancelled || waiting + this.#writing > 0) return true;
    if (this.#peerEnded || this.duplex.writableFinished || this.#released) return false;
    try {
      return await awaitReaction(flow, this.#lender(flow)) === "input";
    } catch (failure) {
      return failure instanceof Cancelled; // or it is broken, and closing it is all that is left
    }
  }
}

/** The true size of a chunk. What is not bytes is refused when it is written. */
function sizeOf(chunk: Uint8Array): number {
  return isBytes(chunk) ? lengthOf(chunk) : 0;
}
