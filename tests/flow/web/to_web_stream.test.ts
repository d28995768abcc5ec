// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  bufferSink,
  bytesSource,
  copyString,
  pipe,
  type PipeEnd,
  readAll,
  stringSource,
  toReadableStream,
  toWritableStream,
} from "../../../flow/mod.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { Cancelled, Switch } from "../../../switch/mod.ts";
import { bytesOf, collectGarbage, inCancelledScope, readText, turn, turns } from "../../_helpers.ts";
import { describeData } from "../../../base/_text.ts";
import { test } from "../../_test.ts";
import { foreignSource, shortSink } from "../_helpers.ts";

/** Calls `make` in a scope that lives until `cancel` is called. */
async function inScope<T>(make: () => T): Promise<{ made: T; cancel: () => Promise<void> }> {
  const reason = new Error("Cancelled by the test");
  const ready = Promise.withResolvers<[T, Switch]>();
  const ended = Switch.run(async (sw) => {
    ready.resolve([make(), sw]);
    await new Promise((resolve) => sw.signal.addEventListener("abort", resolve));
  });
  ended.catch(() => {});
  const [made, sw] = await ready.promise;
  const cancel = async () => {
    sw.fail(reason);
    assertStrictEquals(await ended.catch((error) => error), reason);
  };
  return { made, cancel };
}

/** Writes up to `size` bytes of the pattern, and counts them in `written`. */
function startWriter(end: PipeEnd, size: number): { written: number; done: Promise<void> } {
  const writer = { written: 0, done: Promise.resolve() };
  writer.done = (async () => {
    while (writer.written < size) {
      writer.written += await end.write(pattern(writer.written, Math.min(10_000, size - writer.written)));
    }
    await end.close();
  })();
  return writer;
}

test("toReadableStream() gives every byte, and then the end", async () => {
  assertEquals(await new Response(toReadableStream(stringSource("hello"))).text(), "hello");
  assertEquals(await new Response(toReadableStream(foreignSource("foo", "bar"))).text(), "foobar");
  assertEquals(await new Response(toReadableStream(stringSource(""))).text(), "");
});

test("toReadableStream() reads nothing before the first read", async () => {
  const source = foreignSource("foo", "bar");
  const reader = toReadableStream(source).getReader();
  await turns(3);
  assertEquals(source.reads, 0);
  assertEquals((await reader.read()).value, bytesOf("foo"));
  await turns(3);
  assertEquals(source.reads, 1);
});

test("toReadableStream() fills the buffer that a reader brings, and leaves the rest in the source", async () => {
  const source = stringSource("foobar");
  const reader = toReadableStream(source).getReader({ mode: "byob" });
  const { value } = await reader.read(new Uint8Array(4));
  assertEquals(value, bytesOf("foob"));
  await reader.cancel();
  assertEquals(await readText(source), "ar");
});

test("toReadableStream() ends for a reader that brings a buffer", async () => {
  const reader = toReadableStream(stringSource("foo")).getReader({ mode: "byob" });
  assertEquals((await reader.read(new Uint8Array(9))).value, bytesOf("foo"));
  for (let i = 0; i < 2; i++) {
    const { done, value } = await reader.read(new Uint8Array(9));
    assertEquals([done, value?.length], [true, 0]);
  }
});

test("toReadableStream() gives chunks of at most 64 KiB, in memory of their own", async () => {
  const bytes = pattern(0, 200_000);
  const reader = toReadableStream(bytesSource(bytes)).getReader();
  let at = 0;
  for (let chunk; (chunk = (await reader.read()).value) !== undefined; at += chunk.length) {
    assert(chunk.length <= 65_536);
    assertEquals(chunk.buffer.byteLength, chunk.length);
    assertEquals(chunk, pattern(at, chunk.length));
    chunk.fill(0);
  }
  assertEquals(at, 200_000);
  assertEquals(bytes, pattern(0, 200_000));
});

test("toReadableStream() stops the writer of a pipe while nothing is read", async () => {
  const [a, b] = pipe({ capacity: 1000 });
  const reader = toReadableStream(a).getReader();
  const writer = startWriter(b, 100_000);
  await turns(5);
  assertEquals(writer.written, 1000);
  let read = 0;
  for (let chunk; (chunk = (await reader.read()).value) !== undefined;) {
    read += chunk.length;
    assert(writer.written - read <= 2000, `${writer.written} written, ${read} read`);
  }
  assertEquals(read, 100_000);
  await writer.done;
});

