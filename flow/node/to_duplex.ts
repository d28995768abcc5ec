// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";
import { nextTick } from "node:process";
import { Duplex } from "node:stream";
import { Cancelled, interruptible, type Switch } from "../../switch/mod.ts";
import { checkMethods } from "../check.ts";
import { Home } from "../home.ts";
import { cancellableSource, ClosedError, lend, type LendingSource, type TwoWay, writeAll } from "../mod.ts";
import { bufferOf } from "./foreign.ts";
import { IdleTimer } from "./idle_timer.ts";
import { asSocket, type SocketDuplex, type SocketState } from "./socket_duplex.ts";

/** Options for {@linkcode toDuplex}. */
export interface ToDuplexOptions {
  /**
   * The switch that owns the stream. A client that opens connections when it needs them must name one, or the first
   * caller who needs a connection owns it. The flow, too, is to be opened by a function then, or that caller waits for it.
   *
   * @default {the switch in which the stream is made}
   */
  sw?: Switch | undefined;
  /**
   * Whether the stream can still be written to once the other side has ended. With `false` it ends itself then, and so
   * closes, as the sockets that clients make do, and some of them wait for it.
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
  abort?(): void;
  setOption?(name: string, value: boolean | number): void;
}

const flowMethods: readonly string[] = ["read", "write", "shutdown"];

type Done = (error?: Error | null) => void;

/**
 * A flow as a stream of Node, for clients and servers that take a socket: `pg`, `ioredis`, `undici`, `ws`, `node:http`.
 *
 * The stream does its I/O, and emits its events, in the scope in which it was made, or in that of `options.sw`: a caller
 * who gives up, because of a timeout say, does not break a connection that others share. When that scope is cancelled,
 * the stream is destroyed with the {@linkcode Cancelled}; when its switch ends, with a {@linkcode ClosedError}; and
 * without an error where it was ended before, for its client has done its part.
 *
 * Ending the stream ends the sending direction of the flow by `shutdown("send")`. When it is destroyed, also because both
 * directions have ended, it closes the flow, so that what the flow has taken goes out. Where its scope is cancelled, or the
 * flow has not taken all that was written, it aborts the flow, if that can be aborted: nobody is to take a part for the whole. A
 * flow that can be neither is shut down. `'close'` is emitted when that is done. Bytes that the stream has read ahead, at
 * most its `readableHighWaterMark` and one piece, are lost then.
 *
 * Where the flow is yet to come, the stream is `connecting` until then, and `'connect'` follows; if it does not come, the
 * stream is destroyed with that error. A function that opens the flow is called at once, in the scope of the stream; when
 * the stream is destroyed it is cancelled, and `'close'` waits for it. For a promise nothing waits then, since nothing here
 * could end that, not even the end of the switch. Either way, a flow that comes too late is closed.
 *
 * An `'error'` event without a listener does not end the process.
 *
 * @param flow What carries the bytes, a promise of it, or a function that opens it. Nobody else uses it from now on.
 * @param options Whose it is, and how it ends.
 * @returns The stream, with the members of a socket that clients use: see {@linkcode SocketDuplex}.
 * @throws {TypeError} When `flow` is none of these, or `options.sw` is no switch, or is finished.
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
  options: ToDuplexOptions = {},
): SocketDuplex {
  if (typeof flow !== "function" && !(flow instanceof Promise)) {
    checkMethods("make a stream", flow, "a flow, a promise of it, or a function that opens it", ...flowMethods);
  }
  return new Bridge(flow, options).duplex;
}

class Bridge implements SocketState {
  readonly duplex: SocketDuplex;
  readonly idle: IdleTimer = new IdleTimer(() => this.later(() => this.duplex.emit("timeout")));
  flow: BridgedFlow | undefined;
  bytesRead = 0;
  bytesWritten = 0;

  readonly #home: Home;
  readonly #promised: boolean;
  readonly #arriving: Promise<BridgedFlow>;
  readonly #gone: Promise<void>;
  #onGone = () => {};
  #source: LendingSource | undefined;
  /** Bytes of the write that is under way. */
  #writing = 0;

