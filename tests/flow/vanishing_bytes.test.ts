// Copyright 2026 the Sluice authors. MIT license.

/**
 * Memory that is detached or shrunk while an operation waits, or after a flow has taken it, causes
 * a TypeError at once, no busy loop, and no silent gap.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  BrokenPipeError,
  bufferSink,
  BufReader,
  BufWriter,
  bytesSource,
  cancellableSource,
  chunks,
  copy,
  EndOfFlow,
  fromIterable,
  fromReadableStream,
  fromWritableStream,
  pipe,
  readAll,
  readExact,
  type Sink,
  type Source,
  toWritableStream,
  withBufWriter,
  writeAll,
} from "../../flow/mod.ts";
import { give, type GivingSink, lend, type LendingSource } from "../../flow/provider.ts";
import { socketPair } from "../../net/testing/mod.ts";
import { both } from "../../switch/mod.ts";
import { bytesOf, readText, turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { beforeItWasRead, honest, losses, resizable, whileItWaited } from "./_liars.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Full flows, each with its other end. */
const full: Record<string, () => Promise<[GivingSink, Source & { close(): Promise<void> }]>> = {
  "a pipe": async () => {
    const [a, b] = pipe({ capacity: 4 });
    await a.write(bytesOf("full"));
    return [a, b];
  },
  "a socketPair": async () => {
    const [a, b] = socketPair();
    await writeAll(a, new Uint8Array(64 * 1024));
    return [a as typeof a & GivingSink, b];
  },
};

const writers: Record<string, (sink: GivingSink, bytes: Bytes) => Promise<unknown>> = {
  "write()": (sink, bytes) => sink.write(bytes),
  "[give]()": async (sink, bytes) => await sink[give]([bytesOf("x"), bytes]),
  "writeAll()": (sink, bytes) => writeAll(sink, bytes),
  "writeAll() to a sink that does not know": (sink, bytes) => writeAll({ write: (part) => sink.write(part) }, bytes),
  "BufWriter.schedule()": (sink, bytes) => withBufWriter(sink, (w) => w.schedule(bytes)),
  "a chunk of toWritableStream()": (sink, bytes) => toWritableStream(sink).getWriter().write(bytes),
};

for (const [flow, fill] of Object.entries(full)) {
  for (const [name, put] of Object.entries(writers)) {
    test(`${name} to ${flow} fails when its bytes vanish while it waits, and the flow goes on`, async () => {
      for (const [how, make] of Object.entries(losses)) {
        const [a, b] = await fill();
        const { bytes, lose } = make(honest(3));
        const writing = assertRejects(() => put(a, bytes), TypeError, whileItWaited, how);
        lose();
        let size = 0;
        while (size < 4) size += await b.read(new Uint8Array(64 * 1024)) as number;
        await writing;
        const rest = size < 64 * 1024 && flow === "a socketPair" ? 64 * 1024 - size : 0;
        await readExact(b, new Uint8Array(rest));
        await both(() => writeAll(a, bytesOf("next")), async () => assertEquals(await read(b, 4), bytesOf("next")));
        await b.close();
      }
    });
  }
}

const readers: Record<string, (source: LendingSource, buffer: Bytes) => Promise<unknown>> = {
  "read()": (source, buffer) => source.read(buffer),
  "read() of BufReader.asSource()": (source, buffer) => new BufReader(source).asSource().read(buffer),
  "read() of cancellableSource()": (source, buffer) => cancellableSource(naive(source)).read(buffer),
  "readExact()": (source, buffer) => readExact(source, buffer),
};

for (const [name, take] of Object.entries(readers)) {
  test(`${name} fails when its buffer vanishes while it waits`, async () => {
    for (const [how, make] of Object.entries(losses)) {
      const [a, b] = pipe();
      const { bytes, lose } = make(honest(8));
      const reading = assertRejects(() => take(b, bytes), TypeError, whileItWaited, how);
      lose();
      await a.write(bytesOf("abc"));
      await reading;
    }
  });
}