test("toReadableStream() errors with what the source throws", async () => {
  const error = new Error("Cannot read");
  const reader = toReadableStream(foreignSource("foo", error)).getReader();
  await reader.read();
  assertStrictEquals(await reader.read().catch((thrown) => thrown), error);
  assertStrictEquals(await reader.closed.catch((thrown) => thrown), error);
});

test("toReadableStream() that is cancelled stops the read, and the source loses nothing", async () => {
  const [a, b] = pipe();
  const reader = toReadableStream(a).getReader();
  const reading = reader.read();
  await turn();
  await reader.cancel("enough");
  assertEquals((await reading).done, true);
  await copyString("hello", b);
  await b.close();
  assertEquals(await readText(a), "hello");
});

test("toReadableStream() that is cancelled when bytes arrive loses nothing", async () => {
  for (const before of [0, 1, 2, 3]) {
    const [a, b] = pipe();
    const reader = toReadableStream(a).getReader();
    const reading = reader.read();
    await copyString("hello", b);
    for (let i = 0; i < before; i++) await Promise.resolve();
    const cancelling = reader.cancel();
    const { value } = await reading;
    await cancelling;
    await b.close();
    assertEquals(new TextDecoder().decode(value) + await readText(a), "hello");
  }
});

test("toReadableStream() of a source that cannot be cancelled is cancelled at once", async () => {
  const { promise: never } = Promise.withResolvers<string>();
  const reader = toReadableStream(foreignSource(never)).getReader();
  const reading = reader.read();
  await turn();
  await reader.cancel();
  assertEquals((await reading).done, true);
});

test("toReadableStream() keeps what a reader asked for who has let go of the stream", async () => {
  const [a, b] = pipe();
  const stream = toReadableStream(a);
  const reader = stream.getReader();
  const reading = reader.read();
  await turn();
  reader.releaseLock();
  await assertRejects(() => reading, TypeError);
  await copyString("hello", b);
  assertEquals((await stream.getReader().read()).value, bytesOf("hello"));
});

test("toReadableStream() closes nothing at its end", async () => {
  const [a, b] = pipe();
  await copyString("ping", b);
  await b.shutdown("send");
  assertEquals(await new Response(toReadableStream(a)).text(), "ping");
  await copyString("pong", a);
  await a.close();
  assertEquals(await readText(b), "pong");
});

test("toReadableStream() errors with Cancelled when the scope in which it was made is cancelled", async () => {
  const [a, b] = pipe();
  const { made: reader, cancel } = await inScope(() => toReadableStream(a).getReader());
  const reading = reader.read();
  await turn();
  const [thrown] = await Promise.all([reading.catch((error) => error), cancel()]);
  assertInstanceOf(thrown, Cancelled);
  await copyString("hello", b);
  await b.close();
  assertEquals(await readText(a), "hello");
});

test("toReadableStream() with no pending read errors at the next read when its scope was cancelled", async () => {
  const { made: stream, cancel } = await inScope(() => toReadableStream(stringSource("hello")));
  await cancel();
  // The scope has ended; what runs there now is outside any scope.
  assertEquals(await new Response(stream).text(), "hello");
  await inCancelledScope(async () => {
    const reader = toReadableStream(stringSource("hello")).getReader();
    await assertRejects(() => reader.read(), Cancelled);
  });
});

test("toReadableStream() does not mind that its reader is cancelled", async () => {
  const reader = toReadableStream(stringSource("hello")).getReader();
  await inCancelledScope(async () => assertEquals((await reader.read()).value, bytesOf("hello")));
});

test("toReadableStream() goes through CompressionStream and DecompressionStream", async () => {
  const size = 1_000_000;
  const packed = toReadableStream(bytesSource(pattern(0, size))).pipeThrough(new CompressionStream("gzip"));
  const sink = bufferSink();
  await packed.pipeThrough(new DecompressionStream("gzip")).pipeTo(toWritableStream(sink));
  assertEquals(sink.bytes(), pattern(0, size));
});

