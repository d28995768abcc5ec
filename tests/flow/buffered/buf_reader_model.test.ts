// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  BufferLimitExceeded,
  BufReader,
  bytesSource,
  EndOfFlow,
  fromIterable,
  ParseError,
  pipe,
  readAll,
  type Source,
} from "../../../flow/mod.ts";
import { give } from "../../../flow/provider.ts";
import { Cancelled, first, yieldNow } from "../../../switch/mod.ts";
import { bytesOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { foreignSource } from "../_helpers.ts";

/** One operation and its argument. */
type Op = readonly [name: string, argument: number];

/** The result of an operation: a value as text, or the name of an error. */
type Outcome = string;

const numbers: Record<string, [size: number, (view: DataView) => number | bigint]> = {
  uint8: [1, (view) => view.getUint8(0)],
  uint16be: [2, (view) => view.getUint16(0)],
  uint16le: [2, (view) => view.getUint16(0, true)],
  uint32be: [4, (view) => view.getUint32(0)],
  uint32le: [4, (view) => view.getUint32(0, true)],
  uint48be: [6, (view) => Number(view.getBigUint64(0) >> 16n)],
  uint48le: [6, (view) => Number(view.getBigUint64(0, true) & 0xffff_ffff_ffffn)],
  uint64be: [8, (view) => view.getBigUint64(0)],
  uint64le: [8, (view) => view.getBigUint64(0, true)],
  float32be: [4, (view) => view.getFloat32(0)],
  float32le: [4, (view) => view.getFloat32(0, true)],
  float64be: [8, (view) => view.getFloat64(0)],
  float64le: [8, (view) => view.getFloat64(0, true)],
};
const others = [
  ...["line", "line", "line", "lines", "lineBatches"],
  ...["take", "takeAll", "takeWhile", "takeWhile1", "skip", "skipWhile", "skipWhile1"],
  ...["byte", "string", "anyByte", "peekByte", "atEnd", "endOfInput", "ensure", "read"],
];
const isSmall = (byte: number) => byte < 100;
const literal = (argument: number) => "ab\n".repeat(argument).slice(0, argument);

/** The reference model: all bytes, and an offset. */
class Model {
  readonly #bytes: Uint8Array;
  readonly #maxSize: number;
  at = 0;

  constructor(bytes: Uint8Array, maxSize: number) {
    this.#bytes = bytes;
    this.#maxSize = maxSize;
  }

  /** @param got The actual result, because the number of lines in a batch is not specified. */
  run([name, argument]: Op, got: Outcome = ""): Outcome {
    const rest = this.#bytes.subarray(this.at);
    const matching = rest.findIndex((byte) => !isSmall(byte));
    const run = matching < 0 ? rest.length : matching;
    switch (name) {
      case "line":
      case "lines":
        return this.#line(rest);
      case "lineBatches":
        return got.startsWith("[") ? this.#batch(JSON.parse(got).length) : this.#line(rest);
      case "take":
        return this.#need(argument, rest) ?? this.#take(argument);
      case "ensure":
        return this.#need(argument, rest) ?? text(undefined);
      case "takeAll":
        return rest.length >= this.#maxSize ? "BufferLimitExceeded" : this.#take(rest.length);
      case "takeWhile":
        return run >= this.#maxSize ? "BufferLimitExceeded" : this.#take(run);
      case "takeWhile1":
        if (run === 0) return `ParseError ${this.at}`;
        return run >= this.#maxSize ? "BufferLimitExceeded" : this.#take(run);
      case "skip":
        this.at += Math.min(argument, rest.length);
        return argument > rest.length ? "EndOfFlow" : text(undefined);
      case "skipWhile1":
        if (run === 0) return `ParseError ${this.at}`;
        // falls through
      case "skipWhile":
        this.at += run;
        return text(run);
      case "byte":
        if (rest.length === 0) return "EndOfFlow";
        if (rest[0] !== argument) return `ParseError ${this.at}`;
        this.at++;
        return text(undefined);
      case "string":
        return this.#string(bytesOf(literal(argument)), rest);
      case "peekByte":
        return text(rest[0] ?? null);
      case "atEnd":
        return text(rest.length === 0);
      case "endOfInput":
        return rest.length === 0 ? text(undefined) : `ParseError ${this.at}`;
      case "anyByte":
        return this.run(["uint8", 0]);
    }
    const [size, read] = numbers[name];
    const missing = this.#need(size, rest);
    if (missing !== undefined) return missing;
    const padded = new Uint8Array(8);
    padded.set(rest.subarray(0, 8));
    this.at += size;
    return text(read(new DataView(padded.buffer)));
  }

  #need(size: number, rest: Uint8Array): Outcome | undefined {
    if (size > this.#maxSize) return "BufferLimitExceeded";
    return size > rest.length ? "EndOfFlow" : undefined;
  }

  #take(size: number): Outcome {
    this.at += size;
    return text(this.#bytes.slice(this.at - size, this.at));
  }

  #line(rest: Uint8Array): Outcome {
    const end = rest.indexOf(10);
    if (end < 0 ? rest.length >= this.#maxSize : end >= this.#maxSize) return "BufferLimitExceeded";
    if (rest.length === 0) return text(null);
    const line = end < 0 ? rest : rest.subarray(0, end > 0 && rest[end - 1] === 13 ? end - 1 : end);
    this.at += end < 0 ? rest.length : end + 1;
    return text(new TextDecoder("utf-8", { ignoreBOM: true }).decode(line));
  }

  #batch(size: number): Outcome {
    const lines = Array.from({ length: Math.max(1, size) }, () => this.#line(this.#bytes.subarray(this.at)));
    return `[${lines.join()}]`;
  }

  #string(expected: Uint8Array, rest: Uint8Array): Outcome {
    for (let i = 0; i < expected.length; i++) {
      if (i >= this.#maxSize) return "BufferLimitExceeded";
      if (i >= rest.length) return "EndOfFlow";
      if (rest[i] !== expected[i]) return `ParseError ${this.at}`;
    }
    this.at += expected.length;
    return text(undefined);
  }
}

async function runReader(reader: BufReader, [name, argument]: Op): Promise<Outcome> {
  try {
    switch (name) {
      case "lines":
      case "lineBatches": {
        const { done, value } = await reader[name]()[Symbol.asyncIterator]().next();
        return text(done ? null : value);
      }
      case "take":
      case "skip":
      case "ensure":
      case "byte":
        return text(await reader[name](argument));
      case "takeWhile":
      case "takeWhile1":
      case "skipWhile":
      case "skipWhile1":
        return text(await reader[name](isSmall));
      case "string":
        return text(await reader.string(literal(argument)));
    }
    return text(await (reader[name as keyof BufReader] as () => Promise<unknown>)());
  } catch (error) {
    if (error instanceof ParseError) return `ParseError ${error.offset}`;
    if (error instanceof EndOfFlow || error instanceof BufferLimitExceeded) return error.name;
    throw error;
  }
}

async function checkOp(reader: BufReader, model: Model, op: Op): Promise<void> {
  const outcome = await runReader(reader, op);
  assertEquals(outcome, model.run(op, outcome), `${op}`);
}

/** Checks a read through the reader as a source: any prefix is right. */
async function checkRead(reader: BufReader, model: Model, bytes: Uint8Array, size: number): Promise<void> {
  const buffer = new Uint8Array(size + 1);
  const count = await reader.asSource().read(buffer);
  assertEquals(count === null, model.at === bytes.length);
  assertEquals(buffer.subarray(0, count ?? 0), bytes.subarray(model.at, model.at + (count ?? 0)));
  model.at += count ?? 0;
}

function text(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  return value instanceof Uint8Array
    ? `bytes ${value.join()}`
    : Object.is(value, -0)
    ? "-0"
    : String(JSON.stringify(value));
}

/** Every kind of source, over the same bytes in the same pieces. */
const makers: Record<string, (pieces: Uint8Array[]) => Source | Promise<Source>> = {
  "of a foreign source": (pieces) => foreignSource(...pieces.map((piece) => piece.slice())),
  "of bytes": (pieces) => bytesSource(...pieces),
  "of an iterable": (pieces) => fromIterable(pieces),
  "of a pipe that was written to": async (pieces) => {
    const [a, b] = pipe();
    for (const piece of pieces) await b.write(piece);
    await b.close();
    return a;
  },
  "of a pipe that was given to": async (pieces) => {
    const [a, b] = pipe();
    for (const piece of pieces) await b[give]([piece.slice()]);
    await b.close();
    return a;
  },
  "through another reader": (pieces) => new BufReader(foreignSource(...pieces), { maxSize: 7 }).asSource(),
};

/** Mostly bytes that have a meaning for the operations. */
const byte = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(97, 98, 10, 10, 13, 32) },
  { weight: 1, arbitrary: fc.constantFrom(0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0xef, 0xbb, 0xbf, 0xff) },
  { weight: 1, arbitrary: fc.nat(255) },
);
const pieceList = fc.array(fc.uint8Array({ minLength: 1, maxLength: 12 }), { maxLength: 12 }).chain((shapes) =>
  fc.tuple(...shapes.map(({ length }) => fc.array(byte, { minLength: length, maxLength: length }))).map((lists) =>
    lists.map((list) => Uint8Array.from(list))
  )
);
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.tuple(fc.constantFrom(...others), fc.nat(12)),
  fc.tuple(fc.constantFrom(...Object.keys(numbers)), fc.nat(12)),
);
const script = fc.record({
  pieces: pieceList,
  ops: fc.array(op, { minLength: 1, maxLength: 25 }),
  maxSize: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constant(1000)),
  initialSize: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constant(undefined)),
});