test("a read whose buffer vanishes while it waits leaves the bytes to the next", async () => {
  for (const make of Object.values(losses)) {
    const [a, b] = pipe();
    const { bytes, lose } = make(honest(8));
    const reading = assertRejects(() => b.read(bytes), TypeError, whileItWaited);
    lose();
    await a.write(bytesOf("abc"));
    await reading;
    await a.close();
    assertEquals(await readText(b), "abc");
  }
});

test("BufReader.asSource() whose buffer vanishes while a read waits keeps the bytes", async () => {
  for (const make of Object.values(losses)) {
    const [a, b] = pipe();
    const reader = new BufReader(b);
    const { bytes, lose } = make(honest(8));
    const reading = assertRejects(() => reader.asSource().read(bytes), TypeError, whileItWaited);
    lose();
    await a.write(bytesOf("abc\n"));
    await reading;
    assertEquals(await reader.line(), "abc");
  }
});

test("a read whose buffer is shrunk while it waits fills what is left", async () => {
  const [a, b] = pipe();
  const memory = resizable(8);
  const reading = b.read(new Uint8Array(memory));
  memory.resize(2);
  await a.write(bytesOf("abc"));
  assertEquals([await reading, ...new Uint8Array(memory)], [2, ...bytesOf("ab")]);
});

test("readExact() whose buffer vanishes midway is a TypeError, and not a success", async () => {
  for (const make of Object.values(losses)) {
    const [a, b] = pipe();
    const { bytes, lose } = make(honest(16));
    const reading = assertRejects(() => readExact(b, bytes), TypeError, whileItWaited);
    await a.write(bytesOf("abc"));
    lose();
    await a.write(bytesOf("def"));
    await reading;
  }
});

test("a foreign source that detaches the buffer that it fills fails every reader", async () => {
  const source = {
    read(buffer: Uint8Array) {
      const { length } = buffer;
      detach(buffer);
      return Promise.resolve(Math.min(4, length));
    },
  };
  const ways = [
    () => readExact(source, honest(4)),
    () => readAll(source),
    () => copy(source, bufferSink()),
    () => cancellableSource(source).read(honest(4)),
    () => new BufReader(source).take(4),
    async () => {
      for await (const _ of chunks(source));
    },
  ];
  for (const way of ways) await assertRejects(way, TypeError, "detached or shrunk");
});

test("cancellableSource() reads on after its source has detached a buffer", async () => {
  let reads = 0;
  const source = cancellableSource({
    read(buffer) {
      buffer.set(bytesOf("ab"));
      if (++reads === 1) detach(buffer);
      return Promise.resolve(2);
    },
  });
  await assertRejects(() => source.read(honest(4)), TypeError, "detached or shrunk");
  assertEquals(await read(source, 2), bytesOf("ab"));
});

test("writeAll() whose second buffer vanishes while the first is written is a TypeError", async () => {
  for (const make of Object.values(losses)) {
    const { bytes, lose } = make(honest(100_000));
    const sink: Sink = {
      write(part) {
        if (part.length < 100_000) lose();
        return Promise.resolve(part.length);
      },
    };
    await assertRejects(() => writeAll(sink, bytesOf("first"), bytes), TypeError, whileItWaited);
  }
});

test("a sink that detaches what it has taken whole is served on", async () => {
  let size = 0;
  const sink: Sink = {
    write(bytes) {
      const { length } = bytes;
      size += length;
      detach(bytes);
      return Promise.resolve(length);
    },
  };
  await writeAll(sink, bytesOf("one"));
  assertEquals(await copy(naive(bytesSource(honest(5), honest(6))), sink), 11);
  assertEquals(await copy(fromIterable([honest(5), honest(6)]), sink), 11);
  await withBufWriter(sink, async (w) => {
    for (const text of ["a", "b"]) {
      w.string(text);
      await w.flush();
    }
  });
  assertEquals(size, 3 + 11 + 11 + 2);
});

