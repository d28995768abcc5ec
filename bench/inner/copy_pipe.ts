// Copyright 2026 the Sluice authors. MIT license.

/** What a chunk costs from a writer through a pipe, a copy, and a pipe to a reader. Prints its rows as one line of JSON. */
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { copy, pipe, type Sink, type Source, writeAll } from "../../flow/mod.ts";
import { give, type GivingSink, lend, type LendingSource } from "../../flow/provider.ts";
import { all } from "../../switch/mod.ts";
import type { Row } from "../_bench.ts";
import { compare } from "../_compare.ts";
import { type Block, contestant, readSettings, scoped } from "./_turns.ts";

/** How much each pipe holds, in bytes. */
const capacity = 64 * 1024;

/** They pass references on, as give and lend do. */
const foreign = ["stream pipeline", "web pipeTo"];

/** The two ends of a program: the one sends a chunk so many times, the other takes what there is once. */
type Write = (sink: GivingSink, chunk: Uint8Array) => Promise<unknown>;
type Read = (source: LendingSource) => Promise<number | null>;

const buffer = new Uint8Array(capacity);
const writing: Write = (sink, chunk) => writeAll(sink, chunk);
const giving: Write = async (sink, chunk) => {
  for (let done = 0; done < chunk.length;) done += await sink[give]([chunk.subarray(done)]);
};
const reading: Read = (source) => source.read(buffer);
const lending: Read = (source) => source[lend]((bytes) => bytes.length);

const { runtime, rounds, ms } = readSettings();
const rows: Row[] = [];
for (const size of [64 * 1024, 1024]) {
  const chunk = new Uint8Array(size).fill(1);
  rows.push(
    ...await compare(
      { name: `pipe to pipe, chunks of ${size / 1024} KiB`, runtime, unit: "µs" },
      [
        await scoped("copy", throughPipes(chunk, copy, writing, reading), ms, 1000),
        {
          ...await scoped("copy, give and lend", throughPipes(chunk, copy, giving, lending), ms, 1000),
          against: foreign,
        },
      ],
      [
        await scoped("read/write loop", throughPipes(chunk, loop, writing, reading), ms, 1000),
        await contestant("stream pipeline", throughNode(chunk), ms, 1000),
        await contestant("web pipeTo", throughWeb(chunk), ms, 1000),
      ],
      rounds,
    ),
  );
}
console.log(JSON.stringify(rows));

/** The plainest copy there is. */
async function loop(source: Source, sink: Sink): Promise<void> {
  const buffer = new Uint8Array(capacity);
  for (let size; (size = await source.read(buffer)) !== null;) {
    for (let done = 0; done < size;) done += await sink.write(buffer.subarray(done, size));
  }
}

function throughPipes(
  chunk: Uint8Array,
  move: (source: Source, sink: Sink) => Promise<unknown>,
  write: Write,
  read: Read,
): Block {
  return async (times) => {
    const [near, from] = pipe({ capacity });
    const [to, far] = pipe({ capacity });
    let got = 0;
    await all([
      async () => {
        for (let i = 0; i < times; i++) await write(near, chunk);
        await near.shutdown("send");
      },
      async () => {
        await move(from, to);
        await to.shutdown("send");
      },
      async () => {
        for (let size; (size = await read(far)) !== null;) got += size;
      },
    ]);
    check(got, times * chunk.length);
    for (const end of [near, from, to, far]) await end.close();
  };
}

function throughNode(chunk: Uint8Array): Block {
  return async (times) => {
    const from = new PassThrough({ highWaterMark: capacity });
    const to = new PassThrough({ highWaterMark: capacity });
    let got = 0;
    to.on("data", (bytes: Uint8Array) => got += bytes.length);
    const moving = pipeline(from, to);
    for (let i = 0; i < times; i++) if (!from.write(chunk)) await once(from, "drain");
    from.end();
    await moving;
    check(got, times * chunk.length);
  };
}

function throughWeb(chunk: Uint8Array): Block {
  return async (times) => {
    const strategy = new ByteLengthQueuingStrategy({ highWaterMark: capacity });
    const from = new TransformStream<Uint8Array, Uint8Array>(undefined, strategy, strategy);
    const to = new TransformStream<Uint8Array, Uint8Array>(undefined, strategy, strategy);
    const write = async () => {
      const writer = from.writable.getWriter();
      for (let i = 0; i < times; i++) {
        await writer.ready;
        writer.write(chunk);
      }
      await writer.close();
    };
    let got = 0;
    const read = async () => {
      const reader = to.readable.getReader();
      for (let result; !(result = await reader.read()).done;) got += result.value.length;
    };
    await Promise.all([write(), from.readable.pipeTo(to.writable), read()]);
    check(got, times * chunk.length);
  };
}

function check(got: number, sent: number): void {
  if (got !== sent) throw new Error(`Copied ${got} of ${sent} bytes`);
}