for (const [kind, make] of Object.entries(makers)) {
  test(`BufReader ${kind} gives what a plain model gives, however the input is split`, async () => {
    await fc.assert(
      fc.asyncProperty(script, async ({ pieces, ops, maxSize, initialSize }) => {
        const bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
        const model = new Model(bytes, maxSize);
        const reader = new BufReader(await make(pieces), { maxSize, initialSize });
        for (const op of ops) {
          if (op[0] === "read") await checkRead(reader, model, bytes, op[1]);
          else await checkOp(reader, model, op);
          assertEquals(reader.consumed, model.at, `${op}`);
        }
        assertEquals(await readAll(reader.asSource()), bytes.subarray(model.at));
      }),
      { numRuns: 400 },
    );
  });
}

test("BufReader.of() returns what a plain model gives", async () => {
  await fc.assert(
    fc.asyncProperty(script, async ({ pieces, ops }) => {
      const bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
      const model = new Model(bytes, Infinity);
      const reader = BufReader.of(bytes);
      for (const op of ops) {
        if (op[0] === "read") await checkRead(reader, model, bytes, op[1]);
        else await checkOp(reader, model, op);
        assertEquals([reader.consumed, reader.buffered], [model.at, bytes.length - model.at]);
      }
    }),
    { numRuns: 300 },
  );
});

