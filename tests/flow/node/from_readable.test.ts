// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { createReadStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { createGunzip, gzipSync } from "node:zlib";
import { BrokenPipeError, ClosedError, readAll } from "../../../flow/mod.ts";
import { lend } from "../../../flow/provider.ts";
import { fromReadable } from "../../../flow/node/mod.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { describeData } from "../../../base/_text.ts";
import { bytesOf, readText, turns, withFolder } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { cancelling } from "../_helpers.ts";
import { withChild } from "./_helpers.ts";

test("fromReadable() reads a file", () =>
  withFolder(async (folder) => {
    writeFileSync(join(folder, "file"), pattern(0, 1_000_000));
    const source = fromReadable(createReadStream(join(folder, "file")));
    assertEquals(await readAll(source), pattern(0, 1_000_000));
    for (let i = 0; i < 3; i++) assertEquals(await source.read(new Uint8Array(1)), null);
    await source.close();
  }));

test("fromReadable() throws what opening the file failed with, again and again", () =>
  withFolder(async (folder) => {
    const source = fromReadable(createReadStream(join(folder, "nothing")));
    const error = await source.read(new Uint8Array(1)).catch((error) => error);
    assertEquals(error.code, "ENOENT");
    assertStrictEquals(await source.read(new Uint8Array(1)).catch((error) => error), error);
    await source.close();
  }));

test("fromReadable() that is not read does not end the process when opening fails", () =>
  withFolder(async (folder) => {
    const file = createReadStream(join(folder, "nothing"));
    fromReadable(file);
    await new Promise<void>((resolve) => file.once("close", resolve));
  }));

test("fromReadable() reads what a child process writes", () =>
  withChild(["sh", "-c", "head -c 1000000 /dev/zero"], async (child) => {
    assertEquals((await readAll(fromReadable(child.stdout))).length, 1_000_000);
  }));

test("fromReadable() reads what node:zlib unpacks", async () => {
  const packed = Readable.from([gzipSync(pattern(0, 500_000))]);
  assertEquals(await readAll(fromReadable(packed.pipe(createGunzip()))), pattern(0, 500_000));
});

test("fromReadable() stops the stream while nothing is read", async () => {
  let given = 0;
  const readable = new Readable({
    highWaterMark: 1000,
    read() {
      if (given >= 1_000_000) return void this.push(null);
      const chunk = pattern(given, 1000);
      given += 1000;
      setImmediate(() => this.push(chunk));
    },
  });
  const source = fromReadable(readable);
  for (let before = -1; before < given;) {
    before = given;
    await turns(20);
  }
  assert(given <= 70_000, `${given} bytes were read ahead`);
  const buffer = new Uint8Array(10_000);
  let read = 0;
  for (let count; (count = await source.read(buffer)) !== null;) {
    assertEquals(buffer.subarray(0, count), pattern(read, count));
    read += count;
    assert(given - read <= 70_000, `${given} bytes were given, ${read} read`);
  }
  assertEquals(read, 1_000_000);
});

test("fromReadable() loses nothing when a read is cancelled", async () => {
  const stream = new PassThrough();
  const source = fromReadable(stream);
  const buffer = new Uint8Array(9);
  await cancelling(() => source.read(buffer));
  stream.end("foo");
  await turns(2);
  assertEquals(buffer, new Uint8Array(9));
  assertEquals(await readText(source), "foo");
});

test("fromReadable() gives all that came before an error, and then the error", async () => {
  const error = new Error("Cannot read on");
  const readable = new Readable({ read() {} });
  const source = fromReadable(readable);
  readable.push("foo");
  await turns(2);
  readable.destroy(error);
  await turns(2);
  assertEquals(await source.read(new Uint8Array(9)), 3);
  assertStrictEquals(await source.read(new Uint8Array(9)).catch((thrown) => thrown), error);
});

test("fromReadable() of a stream that closes before its end is a BrokenPipeError", async () => {
  const readable = new Readable({ read() {} });
  const source = fromReadable(readable);
  const reading = source.read(new Uint8Array(9)).catch((error) => error);
  readable.destroy();
  assertInstanceOf(await reading, BrokenPipeError);
  await assertRejects(() => source.read(new Uint8Array(9)), BrokenPipeError);
});

test("fromReadable() of a stream that is over tells how it ended", async () => {
  const ended = Readable.from([]);
  await new Promise((resolve) => ended.once("end", resolve).resume());
  assertEquals(await fromReadable(ended).read(new Uint8Array(1)), null);
  const destroyed = new Readable().destroy();
  await assertRejects(() => fromReadable(destroyed).read(new Uint8Array(1)), BrokenPipeError);
  await turns(1);
  await assertRejects(() => fromReadable(destroyed).read(new Uint8Array(1)), BrokenPipeError);
  const error = new Error("Cannot read");
  const broken = new Readable().on("error", () => {}).destroy(error);
  await turns(1);
  const source = fromReadable(broken);
  assertStrictEquals(await source.read(new Uint8Array(1)).catch((thrown) => thrown), error);
  await source.close();
});

test("fromReadable() of a stream of objects, or of text, fails the read with a TypeError", async () => {
  for (const readable of [Readable.from([{}]), new PassThrough().setEncoding("utf8")]) {
    if (readable instanceof PassThrough) readable.write("text");
    await assertRejects(() => fromReadable(readable).read(new Uint8Array(1)), TypeError, "it must give bytes");
    readable.destroy();
  }
});

test("fromReadable() lends plain byte arrays, to keep", async () => {
  await fromReadable(Readable.from([Buffer.from("foo")]))[lend]((bytes, keep) => {
    assertEquals([bytes.constructor, keep, bytes], [Uint8Array, true, bytesOf("foo")]);
    return 3;
  });
});

test("fromReadable() that is closed destroys the stream, and wakes the read that waits", async () => {
  const readable = new Readable({ read() {} });
  const source = fromReadable(readable);
  const reading = source.read(new Uint8Array(1)).catch((error) => error);
  await Promise.all([source.close(), source[Symbol.asyncDispose]()]);
  assertInstanceOf(await reading, ClosedError);
  assertEquals([readable.destroyed, readable.closed], [true, true]);
  await source.close();
});

test("fromReadable() that is closed early lets a child process end", () =>
  withChild(["sh", "-c", "yes"], async (child) => {
    const source = fromReadable(child.stdout);
    await source.read(new Uint8Array(10));
    const exited = new Promise((resolve) => child.once("exit", resolve));
    await source.close();
    await exited;
  }));

test("fromReadable() of a value of another type is a TypeError", () => {
  for (const wrong of [undefined, {}, new ReadableStream(), new Writable()]) {
    const text = `Cannot make a source of ${describeData(wrong)}: must be a readable stream of Node`;
    assertThrows(() => fromReadable(wrong as never), TypeError, text);
  }
});