  constructor(flow: Opening, { sw, allowHalfOpen = true }: ToDuplexOptions) {
    this.#home = new Home(sw);
    const duplex = new Duplex({
      allowHalfOpen,
      read: () => this.#read(),
      write: (chunk, _, done) => this.#write([chunk], done),
      writev: (chunks, done) => this.#write(chunks.map(({ chunk }) => chunk), done),
      final: (done) => this.#run((flow) => flow.shutdown("send"), done),
      destroy: (error, done) => this.#destroy(error, done),
    });
    duplex.on("error", () => {});
    this.duplex = asSocket(duplex, this);
    this.#gone = new Promise((resolve) => this.#onGone = resolve);
    this.#promised = flow instanceof Promise;
    this.#arriving = this.#arrive(flow);
    this.#arriving.catch((error) => this.#fail(error));
    const hook = this.#home.onRelease({ release: () => this.#endWithSwitch(), label: "duplex" });
    const forget = this.#home.onCancel("duplex", (reason) => this.#leave(reason));
    this.#gone.then(() => {
      hook?.remove();
      forget();
    });
  }

  later(fn: () => void): void {
    this.#home.call(() => nextTick(fn));
  }

  setOption(name: string, value: boolean | number): void {
    this.#arriving.then((flow) => flow.setOption?.(name, value)).catch(() => {});
  }

  async #arrive(flow: Opening): Promise<BridgedFlow> {
    // What is there is there at once, so that the stream is not connecting.
    if (typeof flow !== "function" && !(flow instanceof Promise)) return this.flow = flow;
    const late = await (typeof flow === "function" ? this.#home.run(async () => await flow()) : flow);
    checkMethods("make a stream", late, "a flow", ...flowMethods);
    this.flow = late;
    this.duplex.connect();
    return late;
  }

  #read(): void {
    let chunk: Buffer | null = null;
    const take = (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => {
      chunk = keep ? bufferOf(bytes) : Buffer.from(bytes);
      this.bytesRead += bytes.length;
      return bytes.length;
    };
    this.#run(async (flow) => void await this.#lender(flow)[lend](take), (error) => {
      if (error) this.duplex.destroy(error);
      else if (!this.duplex.destroyed) this.duplex.push(chunk);
    });
  }

  /** One whose reads can be cancelled, even where those of the flow cannot. */
  #lender(flow: BridgedFlow): LendingSource {
    if (typeof flow[lend] === "function") return flow as LendingSource;
    return this.#source ??= this.#home.call(() => cancellableSource(flow));
  }

  #write(chunks: readonly Uint8Array[], done: Done): void {
    const size = this.#writing = chunks.reduce((sum, { length }) => sum + length, 0);
    this.#run(async (flow) => {
      await writeAll(flow, ...chunks);
      this.bytesWritten += size;
      this.#writing = 0;
    }, done);
  }

  /** Runs an operation at home, now if the flow is there. What follows is a turn of its own, so that what it throws does not end up here. */
  #run(operation: (flow: BridgedFlow) => Promise<void>, done: Done): void {
    const ended = (error?: Error) => {
      this.idle.touch();
      this.later(() => done(error));
    };
    this.idle.touch();
    this.#home.run(async () => await operation(this.flow ?? await interruptible(this.#arriving))).then(
      () => ended(),
      (e) => ended(asError(e)),
    );
  }

  #fail(reason: unknown): void {
    this.#home.call(() => this.duplex.destroy(asError(reason)));
  }

  #endWithSwitch(): Promise<void> {
    this.#leave(new ClosedError("use the stream", "its switch has ended"));
    return this.#gone;
  }

  /** Destroys the stream because its home ends. To a client that has ended it, and only waits for the close, that is no error. */
  #leave(reason: unknown): void {
    if (this.duplex.writableEnded) this.#home.call(() => this.duplex.destroy());
    else this.#fail(reason);
  }

  #destroy(error: Error | null, done: Done): void {
    this.idle.stop();
    // Not awaited: an operation of a foreign flow may settle only when the flow is closed.
    this.#home.stop(error ?? new ClosedError("use the stream", "it was destroyed"));
    const waiting = this.duplex.writableLength - this.#writing;
    const closed = (failure?: Error | null) => {
      this.#onGone();
      this.later(() => done(failure));
    };
    this.#home.call(() => this.#closeOrLeave(error, waiting)).then(
      () => closed(error),
      (failure) => closed(error ?? asError(failure)),
    );
  }

  /** Closes the flow, or, where only a promise of it is there, leaves that to when it comes. */
  async #closeOrLeave(error: Error | null, waiting: number): Promise<void> {
    const closing = this.#close(error, waiting);
    if (this.flow !== undefined || !this.#promised) return await closing;
    closing.catch(() => {}); // it is too late to tell anybody
  }

  async #close(error: Error | null, waiting: number): Promise<void> {
    let flow: BridgedFlow;
    try {
      flow = await this.#arriving;
    } catch {
      return; // there is nothing to close, and the stream is destroyed with that error
    }
    await new Promise<void>((resolve) => nextTick(resolve)); // by then it is known what the flow has taken
    const abort = error instanceof Cancelled || waiting + this.#writing > 0;
    if (abort && typeof flow.abort === "function") flow.abort();
    await (typeof flow.close === "function" ? flow.close() : flow.shutdown("all"));
  }
}

function asError(reason: unknown): Error {
  if (reason instanceof Error) return reason;
  return new Error(`Cannot use the stream: ${String(reason)}`, { cause: reason });
}