test("BufReader that is cancelled again and again while it waits loses nothing and repeats nothing", async () => {
  const atomic = op.filter(([name]) => !name.startsWith("skip") && name !== "read");
  await fc.assert(
    fc.asyncProperty(
      pieceList,
      fc.array(atomic, { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(3), { minLength: 1, maxLength: 8 }),
      async (pieces, ops, turns) => {
        const [a, b] = pipe();
        const bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
        const model = new Model(bytes, 50);
        const reader = new BufReader(a, { maxSize: 50 });
        const feeding = (async () => {
          for (const [i, piece] of pieces.entries()) {
            for (let turn = 0; turn < turns[i % turns.length]; turn++) await yieldNow();
            await b.write(piece);
          }
          await b.close();
        })();
        for (const [i, op] of ops.entries()) {
          let outcome: Outcome | undefined;
          for (let patience = turns[i % turns.length]; outcome === undefined; patience++) {
            await first(async () => {
              outcome = await runReader(reader, op);
            }, async () => {
              for (let turn = 0; turn < patience; turn++) await yieldNow();
            }).catch((error) => {
              if (!(error instanceof Cancelled)) throw error;
            });
          }
          assertEquals([outcome, reader.consumed], [model.run(op, outcome), model.at], `${op}`);
        }
        await feeding;
        await a.close();
      },
    ),
    { numRuns: 60 },
  );
});
