// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { createWriteStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { createGzip, gunzipSync } from "node:zlib";
import { BrokenPipeError, bytesSource, ClosedError, copy, readAll, writeAll } from "../../../flow/mod.ts";
import { give } from "../../../flow/provider.ts";
import { fromReadable, fromWritable } from "../../../flow/node/mod.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { both, Cancelled, Switch } from "../../../switch/mod.ts";
import { describeData } from "../../../base/_text.ts";
import { bytesOf, inCancelledScope, turns, withFolder } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { attempt, clog } from "../_helpers.ts";
import { errorOf, withChild } from "./_helpers.ts";

/** A stream that takes one write, and never the next. */
class Stuck extends Writable {
  readonly chunks: Uint8Array[] = [];
  free: () => void = () => {};

  override _write(chunk: Uint8Array, _: string, done: () => void): void {
    this.chunks.push(chunk);
    this.free = done;
  }
}

test("fromWritable() writes a file, which is whole when it is closed", () =>
  withFolder(async (folder) => {
    const file = createWriteStream(join(folder, "file"));
    const sink = fromWritable(file);
    await copy(bytesSource(pattern(0, 1_000_000)), sink);
    await sink.close();
    assertEquals(file.closed, true);
    assertEquals(new Uint8Array(readFileSync(join(folder, "file"))), pattern(0, 1_000_000));
    await sink.close();
  }));

test("fromWritable() throws what opening the file failed with, again and again", () =>
  withFolder(async (folder) => {
    const sink = fromWritable(createWriteStream(join(folder, "no/file")));
    const error = await writeAll(sink, pattern(0, 200_000)).catch((error) => error);
    assertEquals(error.code, "ENOENT");
    assertStrictEquals(await sink.write(bytesOf("again")).catch((error) => error), error);
    await sink.close();
  }));

test("fromWritable() whose file cannot be opened throws that at the latest when it is closed", () =>
  withFolder(async (folder) => {
    const sink = fromWritable(createWriteStream(join(folder, "no/file")));
    await sink.write(bytesOf("hello"));
    assertEquals(await sink.close().catch((error) => error.code), "ENOENT");
  }));

test("fromWritable() and fromReadable() talk to a child process", () =>
  withChild(["cat"], async (child) => {
    const size = 3_000_000;
    const sink = fromWritable(child.stdin);
    const send = async () => {
      await copy(bytesSource(pattern(0, size)), sink);
      await sink.close();
    };
    const [, echo] = await both(send, () => readAll(fromReadable(child.stdout)));
    assertEquals(echo, pattern(0, size));
  }));

test("fromWritable() waits for a child process that does not read", () =>
  withChild(["sleep", "1000"], async (child) => {
    const sink = fromWritable(child.stdin);
    const taken = await clog((bytes) => sink.write(bytes));
    assert(taken <= 1_000_000, `${taken} bytes were taken`);
    sink.abort();
    await assertRejects(() => sink.write(bytesOf("late")), ClosedError);
  }));

test("fromWritable() to a child process that has ended is a BrokenPipeError", () =>
  withChild(["true"], async (child) => {
    const sink = fromWritable(child.stdin);
    const write = async () => {
      while (true) await sink.write(new Uint8Array(10_000));
    };
    await assertRejects(write, BrokenPipeError);
    await assertRejects(() => sink.write(bytesOf("again")), BrokenPipeError);
    await sink.close();
  }));

test("fromWritable() packs with node:zlib", async () => {
  const gzip = createGzip();
  const sink = fromWritable(gzip);
  const send = async () => {
    await copy(bytesSource(pattern(0, 500_000)), sink);
    await sink.close();
  };
  const [, packed] = await both(send, () => readAll(fromReadable(gzip)));
  assertEquals(new Uint8Array(gunzipSync(packed)), pattern(0, 500_000));
});

test("fromWritable() gives the stream one write at a time, and a cancelled one has taken nothing", async () => {
  const stuck = new Stuck({ highWaterMark: 1_000_000 });
  const sink = fromWritable(stuck);
  assertEquals(await sink.write(bytesOf("one")), 3);
  assertEquals(await attempt(() => sink.write(bytesOf("two"))), undefined);
  const three = sink.write(bytesOf("three"));
  stuck.free();
  assertEquals(await three, 5);
  assertEquals(stuck.chunks.map(String), ["one", "three"]);
  sink.abort();
});

test("fromWritable() gives the stream a copy of what is written, of at most 64 KiB", async () => {
  const stuck = new Stuck();
  const sink = fromWritable(stuck);
  const bytes = pattern(0, 100_000);
  assertEquals(await sink.write(bytes), 65_536);
  bytes.fill(0);
  assertEquals(new Uint8Array(stuck.chunks[0]), pattern(0, 65_536));
  sink.abort();
});

