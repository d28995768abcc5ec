// Copyright 2026 the Sluice authors. MIT license.

/** Bytes with false properties, and memory that vanishes, at every bridge to Node streams. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Duplex, PassThrough, Readable, Writable } from "node:stream";
import { bufferSink, pipe, readAll, readExact, type TwoWay, writeAll } from "../../../flow/mod.ts";
import { give, lend, type LendingSource } from "../../../flow/provider.ts";
import { fromDuplex, fromReadable, fromWritable, toDuplex } from "../../../flow/node/mod.ts";
import { bytesOf, turns } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { beforeItWasRead, honest, impostors, liars, losses, secret, truth, whileItWaited } from "../_liars.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const sizes: readonly number[] = [5, 9000];

/** A byte in the pool of Node, which other code may have sent. */
const pooled = 0x54;

/** Every bridge that takes bytes. Each returns what arrived behind it. */
const bridges: Record<string, (bytes: Bytes) => Promise<Uint8Array>> = {
  "write() of fromWritable()": (bytes) => throughWritable((sink) => sink.write(bytes)),
  "[give]() of fromWritable()": (bytes) => throughWritable(async (sink) => await sink[give]([bytes])),
  "write() of fromDuplex()": async (bytes) => {
    const flow = fromDuplex(new PassThrough());
    assertEquals(await flow.write(bytes), truth(bytes).length);
    const got = new Uint8Array(truth(bytes).length);
    await readExact(flow, got);
    await flow.close();
    return got;
  },
  "a chunk of fromReadable()": (bytes) => readAll(fromReadable(chunksOf(bytes))),
  "a chunk of fromDuplex()": async (bytes) => {
    const source = chunksOf(bytes);
    const duplex = new Duplex({ readableObjectMode: true, read() {}, write: (_chunk, _, done) => done() });
    source.on("data", (chunk) => duplex.push(chunk)).on("end", () => duplex.push(null));
    const flow = fromDuplex(duplex);
    const all = await readAll(flow);
    await flow.close();
    return all;
  },
  "what a flow lends to toDuplex()": (bytes) => arrivedAt(lendingFlow(bytes, false)),
  "what a flow lends to toDuplex() to be kept": (bytes) => arrivedAt(lendingFlow(bytes, true)),
};

for (const [name, put] of Object.entries(bridges)) {
  test(`${name} takes bytes for what they are, whatever they say`, async () => {
    for (const size of sizes) {
      for (const [lie, make] of liars(size)) {
        fillPool();
        const arrived = await put(make());
        assert(!arrived.includes(secret) && !arrived.includes(pooled), `With ${lie}: something of other memory`);
        assertEquals(arrived, honest(size), lie);
      }
    }
  });

  test(`${name} refuses what is not bytes, by a short TypeError`, async () => {
    for (const [what, bad] of impostors()) {
      if (bad === null || bad === undefined) continue; // the end of a stream of objects
      const error = await assertRejects(async () => await put(bad as Bytes), TypeError, undefined, what);
      assert(error.message.length < 100, `${what}: ${error.message}`);
    }
  });
}

test("toDuplex() passes on what is written as Node makes bytes of it, or breaks, and sends no memory of others", async () => {
  for (const size of sizes) {
    for (const [lie, make] of liars(size)) {
      fillPool();
      const [a, b] = pipe();
      const duplex = toDuplex(a);
      const closed = new Promise((resolve) => duplex.once("close", resolve));
      try {
        duplex.end(make());
      } catch {
        duplex.destroy(); // Node refuses a length beyond its memory
      }
      const arrived = await readAll(b);
      assert(!arrived.includes(pooled), `With ${lie}: something of the pool`);
      await b.close();
      await closed;
    }
  }
});