test("a sink that detaches what it has taken in part is a TypeError", async () => {
  const sink: Sink = {
    write(bytes) {
      detach(bytes);
      return Promise.resolve(1);
    },
  };
  const ways = [
    () => writeAll(sink, honest(5)),
    () => copy(naive(bytesSource(honest(5))), sink),
    () => copy(bytesSource(honest(5)), sink),
    () => withBufWriter(sink, (w) => w.bytes(honest(5))),
  ];
  for (const way of ways) await assertRejects(way, TypeError, "detached or shrunk");
});

/** Sources over memory that their caller can still reach. */
const holders: Record<string, (bytes: Bytes) => Promise<LendingSource>> = {
  "a pipe": async (bytes) => {
    const [a, b] = pipe();
    await a[give]([bytes]);
    return b;
  },
  "bytesSource()": (bytes) => Promise.resolve(bytesSource(bytes, bytesOf("more"))),
  "fromIterable()": (bytes) => Promise.resolve(fromIterable([bytes, bytesOf("more")])),
  "BufReader.of()": (bytes) => Promise.resolve(BufReader.of(bytes).asSource()),
  "BufReader.unread()": async (bytes) => {
    const [a, b] = pipe();
    await a[give]([bytes]);
    const reader = new BufReader(b);
    await reader.ensure(1);
    return reader.unread(b);
  },
  "fromReadableStream()": (bytes) =>
    Promise.resolve(fromReadableStream(
      new ReadableStream({ start: (c) => (c.enqueue(bytes), c.enqueue(bytesOf("more")), c.close()) }),
    )),
};

for (const [name, open] of Object.entries(holders)) {
  test(`${name} fails every read once what it holds has vanished, and never skips it`, async () => {
    for (const [how, make] of Object.entries(losses)) {
      const { bytes, lose } = make(honest(2000));
      const source = await open(bytes);
      assertEquals(await source.read(new Uint8Array(10)), 10, how);
      lose();
      const ways = [
        () => source.read(new Uint8Array(10)),
        () => source[lend]((lent) => lent.length),
        () => copy(source, bufferSink()),
        () => new BufReader(source).take(1),
      ];
      for (const way of [...ways, ...ways]) await assertRejects(way, TypeError, beforeItWasRead, how);
    }
  });

  test(`${name} goes on when a borrower passes on the memory that it took whole`, async () => {
    const source = await open(honest(2000));
    assertEquals(
      await source[lend]((bytes) => {
        const { length } = bytes;
        detach(bytes);
        return Promise.resolve(length);
      }),
      2000,
    );
  });

  test(`${name} fails every read once a borrower has passed on what it did not take`, async () => {
    for (const taken of [0, 1, 1999]) {
      const source = await open(honest(2000));
      const lending = source[lend](async (bytes) => {
        detach(bytes);
        return await Promise.resolve(taken);
      });
      assertEquals(await lending, taken);
      for (let i = 0; i < 2; i++) {
        await assertRejects(() => source.read(new Uint8Array(10)), TypeError, beforeItWasRead);
      }
    }
  });
}

test("a pipe whose reader lacks bytes can be closed, and its writer learns of that", async () => {
  const [a, b] = pipe({ capacity: 2000 });
  const bytes = honest(2000);
  await a[give]([bytes]);
  const writing = assertRejects(() => a.write(bytesOf("more")), BrokenPipeError);
  detach(bytes);
  await assertRejects(() => b.read(new Uint8Array(10)), TypeError, beforeItWasRead);
  await b.close();
  await writing;
});

test("BufReader fails every operation once what it has buffered has vanished", async () => {
  const bytes = honest(100);
  const reader = BufReader.of(bytes);
  await reader.take(10);
  detach(bytes);
  const ways: (() => Promise<unknown>)[] = [
    () => reader.take(1),
    () => reader.takeAll(),
    () => reader.takeWhile(() => true),
    () => reader.line(),
    () => reader.anyByte(),
    () => reader.peekByte(),
    () => reader.uint32be(),
    () => reader.byte(100),
    () => reader.string("x"),
    () => reader.atEnd(),
  ];
  for (const way of ways) await assertRejects(way, TypeError, beforeItWasRead);
  assertThrows(() => reader.peek(), TypeError, beforeItWasRead);
});