test("fromWritable() passes on a copy of what is given, which the giver cannot take away", async () => {
  for (const pieces of [1, 2]) {
    const stuck = new Stuck();
    const sink = fromWritable(stuck);
    const given = Array.from({ length: pieces }, (_, i) => pattern(i * 50_000, 50_000));
    const taken = await sink[give](given);
    assertEquals(taken, pieces === 1 ? 50_000 : 65_536);
    for (const { buffer } of given) structuredClone(buffer, { transfer: [buffer] });
    assertEquals(new Uint8Array(Buffer.concat(stuck.chunks)), pattern(0, taken));
    sink.abort();
  }
});

test("fromWritable() throws the stream's error, and close() does not repeat it", async () => {
  const error = new Error("Cannot store");
  const sink = fromWritable(new Writable({ write: (_chunk, _encoding, done) => done(error) }));
  assertStrictEquals(await writeAll(sink, new Uint8Array(200_000)).catch((thrown) => thrown), error);
  assertStrictEquals(await sink.write(bytesOf("again")).catch((thrown) => thrown), error);
  await sink.close();
});

test("fromWritable() that is closed throws what the stream did with what was taken", async () => {
  const error = new Error("Cannot store");
  const sink = fromWritable(new Writable({ write: (_chunk, _encoding, done) => setImmediate(done, error) }));
  await sink.write(bytesOf("hello"));
  assertStrictEquals(await sink.close().catch((thrown) => thrown), error);
  const last = fromWritable(new Writable({ final: (done) => done(error) }));
  assertStrictEquals(await last.close().catch((thrown) => thrown), error);
});

test("fromWritable() of a stream that other code has ended or destroyed says so", async () => {
  const ended = new PassThrough();
  const sink = fromWritable(ended.end());
  await assertRejects(() => sink.write(bytesOf("late")), ClosedError, "the stream was ended");
  ended.destroy();
  await assertRejects(() => fromWritable(new PassThrough().destroy()).write(bytesOf("late")), BrokenPipeError);
});

test("fromWritable() that is closed wakes the write that waits, and waits for what was taken", async () => {
  const stuck = new Stuck();
  const sink = fromWritable(stuck);
  await sink.write(bytesOf("one"));
  const two = sink.write(bytesOf("two")).catch((error) => error);
  let closed = false;
  const closing = Promise.all([sink.close(), sink.close()]).then(() => closed = true);
  assertInstanceOf(await two, ClosedError);
  await turns(3);
  assertEquals(closed, false);
  stuck.free();
  await closing;
  assertEquals(stuck.writableFinished, true);
});

test("fromWritable() that is aborted destroys the stream, and ends the wait of a close", async () => {
  const stuck = new Stuck();
  const sink = fromWritable(stuck);
  await sink.write(bytesOf("one"));
  const error = new Error("enough");
  const closing = sink.close();
  sink.abort(error);
  await closing;
  assertStrictEquals(await errorOf(stuck), error);
});

test("fromWritable() that is closed in a cancelled scope destroys the stream at once", async () => {
  const stuck = new Stuck();
  const how = errorOf(stuck);
  const sink = fromWritable(stuck);
  await sink.write(bytesOf("one"));
  await inCancelledScope(() => sink.close());
  assertInstanceOf(await how, Cancelled);
});

test("fromWritable() whose close is cancelled destroys the stream", async () => {
  const stuck = new Stuck();
  const how = errorOf(stuck);
  const sink = fromWritable(stuck);
  await sink.write(bytesOf("one"));
  await attempt(() => sink.close());
  assertInstanceOf(await how, Cancelled);
});

test("fromWritable() of a switch that has failed destroys the stream at once", async () => {
  const stuck = new Stuck();
  const how = errorOf(stuck);
  const error = new Error("Cannot go on");
  const failed = Switch.run(async (sw) => {
    const sink = sw.use(fromWritable(stuck));
    await sink.write(bytesOf("one"));
    throw error;
  });
  assertStrictEquals(await failed.catch((thrown) => thrown), error);
  assertInstanceOf(await how, Cancelled);
});

test("fromWritable() of a value of another type is a TypeError", () => {
  for (const wrong of [undefined, {}, new WritableStream(), new Readable()]) {
    const text = `Cannot make a sink of ${describeData(wrong)}: must be a writable stream of Node`;
    assertThrows(() => fromWritable(wrong as never), TypeError, text);
  }
});

test("fromWritable() over a stream that takes its chunks' memory away counts what it took", async () => {
  const writable = new Writable({
    write(chunk, _, done) {
      structuredClone(0, { transfer: [chunk.buffer] });
      done();
    },
  });
  const sink = fromWritable(writable);
  assertEquals(await sink[give]([new Uint8Array(70_000)]), 65_536);
  assertEquals(await sink.write(new Uint8Array(70_000)), 65_536);
  await sink.close();
});
