// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  bufferSink,
  BusyError,
  bytesSource,
  type ClosableSink,
  ClosedError,
  copy,
  copyString,
  fromReadableStream,
  fromWritableStream,
  pipe,
  readAll,
  stringSource,
  toReadableStream,
  toWritableStream,
  withBufWriter,
  writeAll,
} from "../../../flow/mod.ts";
import { give, lend } from "../../../flow/provider.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { both, Cancelled, Switch } from "../../../switch/mod.ts";
import { describeData } from "../../../base/_text.ts";
import { bytesOf, inCancelledScope, readText, turns } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { attempt, cancelling } from "../_helpers.ts";

/** A stream whose controller the test holds. */
function openStream(): { stream: ReadableStream<Uint8Array>; controller: ReadableStreamDefaultController<Uint8Array> } {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  return { stream, controller: controller as ReadableStreamDefaultController<Uint8Array> };
}

test("fromReadableStream() reads a Blob", async () => {
  const size = 1_000_000;
  const blob = new Blob([pattern(0, size)]);
  assertEquals(await readAll(fromReadableStream(blob.stream())), pattern(0, size));
});

test("fromReadableStream() reads what fetch gives", async () => {
  const size = 1_000_000;
  const server = createServer((_, response) => response.end(pattern(0, size)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { body } = await fetch(`http://127.0.0.1:${port}/`);
  assertEquals(await readAll(fromReadableStream(body as ReadableStream<Uint8Array>)), pattern(0, size));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("fromReadableStream() that is closed early lets go of what fetch gives", async () => {
  const closed = Promise.withResolvers<void>();
  const server = createServer((_, response) => {
    response.on("close", closed.resolve).on("error", () => {});
    const write = (): unknown => response.destroyed || response.write(new Uint8Array(100_000), write);
    write();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { body } = await fetch(`http://127.0.0.1:${port}/`);
  await using source = fromReadableStream(body as ReadableStream<Uint8Array>);
  await source.read(new Uint8Array(10));
  await source.close();
  await closed.promise;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("fromReadableStream() asks for nothing before the first read", async () => {
  let pulls = 0;
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => controller.enqueue(Uint8Array.of(pulls++));
  const source = fromReadableStream(new ReadableStream({ pull }, { highWaterMark: 0 }));
  await turns(3);
  assertEquals(pulls, 0);
  await source.read(new Uint8Array(1));
  await turns(3);
  assertEquals(pulls, 1);
});

test("fromReadableStream() leaves what a cancelled read asked for to the next reader", async () => {
  const { stream, controller } = openStream();
  const source = fromReadableStream(stream);
  const buffer = new Uint8Array(9);
  await cancelling(() => source.read(buffer));
  controller.enqueue(bytesOf("foo"));
  controller.close();
  await turns(1);
  assertEquals(buffer, new Uint8Array(9));
  assertEquals(await readText(source), "foo");
});

test("fromReadableStream() throws the stream's error, again and again", async () => {
  const error = new Error("Cannot stream");
  const { stream, controller } = openStream();
  const source = fromReadableStream(stream);
  const reading = source.read(new Uint8Array(1));
  controller.error(error);
  assertStrictEquals(await reading.catch((thrown) => thrown), error);
  assertStrictEquals(await source.read(new Uint8Array(1)).catch((thrown) => thrown), error);
  await source.close();
});

test("fromReadableStream() that is not read causes no unhandled rejection when the stream errors", async () => {
  const { stream, controller } = openStream();
  fromReadableStream(stream);
  controller.error(new Error("Cannot stream"));
  await turns(2);
});

test("fromReadableStream() of a stream of texts fails the read with a TypeError", async () => {
  const source = fromReadableStream(new Blob(["a"]).stream().pipeThrough(new TextDecoderStream()) as never);
  await assertRejects(() => source.read(new Uint8Array(1)), TypeError, "must be a Uint8Array");
});

test("fromReadableStream() and fromWritableStream() of a locked stream are a TypeError", () => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  fromReadableStream(readable);
  fromWritableStream(writable);
  assertThrows(() => fromReadableStream(readable), TypeError, "locked");
  assertThrows(() => fromWritableStream(writable), TypeError, "locked");
});

test("fromReadableStream() lends to keep only what a byte stream gave", async () => {
  const keeps: boolean[] = [];
  const { stream, controller } = openStream();
  controller.enqueue(bytesOf("foo"));
  for (const each of [toReadableStream(bytesSource(bytesOf("foo"))), stream]) {
    await fromReadableStream(each)[lend]((bytes, keep) => {
      keeps.push(keep);
      return Promise.resolve(bytes.length);
    });
  }
  assertEquals(keeps, [true, false]);
});

test("fromReadableStream() that is closed cancels the stream, and wakes the read that waits", async () => {
  let cancelled = 0;
  const source = fromReadableStream(new ReadableStream({ cancel: () => void cancelled++ }));
  const reading = source.read(new Uint8Array(1)).catch((error) => error);
  await Promise.all([source.close(), source.close()]);
  assertInstanceOf(await reading, ClosedError);
  await assertRejects(() => source.read(new Uint8Array(1)), ClosedError);
  assertEquals(cancelled, 1);
});

test("fromReadableStream() that is closed throws what cancelling the stream throws", async () => {
  const error = new Error("Cannot cancel");
  const source = fromReadableStream(new ReadableStream({ cancel: () => Promise.reject(error) }));
  assertStrictEquals(await source.close().catch((thrown) => thrown), error);
});

test("fromReadableStream() pulls in the scope in which it was made", async () => {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array>();
  const [a, b] = pipe();
  const source = fromReadableStream(toReadableStream(a).pipeThrough({ readable, writable }));
  await cancelling(() => source.read(new Uint8Array(1)), () => turns(1));
  await copyString("hello", b);
  await b.close();
  assertEquals(await readText(source), "hello");
});

test("fromWritableStream() waits until the stream is ready, and a cancelled write has taken nothing", async () => {
  const chunks: string[] = [];
  const { promise: go, resolve } = Promise.withResolvers<void>();
  const sink = fromWritableStream(
    new WritableStream({
      write(chunk) {
        chunks.push(new TextDecoder().decode(chunk));
        return go;
      },
    }),
  );
  assertEquals(await sink.write(bytesOf("one")), 3);
  assertEquals(await attempt(() => sink.write(bytesOf("two"))), undefined);
  const three = sink.write(bytesOf("three"));
  await assertRejects(() => sink.write(bytesOf("four")), BusyError);
  resolve();
  assertEquals(await three, 5);
  await sink.close();
  assertEquals(chunks, ["one", "three"]);
});

test("fromWritableStream() gives the stream a copy of what is written, of at most 64 KiB", async () => {
  const chunks: Uint8Array[] = [];
  const sink = fromWritableStream(new WritableStream({ write: (chunk) => void chunks.push(chunk) }));
  const bytes = pattern(0, 100_000);
  assertEquals(await sink.write(bytes), 65_536);
  bytes.fill(0);
  await sink.close();
  assertEquals(chunks, [pattern(0, 65_536)]);
});

test("fromWritableStream() joins what is given in one copy, of at most 64 KiB", async () => {
  const chunks: Uint8Array[] = [];
  const sink = fromWritableStream(new WritableStream({ write: (chunk) => void chunks.push(chunk) }));
  const bytes = pattern(0, 100_000);
  assertEquals(await sink[give]([bytesOf("one"), bytesOf("two"), new Uint8Array(0), bytesOf("three")]), 11);
  assertEquals(await sink[give]([bytes.subarray(0, 10), bytes.subarray(10), bytes]), 65_536);
  await sink.close();
  bytes.fill(0);
  assertEquals(chunks, [bytesOf("onetwothree"), pattern(0, 65_536)]);
});

/** A stream that transfers the memory of its chunks, and the text that arrived there. */
async function transferring(): Promise<{ sink: ClosableSink; text: Promise<string> }> {
  let controller: ReadableByteStreamController | undefined;
  const readable = new ReadableStream({ type: "bytes", start: (given) => void (controller = given) });
  const sink = fromWritableStream(
    new WritableStream({
      write: (chunk) => controller?.enqueue(chunk),
      close: () => controller?.close(),
    }),
  );
  await turns(1); // from now on the stream processes a chunk in the same turn
  return { sink, text: readText(fromReadableStream(readable)) };
}

test("fromWritableStream() counts what it wrote, though the stream transfers its chunks", async () => {
  const { sink, text } = await transferring();
  const bytes = bytesOf("hello");
  assertEquals(await sink.write(bytes), 5);
  assertEquals(await sink[give]([bytes, bytes]), 10);
  await sink.close();
  assertEquals(bytes.length, 5);
  assertEquals(await text, "hellohellohello");
});

test("copy() into fromWritableStream() counts what it copied, though the stream transfers its chunks", async () => {
  const { sink, text } = await transferring();
  const [a, b] = pipe();
  const all = "0123456789".repeat(20_000);
  const [, copied] = await both(async () => {
    await copy(stringSource(all), a);
    await a.close();
  }, () => copy(b, sink));
  await sink.close();
  assertEquals(copied, all.length);
  assertEquals(await text, all);
});

test("withBufWriter() goes on with its buffer, though fromWritableStream()'s stream transfers its chunks", async () => {
  const { sink, text } = await transferring();
  await withBufWriter(sink, async (w) => {
    for (let i = 0; i < 3; i++) {
      w.string("one,");
      w.schedule(bytesOf("two,"));
      w.string("three;");
      await w.flush();
    }
  });
  await sink.close();
  assertEquals(await text, "one,two,three;".repeat(3));
});

test("fromWritableStream() takes no more than the stream holds", async () => {
  const { readable, writable } = new CompressionStream("gzip");
  const sink = fromWritableStream(writable);
  const source = fromReadableStream(readable);
  let written = 0;
  const random = crypto.getRandomValues(new Uint8Array(65_536));
  for (let refused = 0; refused < 3;) {
    const count = await attempt(() => sink.write(random));
    if (count === undefined) refused++;
    else written += count;
    assert(written < 4_000_000, `${written} bytes were taken`);
  }
  const [, packed] = await both(() => sink.close(), () => readAll(source));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  assertEquals((await readAll(fromReadableStream(unpacked))).length, written);
});

test("fromWritableStream() carries much data through a transformation", async () => {
  const size = 1_000_000;
  const { readable, writable } = new DecompressionStream("gzip");
  const sink = fromWritableStream(writable);
  const packed = toReadableStream(bytesSource(pattern(0, size))).pipeThrough(new CompressionStream("gzip"));
  const [, unpacked] = await both(async () => {
    await copy(fromReadableStream(packed), sink);
    await sink.close();
  }, () => readAll(fromReadableStream(readable)));
  assertEquals(unpacked, pattern(0, size));
});

test("fromWritableStream() throws the stream's error, again and again, and close() does not repeat it", async () => {
  const error = new Error("Cannot store");
  const sink = fromWritableStream(new WritableStream({ write: () => Promise.reject(error) }));
  const thrown = await writeAll(sink, new Uint8Array(200_000)).catch((thrown) => thrown);
  assertStrictEquals(thrown, error);
  assertStrictEquals(await sink.write(bytesOf("again")).catch((thrown) => thrown), error);
  await sink.close();
});

test("fromWritableStream() that is closed throws what the stream did with what was taken", async () => {
  const error = new Error("Cannot store");
  const storing = fromWritableStream(new WritableStream({ write: () => Promise.reject(error) }));
  await storing.write(bytesOf("hello"));
  assertStrictEquals(await storing.close().catch((thrown) => thrown), error);
  const closing = fromWritableStream(new WritableStream({ close: () => Promise.reject(error) }));
  assertStrictEquals(await closing.close().catch((thrown) => thrown), error);
});

test("fromWritableStream() that is closed wakes the write that waits, and waits for what was taken", async () => {
  const log: string[] = [];
  const { promise: go, resolve } = Promise.withResolvers<void>();
  const sink = fromWritableStream(
    new WritableStream({
      async write() {
        await go;
        log.push("written");
      },
      close: () => void log.push("ended"),
    }),
  );
  await sink.write(bytesOf("one"));
  const two = sink.write(bytesOf("two")).catch((error) => error);
  await turns(1);
  const closing = Promise.all([sink.close(), sink.close()]).then(() => log.push("closed"));
  assertInstanceOf(await two, ClosedError);
  await turns(1);
  assertEquals(log, []);
  resolve();
  await closing;
  assertEquals(log, ["written", "ended", "closed"]);
});

/** A slow stream, and the reason or chunk that it received last. */
function slowStream(): { stream: WritableStream<Uint8Array<ArrayBuffer>>; told: Promise<unknown> } {
  const { promise: told, resolve: tell } = Promise.withResolvers<unknown>();
  const stream = new WritableStream<Uint8Array<ArrayBuffer>>({
    write: (_, controller) => {
      const { signal } = controller as WritableStreamDefaultController & { signal: AbortSignal };
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
    close: () => tell("closed"),
    abort: tell,
  });
  return { stream, told };
}

test("fromWritableStream() that is aborted tells the stream why", async () => {
  const { stream, told } = slowStream();
  const sink = fromWritableStream(stream);
  await sink.write(bytesOf("one"));
  sink.abort("enough");
  await sink.close();
  assertEquals(await told, "enough");
  await assertRejects(() => sink.write(bytesOf("two")), ClosedError);
});

test("fromWritableStream() that is closed in a cancelled scope is aborted", async () => {
  const { stream, told } = slowStream();
  await inCancelledScope(() => fromWritableStream(stream).close());
  assertInstanceOf(await told, Cancelled);
});

test("fromWritableStream() whose close is cancelled is aborted", async () => {
  const { stream, told } = slowStream();
  const sink = fromWritableStream(stream);
  await sink.write(bytesOf("one"));
  await attempt(() => sink.close());
  assertInstanceOf(await told, Cancelled);
});

test("fromWritableStream() of a switch that has failed is aborted", async () => {
  const { stream, told } = slowStream();
  const error = new Error("Cannot go on");
  const failed = Switch.run(async (sw) => {
    const sink = sw.use(fromWritableStream(stream));
    await sink.write(bytesOf("one"));
    throw error;
  });
  assertStrictEquals(await failed.catch((thrown) => thrown), error);
  assertInstanceOf(await told, Cancelled);
});

/** A sink whose stream never finishes its first chunk, and takes no more. */
async function stuckSink(): Promise<ClosableSink> {
  const { promise: never } = Promise.withResolvers<void>();
  const sink = fromWritableStream(new WritableStream({ write: () => never }));
  await sink.write(bytesOf("one"));
  assertEquals(await attempt(() => sink.write(bytesOf("two"))), undefined);
  return sink;
}

test("fromWritableStream() that is stuck can be aborted, before it is closed and meanwhile", async () => {
  const one = await stuckSink();
  one.abort();
  await one.close();
  const other = await stuckSink();
  const closing = other.close();
  await turns(1);
  other.abort();
  await closing;
});

test("fromWritableStream() that is stuck is given up where its close is cancelled", async () => {
  const sink = await stuckSink();
  await attempt(() => sink.close());
  await sink.close();
});

test("fromWritableStream() that is stuck does not hold up the switch that failed", async () => {
  const error = new Error("Cannot go on");
  const failed = Switch.run(async (sw) => {
    sw.use(await stuckSink());
    await using _ = await stuckSink();
    sw.fail(error);
  });
  assertStrictEquals(await failed.catch((thrown) => thrown), error);
});

test("fromWritableStream() of a transformation that is not read can be aborted", async () => {
  for (const { writable } of [new CompressionStream("gzip"), new TransformStream<Uint8Array<ArrayBuffer>>()]) {
    const sink = fromWritableStream(writable);
    const random = crypto.getRandomValues(new Uint8Array(65_536));
    await attempt(async () => {
      while (true) await sink.write(random);
    });
    await attempt(() => sink.close());
    await sink.close();
  }
});

test("fromReadableStream() of anything but a ReadableStream is a TypeError", () => {
  for (const wrong of [undefined, {}, new WritableStream()]) {
    const text = `Cannot make a source of ${describeData(wrong)}: must be a ReadableStream`;
    assertThrows(() => fromReadableStream(wrong as never), TypeError, text);
  }
});

test("fromWritableStream() of anything but a WritableStream is a TypeError", () => {
  for (const wrong of [undefined, {}, new ReadableStream()]) {
    const text = `Cannot make a sink of ${describeData(wrong)}: must be a WritableStream`;
    assertThrows(() => fromWritableStream(wrong as never), TypeError, text);
  }
});

test("fromWritableStream() writes in the scope in which it was made", async () => {
  const [a, b] = pipe({ capacity: 3 });
  const sink = fromWritableStream(toWritableStream(a));
  const write = async () => {
    for (let i = 0; i < 3; i++) await sink.write(bytesOf("foo"));
  };
  await cancelling(write, () => turns(1));
  const [text] = await both(() => readText(b), () => sink.close());
  assertEquals(text, "foofoo");
});

test("fromReadableStream() and fromWritableStream() pass a flow's bytes through web streams and back", async () => {
  const size = 300_000;
  const sink = bufferSink();
  const there = fromWritableStream(toWritableStream(sink));
  await copy(fromReadableStream(toReadableStream(bytesSource(pattern(0, size)))), there);
  await there.close();
  assertEquals(sink.bytes(), pattern(0, size));
});