test("toReadableStream() goes through TextDecoderStream", async () => {
  const source = foreignSource(Uint8Array.of(0x67, 0xc3), Uint8Array.of(0xbc, 0x6e));
  const texts: string[] = [];
  for await (const text of toReadableStream(source).pipeThrough(new TextDecoderStream())) texts.push(text);
  assertEquals(texts.join(""), "gün");
});

test("toReadableStream() can be split by tee()", async () => {
  const [one, other] = toReadableStream(foreignSource("foo", "bar")).tee();
  assertEquals(await Promise.all([new Response(one).text(), new Response(other).text()]), ["foobar", "foobar"]);
});

test("pipeTo() from toReadableStream() to toWritableStream() that is aborted takes no more", async () => {
  const [a, b] = pipe();
  const [c, d] = pipe();
  const controller = new AbortController();
  const piping = toReadableStream(a).pipeTo(toWritableStream(c), { signal: controller.signal });
  const failed = assertRejects(() => piping, Error, "enough");
  await copyString("0123456789", b);
  await d.read(new Uint8Array(5));
  await turn();
  controller.abort(new Error("enough"));
  await failed;
  await copyString("the rest", b);
  await Promise.all([b.close(), c.close()]);
  assertEquals(await readText(d), "56789");
  assertEquals(await readText(a), "the rest");
});

test("toWritableStream() has written a chunk when the sink has taken all of it", async () => {
  const sink = shortSink([1, 2]);
  const writer = toWritableStream(sink).getWriter();
  await writer.write(bytesOf("foobar"));
  assertEquals(sink.writes, ["f", "oo", "bar"]);
});

test("toWritableStream() makes its writer wait while the sink does", async () => {
  const [a, b] = pipe({ capacity: 10 });
  const writer = toWritableStream(a).getWriter();
  let written = 0;
  const writing = (async () => {
    for (let i = 0; i < 10; i++) {
      await writer.ready;
      await writer.write(pattern(written, 100));
      written += 100;
    }
    await writer.close();
  })();
  await turns(5);
  assertEquals([written, writer.desiredSize], [0, 0]);
  assertEquals(await readAll(b), pattern(0, 1000));
  await writing;
});

test("toWritableStream() that is closed ends the sending direction of a flow, and no more", async () => {
  const [a, b] = pipe();
  const writer = toWritableStream(a).getWriter();
  await writer.write(bytesOf("ping"));
  await writer.close();
  assertEquals(await readText(b), "ping");
  await copyString("pong", b);
  await b.close();
  assertEquals(await readText(a), "pong");
});

test("toWritableStream() that is closed ends nothing of a plain sink", async () => {
  const sink = bufferSink();
  await toWritableStream(sink).close();
  await copyString("more", sink);
  assertEquals(sink.text(), "more");
});

test("toWritableStream() that is aborted cancels the write that waits, and gives the other side no end", async () => {
  const [a, b] = pipe({ capacity: 3 });
  const writer = toWritableStream(a).getWriter();
  const writing = writer.write(bytesOf("foobar")).catch((error) => error);
  await turn();
  await writer.abort(new Error("Cannot go on"));
  assert(await writing instanceof Error);
  assertEquals(await b.read(new Uint8Array(9)), 3);
  await copyString("x", a);
  await a.close();
  assertEquals(await readText(b), "x");
});

test("toWritableStream() errors with what the sink throws", async () => {
  const error = new Error("Cannot write");
  const writer = toWritableStream(shortSink([1], error)).getWriter();
  const closed = writer.closed.catch((thrown) => thrown);
  assertStrictEquals(await writer.write(bytesOf("foo")).catch((thrown) => thrown), error);
  assertStrictEquals(await closed, error);
});

test("toWritableStream() errors with a TypeError for a chunk that is not a Uint8Array", async () => {
  const writer = toWritableStream(bufferSink()).getWriter();
  writer.closed.catch(() => {});
  await assertRejects(() => writer.write("foo" as unknown as Uint8Array), TypeError, "must be a Uint8Array");
});

test("toWritableStream() errors at once when the scope in which it was made is cancelled", async () => {
  const { made: writer, cancel } = await inScope(() => toWritableStream(bufferSink()).getWriter());
  const [thrown] = await Promise.all([writer.closed.catch((error) => error), cancel()]);
  assertInstanceOf(thrown, Cancelled);
});