test("BufWriter.awaitBatch() fails once what was scheduled has vanished", async () => {
  for (const make of Object.values(losses)) {
    const writer = new BufWriter();
    const { bytes, lose } = make(honest(10));
    writer.string("before");
    writer.schedule(bytes);
    lose();
    await assertRejects(() => writer.awaitBatch(), TypeError, whileItWaited);
    writer.abort();
  }
});

test("BufWriter fails, and writes nothing else, once its batch was detached", async () => {
  const writer = new BufWriter();
  writer.string("lost");
  const [batch] = await writer.awaitBatch() ?? [];
  detach(batch);
  writer.string("next");
  writer.uint32be(7);
  await assertRejects(() => writer.awaitBatch(), TypeError, whileItWaited);
  writer.abort();
});

test("bufferSink() fails to give bytes once what was given to it has vanished", async () => {
  for (const make of Object.values(losses)) {
    const sink = bufferSink();
    const { bytes, lose } = make(honest(10));
    await sink[give]([bytes]);
    lose();
    assertThrows(() => sink.bytes(), TypeError, "detached or shrunk");
    assertThrows(() => sink.text(), TypeError, "detached or shrunk");
  }
});

test("toWritableStream() breaks when a chunk vanishes that waits for its turn", async () => {
  for (const [how, make] of Object.entries(losses)) {
    const [a, b] = pipe({ capacity: 4 });
    const writer = toWritableStream(a).getWriter();
    writer.closed.catch(() => {});
    const { bytes, lose } = make(honest(3));
    const writing = [writer.write(bytesOf("first")), writer.write(bytes)];
    lose();
    const failing = assertRejects(() => writing[1], TypeError, whileItWaited, how);
    assertEquals(await read(b, 5), bytesOf("first"));
    await writing[0];
    await failing;
    await assertRejects(() => writer.write(bytesOf("later")), TypeError, whileItWaited);
    await a.close();
    await assertRejects(() => readExact(b, new Uint8Array(1)), EndOfFlow);
  }
});

test("toWritableStream() takes empty chunks, and knows them from those that vanish", async () => {
  const sink = bufferSink();
  const writer = toWritableStream(sink).getWriter();
  const { bytes, lose } = losses.transferred(honest(3));
  const writing = [new Uint8Array(0), bytesOf("a"), new Uint8Array(0), bytes].map((chunk) => writer.write(chunk));
  writer.closed.catch(() => {});
  lose();
  const [, , , last] = await Promise.allSettled(writing);
  assertEquals([sink.text(), last.status], ["a", "rejected"]);
});

test("write() of fromWritableStream() fails when its bytes vanish while it waits, and the stream goes on", async () => {
  for (const make of Object.values(losses)) {
    const { promise: turned, resolve: go } = Promise.withResolvers<void>();
    const got: number[] = [];
    const stream = new WritableStream<Bytes>({
      async write(chunk) {
        got.push(...chunk);
        await turned;
      },
    });
    const sink = fromWritableStream(stream);
    await sink.write(Uint8Array.of(1));
    const { bytes, lose } = make(honest(3));
    const writing = assertRejects(() => sink.write(bytes), TypeError, whileItWaited);
    lose();
    go();
    await writing;
    await sink.write(Uint8Array.of(2));
    await sink.close();
    assertEquals(got, [1, 2]);
  }
});

test("nothing spins while bytes have vanished: the event loop turns", async () => {
  const [a, b] = pipe({ capacity: 4 });
  await a.write(bytesOf("full"));
  const { bytes, lose } = losses.transferred(honest(3));
  const writing = a.write(bytes);
  const failing = assertRejects(() => writing, TypeError, whileItWaited);
  lose();
  for (let i = 0; i < 3; i++) await turn();
  await b.read(new Uint8Array(4));
  await failing;
  assert(true);
});

function detach(bytes: Uint8Array): void {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
}

async function read(source: Source, size: number): Promise<Bytes> {
  const buffer = new Uint8Array(size);
  await readExact(source, buffer);
  return buffer;
}

/** Hides the fast path of a source. */
function naive(source: Source): Source {
  return { read: (buffer) => source.read(buffer) };
}