test("toDuplex() passes on a Buffer for what it is, and counts it so", async () => {
  const [a, b] = pipe();
  const duplex = toDuplex(a);
  const closed = new Promise((resolve) => duplex.once("close", resolve));
  const liar = Object.defineProperty(Buffer.from("hello"), "length", { value: 2 });
  await new Promise((resolve) => duplex.write(liar, resolve));
  assertEquals(duplex.bytesWritten, 5);
  assertEquals(await b.read(new Uint8Array(16)), 5);
  duplex.destroy();
  await b.close();
  await closed;
});

test("fromWritable() gives its stream memory that holds nothing else", async () => {
  const chunks: Bytes[] = [];
  const sink = fromWritable(
    new Writable({
      write(chunk, _, done) {
        chunks.push(chunk);
        done();
      },
    }),
  );
  for (const size of [1, 5, 4000, 9000]) await sink.write(honest(size));
  await sink.close();
  assertEquals(chunks.map(({ buffer }) => buffer.byteLength), chunks.map(({ length }) => length));
});

test("what is written to a flow does not lie in the pool that every Buffer has", async () => {
  const flow = fromDuplex(new PassThrough());
  const mark = bytesOf("only for the peer of this flow");
  await flow.write(mark);
  const pool = Buffer.from(Buffer.from("x").buffer);
  assertEquals(pool.indexOf(mark), -1);
  await flow.close();
});

test("a write of fromDuplex() over toDuplex() fails when its bytes vanish while it waits, and the flows go on", async () => {
  for (const [how, make] of Object.entries(losses)) {
    const [a, b] = pipe({ capacity: 1000 });
    const flow = fromDuplex(toDuplex(a));
    await writeAll(flow, honest(1000), honest(1000)); // in the pipe, and in the Duplex
    const { bytes, lose } = make(honest(1000));
    const writing = assertRejects(() => flow.write(bytes), TypeError, whileItWaited, how);
    lose();
    await turns(3);
    const rest = new Uint8Array(2000);
    await readExact(b, rest);
    await writing;
    const more = writeAll(flow, bytesOf("more"));
    await readExact(b, new Uint8Array(4));
    await more;
    await Promise.all([flow.close(), b.close()]);
  }
});

/** Ways to make a Node stream hold a waiting chunk. */
const queued: Record<string, (duplex: Duplex, bytes: Bytes) => void> = {
  "that is being written": (duplex, bytes) => duplex.write(bytes),
  "that waits for one": (duplex, bytes) => (duplex.write(bytesOf("first")), duplex.write(bytes)),
  "that waits with others": (duplex, bytes) => {
    for (const chunk of [bytesOf("first"), bytesOf("second"), bytes, bytesOf("third")]) duplex.write(chunk);
  },
  "that is corked": (duplex, bytes) => {
    duplex.cork();
    for (const chunk of [bytesOf("second"), bytes]) duplex.write(chunk);
    queueMicrotask(() => duplex.uncork());
  },
};

for (const [when, put] of Object.entries(queued)) {
  test(`toDuplex() is destroyed when a chunk vanishes ${when}`, async () => {
    for (const [how, make] of Object.entries(losses)) {
      const [a, b] = pipe({ capacity: 4 });
      await a.write(bytesOf("full"));
      const duplex = toDuplex(a);
      const closed = new Promise((resolve) => duplex.once("close", () => resolve(duplex.errored)));
      const { bytes, lose } = make(honest(2000));
      put(duplex, bytes);
      lose();
      await readUntil(b, closed);
      const error = await closed;
      assert(error instanceof TypeError && error.message.includes(whileItWaited), `${how}: ${error}`);
      await b.close();
    }
  });
}

test("toDuplex() writes empty chunks, and knows them from those that vanish", async () => {
  const [a, b] = pipe();
  const duplex = toDuplex(a);
  duplex.cork();
  for (const chunk of [new Uint8Array(0), bytesOf("a"), "", "é", new Uint8Array(0)]) duplex.write(chunk);
  duplex.uncork();
  duplex.end();
  assertEquals(new TextDecoder().decode(await readAll(b)), "aé");
  await b.close();
  await new Promise((resolve) => duplex.once("close", resolve));
});

