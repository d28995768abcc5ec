// Copyright 2026 the Sluice authors. MIT license.

/** Web streams of sources and sinks that their maker can end, also while they are locked. */
import {
  BridgeScope,
  cancellableSource,
  checkSink,
  checkSource,
  isBytes,
  lendOne,
  lends,
  lengthOf,
  type Sink,
  type Source,
  type TwoWay,
  vanished,
  writeAll,
  writeLimit,
} from "../internal.ts";

/** A stream of a source, and what only its maker may do. */
export interface ControlledReadable {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Ends the stream, or fails it with `failure`. Settles when the read in progress has ended; that
   * read takes nothing.
   */
  end(failure?: { readonly error: unknown }): Promise<void>;
}

/** A stream of a sink, and what only its maker may do. */
export interface ControlledWritable {
  readonly stream: WritableStream<Uint8Array>;
  /** How many chunks were queued and not written as a whole, including those that failed. */
  readonly unwritten: number;
  /** Settles when what is queued now was written, or the stream has failed. */
  drained(): Promise<void>;
  /** Fails the stream with `error`. Settles when the write in progress has ended. */
  fail(error: unknown): Promise<void>;
}

/** Makes the stream of `toReadableStream`. */
export function controlledReadable(source: Source): ControlledReadable {
  checkSource("make a stream of", source);
  const scope = new BridgeScope();
  const lender = lends(source) ? source : cancellableSource(source);
  let ended = false;
  let control: ReadableByteStreamController;
  const close = () => {
    control.close();
    control.byobRequest?.respond(0);
  };
  const stream: ReadableStream<Uint8Array<ArrayBuffer>> = new ReadableStream({
    type: "bytes",
    start(controller) {
      control = controller;
    },
    async pull(controller) {
      const taken = await scope.run(() =>
        lendOne(lender, (bytes) => {
          if (ended) return 0;
          const request = controller.byobRequest;
          const view = request?.view as Uint8Array | null | undefined;
          const size = Math.min(bytes.length, view?.length ?? writeLimit);
          const chunk = bytes.subarray(0, size);
          // A default reader gets a buffer of exactly the size of the chunk.
          if (view === null || view === undefined) controller.enqueue(new Uint8Array(chunk));
          else {
            view.set(chunk);
            request?.respond(size);
          }
          return size;
        })
      );
      if (taken !== null || ended) return;
      ended = true;
      close();
    },
    cancel(reason) {
      ended = true;
      return scope.stop(reason);
    },
  });
  return {
    stream,
    end(failure) {
      const first = !ended;
      ended = true;
      if (failure !== undefined) control.error(failure.error);
      else if (first) closeOrFail(control, close);
      return scope.stop(failure?.error);
    },
  };
}

/** Closes a stream, which fails if it has errored, or a view of a reader is filled partly. */
function closeOrFail(control: ReadableByteStreamController, close: () => void): void {
  try {
    close();
  } catch (error) {
    control.error(error);
  }
}

/** Makes the stream of `toWritableStream`. */
export function controlledWritable(sink: Sink): ControlledWritable {
  checkSink("make a stream of", sink);
  const scope = new BridgeScope();
  let errorStream = (_: unknown) => {};
  let forget = () => {};
  let queued = 0;
  let written = 0;
  let over = false; // closed or failed
  let failure: { readonly error: unknown } | undefined;
  const sizes: number[] = []; // of the queued chunks, whose memory may vanish meanwhile
  const waiting: (() => void)[] = [];
  const wake = () => waiting.splice(0).forEach((each) => each());
  const finish = () => {
    over = true;
    forget(); // the stream calls no other method
    wake();
  };
  const perform = async (operation: () => Promise<void>) => {
    try {
      await scope.run(operation);
    } catch (error) {
      finish();
      throw failure === undefined ? error : failure.error; // not the cancellation that it caused
    }
  };
  const stream = new WritableStream<Uint8Array>({
    start(controller) {
      errorStream = (reason) => controller.error(reason);
      // Some runtimes' types lack it.
      const { signal } = controller as WritableStreamDefaultController & { readonly signal: AbortSignal };
      signal.addEventListener("abort", () => scope.stop(signal.reason), { once: true });
    },
    async write(chunk) {
      await perform(() => writeChunk(sink, chunk, sizes.shift()));
      written++;
      wake();
    },
    async close() {
      queued = written; // what a writer offered since then was refused
      if (isTwoWay(sink)) await perform(() => sink.shutdown("send"));
      finish();
    },
    abort: finish,
  }, {
    highWaterMark: 1,
    size(chunk) { // called when the chunk is queued
      if (!over) queued++;
      sizes.push(isBytes(chunk) ? lengthOf(chunk) : 0);
      return 1;
    },
  });
  const fail = (error: unknown) => {
    failure ??= { error };
    errorStream(error);
    finish();
  };
  forget = scope.onCancelOf(stream, fail);
  return {
    stream,
    get unwritten() {
      return queued - written;
    },
    async drained() {
      for (const goal = queued; written < goal && !over;) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    fail(error) {
      fail(error);
      return scope.stop(error);
    },
  };
}

/** Writes all of a chunk, whose size was recorded when it was queued. */
async function writeChunk(sink: Sink, chunk: Uint8Array, size: number | undefined): Promise<void> {
  if (isBytes(chunk) && lengthOf(chunk) !== size) throw vanished("write");
  await writeAll(sink, chunk);
}

function isTwoWay(sink: Sink): sink is TwoWay {
  return typeof (sink as Partial<TwoWay>).shutdown === "function";
}
