// Copyright 2026 the Sluice authors. MIT license.

/** What a byte and a number cost that are asked for one at a time. Prints its rows as one line of JSON. */
import { BufReader, bytesSource, chunks, fromIterable, readExact, type Source } from "../../flow/mod.ts";
import type { Row } from "../_bench.ts";
import { compare } from "../_compare.ts";
import { contestant, readSettings, scoped } from "./_turns.ts";

/** Reads so many bytes or numbers, one after the other, and gives their sum. */
type Sum = (times: number) => Promise<number>;

interface Case {
  readonly name: string;
  /** How many bytes one of them is. */
  readonly size: number;
  readonly ours: Readonly<Record<string, Sum>>;
  readonly bare: Readonly<Record<string, Sum>>;
}

const chunk = new Uint8Array(64 * 1024).map((_, i) => i * 31 >> 3);

const cases: readonly Case[] = [
  {
    name: "one byte",
    size: 1,
    ours: { "anyByte()": sumOf(1, (r) => () => r.anyByte()) },
    bare: {
      "an async function": async (times) => {
        const source = input(times);
        const buffer = new Uint8Array(64 * 1024);
        let at = 0;
        let end = 0;
        const nextByte = async () => {
          if (at === end) {
            at = 0;
            end = await source.read(buffer) ?? 0;
          }
          return buffer[at++];
        };
        let sum = 0;
        for (let i = 0; i < times; i++) sum += await nextByte();
        return sum;
      },
      "a loop over chunks": async (times) => {
        let sum = 0;
        for await (const bytes of chunks(input(times))) for (const byte of bytes) sum += byte;
        return sum;
      },
    },
  },
  {
    name: "one number of 4 bytes",
    size: 4,
    ours: { "uint32be()": sumOf(4, (r) => () => r.uint32be()) },
    bare: {
      "readExact and DataView": async (times) => {
        const source = input(times * 4);
        const buffer = new Uint8Array(4);
        const view = new DataView(buffer.buffer);
        let sum = 0;
        for (let i = 0; i < times; i++) {
          await readExact(source, buffer);
          sum += view.getUint32(0);
        }
        return sum;
      },
      "a loop over a DataView": async (times) => {
        let sum = 0;
        for await (const bytes of chunks(input(times * 4))) { // whose sizes are multiples of 4
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
          for (let at = 0; at < bytes.length; at += 4) sum += view.getUint32(at);
        }
        return sum;
      },
    },
  },
];

const { runtime, rounds, ms } = readSettings();
const rows: Row[] = [];
for (const { name, size, ours, bare } of cases) {
  const expected = await Object.values(bare)[0](1000);
  for (const [api, sum] of Object.entries({ ...ours, ...bare })) {
    if (await sum(1000) !== expected) throw new Error(`Wrong sum of ${size} bytes each: ${api}`);
  }
  rows.push(
    ...await compare(
      { name, runtime, unit: "ns" },
      await Promise.all(Object.entries(ours).map(([api, sum]) => scoped(api, sum, ms))),
      await Promise.all(Object.entries(bare).map(([api, sum]) => contestant(api, sum, ms))),
      rounds,
    ),
  );
}
console.log(JSON.stringify(rows));

function sumOf(size: number, reading: (r: BufReader) => () => Promise<number>): Sum {
  return async (times) => {
    const next = reading(new BufReader(input(times * size), { maxSize: 64 * 1024 }));
    let sum = 0;
    for (let i = 0; i < times; i++) sum += await next();
    return sum;
  };
}

/** So many bytes, in chunks of 64 KiB. */
function input(size: number): Source {
  if (size <= chunk.length) return bytesSource(chunk.subarray(0, size));
  return fromIterable(pieces(size));
}

function* pieces(size: number): Generator<Uint8Array<ArrayBuffer>> {
  for (let left = size; left > 0; left -= chunk.length) yield chunk.subarray(0, Math.min(left, chunk.length));
}