test("toWritableStream() cancels the write that waits when its scope is cancelled", async () => {
  const [a, b] = pipe({ capacity: 3 });
  const { made: writer, cancel } = await inScope(() => toWritableStream(a).getWriter());
  writer.closed.catch(() => {});
  const writing = writer.write(bytesOf("foobar")).catch((error) => error);
  await turn();
  await cancel();
  assertInstanceOf(await writing, Cancelled);
  await a.close();
  assertEquals(await readText(b), "foo");
});

test("toWritableStream() that is made in a cancelled scope has errored", () =>
  inCancelledScope(async () => {
    await assertRejects(() => toWritableStream(bufferSink()).getWriter().closed, Cancelled);
  }));

test("toWritableStream() does not mind that its writer is cancelled", async () => {
  const sink = bufferSink();
  const writer = toWritableStream(sink).getWriter();
  await inCancelledScope(() => writer.write(bytesOf("hello")));
  assertEquals(sink.text(), "hello");
});

test("toWritableStream() outlives the switch in which it was made, if that ends well", async () => {
  const sink = bufferSink();
  const writer = await Switch.run(() => toWritableStream(sink).getWriter());
  await writer.write(bytesOf("hello"));
  await writer.close();
  assertEquals(sink.text(), "hello");
});

/** Runs `fn` in a scope, collects garbage, and then cancels that scope. */
async function collectedAndCancelled(fn: () => Promise<unknown>): Promise<void> {
  const reason = new Error("Cancelled by the test");
  const ended = Switch.run(async (sw) => {
    sw.fork(fn);
    for (let round = 0; round < 10; round++) {
      await turn();
      collectGarbage();
    }
    sw.fail(reason);
  });
  assertStrictEquals(await ended.catch((error) => error), reason);
}

test("toWritableStream() that is neither closed nor aborted is let go of, though its scope lives", async () => {
  await Switch.run(async () => {
    const streams: WeakRef<object>[] = [];
    for (let i = 0; i < 1000; i++) {
      const stream = toWritableStream(bufferSink());
      streams.push(new WeakRef(stream));
      await new Blob(["abc"]).stream().pipeTo(stream, { preventClose: true });
    }
    const isMostlyGone = () => streams.filter((stream) => stream.deref() === undefined).length > streams.length / 2;
    for (let round = 0; round < 100 && !isMostlyGone(); round++) {
      await turn(); // until then the streams swept last are retained
      collectGarbage();
    }
    assert(isMostlyGone());
  });
});

test("toWritableStream() of which only a promise is left errors all the same", async () => {
  let thrown: unknown;
  await collectedAndCancelled(async () => {
    await toWritableStream(bufferSink()).getWriter().closed.catch((error) => thrown = error);
  });
  assertInstanceOf(thrown, Cancelled);
});

test("toWritableStream() among many others errors all the same", async () => {
  let broken = 0;
  const streams: WritableStream[] = [];
  await collectedAndCancelled(async () => {
    for (let i = 0; i < 100; i++) streams.push(toWritableStream(bufferSink()));
    const closed = streams.map((stream) =>
      stream.getWriter().closed.catch((error) => broken += +(error instanceof Cancelled))
    );
    await Promise.all(closed);
  });
  assertEquals(broken, 100);
});

test("toWritableStream() that was closed is broken by nothing", async () => {
  const { made: writer, cancel } = await inScope(() => toWritableStream(bufferSink()).getWriter());
  await writer.close();
  await cancel();
  await writer.closed;
});

test("toReadableStream() of what is not a source is a TypeError", () => {
  for (const wrong of [undefined, {}, "abc"]) {
    const text = `Cannot make a stream of ${describeData(wrong)}: must be a source`;
    assertThrows(() => toReadableStream(wrong as never), TypeError, text);
  }
});

test("toWritableStream() of what is not a sink is a TypeError", () => {
  for (const wrong of [undefined, {}, "abc"]) {
    assertThrows(
      () => toWritableStream(wrong as never),
      TypeError,
      `Cannot make a stream of ${describeData(wrong)}: must be a sink`,
    );
  }
});