test("a write of fromWritable() fails when its bytes vanish while it waits, and the stream goes on", async () => {
  for (const [how, make] of Object.entries(losses)) {
    const got: number[] = [];
    let go = () => {};
    const sink = fromWritable(
      new Writable({
        write(chunk, _, done) {
          got.push(...chunk);
          if (got.length === 1) go = done;
          else done();
        },
      }),
    );
    await sink.write(Uint8Array.of(1));
    const { bytes, lose } = make(honest(3));
    const writing = assertRejects(() => sink.write(bytes), TypeError, whileItWaited, how);
    lose();
    go();
    await writing;
    await sink.write(Uint8Array.of(2));
    await sink.close();
    assertEquals(got, [1, 2]);
  }
});

test("fromReadable() fails every read once a chunk has vanished that it holds", async () => {
  for (const [how, make] of Object.entries(losses)) {
    const { bytes, lose } = make(honest(2000));
    const readable = new Readable({ read() {} });
    readable.push(bytes);
    const source = fromReadable(readable);
    assertEquals(await source.read(new Uint8Array(10)), 10);
    lose();
    for (let i = 0; i < 2; i++) {
      await assertRejects(() => source.read(new Uint8Array(10)), TypeError, beforeItWasRead, how);
      await assertRejects(() => source[lend]((lent) => lent.length), TypeError, beforeItWasRead, how);
    }
    await source.close();
  }
});

test("fromReadable() goes on when a borrower passes on the memory that it took whole", async () => {
  const readable = new Readable({ read() {} });
  const source = fromReadable(readable);
  for (const text of ["one", "two", "three"]) readable.push(bytesOf(text));
  for (const size of [3, 3, 5]) {
    const taken = await source[lend]((bytes) => {
      const { length } = bytes;
      structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
      return Promise.resolve(length);
    });
    assertEquals(taken, size);
  }
  await source.close();
});

function fillPool(): void {
  for (let i = 0; i < 16; i++) Buffer.from(new Uint8Array(2000).fill(pooled));
}

async function throughWritable(
  put: (sink: ReturnType<typeof fromWritable>) => Promise<number>,
): Promise<Uint8Array> {
  const taken = bufferSink();
  const writable = new Writable({ write: (chunk, _, done) => void writeAll(taken, chunk).then(() => done(), done) });
  const sink = fromWritable(writable);
  const count = await put(sink);
  await sink.close();
  assertEquals(count, taken.bytes().length);
  return taken.bytes();
}

/** A stream of objects, which passes its chunks on unchanged. */
function chunksOf(bytes: Bytes): Readable {
  const readable = new Readable({ objectMode: true, read() {} });
  readable.push(bytes);
  readable.push(null);
  return readable;
}

function lendingFlow(bytes: Bytes, keep: boolean): TwoWay & LendingSource {
  let ended = false;
  return {
    read: () => Promise.reject(new Error("Cannot read: it lends")),
    write: () => Promise.resolve(1),
    shutdown: () => Promise.resolve(),
    async [lend](use) {
      if (ended) return null;
      const taken = await use(bytes, keep);
      ended = true;
      return taken;
    },
  };
}

async function arrivedAt(flow: TwoWay): Promise<Uint8Array> {
  const duplex = toDuplex(flow);
  const closed = new Promise((resolve) => duplex.once("close", resolve));
  const chunks: Bytes[] = [];
  try {
    for await (const chunk of duplex) chunks.push(chunk);
  } finally {
    duplex.destroy();
    await closed;
  }
  return new Uint8Array(Buffer.concat(chunks));
}

/** Reads until `over` settles. */
async function readUntil(source: { read(buffer: Uint8Array): Promise<number | null> }, over: Promise<unknown>) {
  let done = false;
  over.then(() => done = true);
  while (!done && await source.read(new Uint8Array(64)).catch(() => null) !== null);
}
