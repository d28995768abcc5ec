// Copyright 2026 the Sluice authors. MIT license.

/** A line of a text that comes from memory in chunks of 64 KiB. */
import { Buffer } from "node:buffer";
import { createInterface, type Interface } from "node:readline";
import { Readable } from "node:stream";
import { BufReader, fromIterable } from "../../flow/mod.ts";
import { type Block, type Cases, scoped } from "./_case.ts";

const size = 1024 * 1024;
const chunkSize = 64 * 1024;

/** Average lengths of a line, in bytes: those of a source file, and of a log. */
const means = [32, 100];

/** Reads the text `times` times, and returns how many lines it saw. */
type Count = (text: Text, times: number) => Promise<number>;

const ours: Readonly<Record<string, Count>> = {
  async "lineBatches()"(text, times) {
    let count = 0;
    for await (const lines of reader(text, times).lineBatches()) for (const line of lines) count += tally(line);
    return count;
  },
  "lines()": (text, times) => countAll(reader(text, times).lines()),
  async "line()"(text, times) {
    let count = 0;
    const input = reader(text, times);
    for (let line; (line = await input.line()) !== null;) count += tally(line);
    return count;
  },
};

const beside: Readonly<Record<string, Count>> = {
  "readline, for await": (text, times) => countAll(readline(text, times)),
  'readline, on("line")'(text, times) {
    const { promise, resolve } = Promise.withResolvers<number>();
    const input = readline(text, times);
    let count = 0;
    input.on("line", (line: string) => count += tally(line));
    input.on("close", () => resolve(count));
    return promise;
  },
};

export const cases: Cases = async (measure) => {
  for (const mean of means) {
    const text = new Text(mean);
    const blocks = (counts: Readonly<Record<string, Count>>, wrap: (block: Block) => Block) =>
      Object.fromEntries(Object.entries(counts).map(([api, count]) => [api, wrap(checked(text, count))]));
    await measure({
      name: `lines of about ${mean} bytes`,
      divisor: text.lines,
      ours: blocks(ours, scoped),
      beside: blocks(beside, (block) => block),
    });
  }
};

/**
 * A text of a mebibyte that is read again and again. Its lines are from half as long as `mean` to
 * half longer.
 */
class Text {
  /** How many lines it has. */
  readonly lines: number;
  readonly #bytes: Buffer<ArrayBuffer>;

  constructor(mean: number) {
    const filling = "It was a bright cold day in April, and the clocks were striking thirteen. ".repeat(4);
    let text = "";
    let lines = 1;
    for (let step = 0; text.length < size - 2 * mean; lines++) {
      step = (step + 7919) % (mean + 1);
      text += `${filling.slice(0, Math.ceil(mean / 2) + step - 1)}\n`;
    }
    this.#bytes = Buffer.from(`${text}${"x".repeat(size - text.length - 1)}\n`) as Buffer<ArrayBuffer>;
    this.lines = lines;
  }

  /** The text `times` times, in chunks, which may not be changed. */
  *chunks(times: number): Generator<Uint8Array<ArrayBuffer>> {
    for (let i = 0; i < times; i++) {
      for (let from = 0; from < size; from += chunkSize) yield this.#bytes.subarray(from, from + chunkSize);
    }
  }
}

/** Throws when a line is missing. */
function checked(text: Text, count: Count): Block {
  return async (times) => {
    const seen = await count(text, times);
    if (seen !== times * text.lines) throw new Error(`Read ${seen} lines of ${times * text.lines}`);
  };
}

async function countAll(lines: AsyncIterable<string>): Promise<number> {
  let count = 0;
  for await (const line of lines) count += tally(line);
  return count;
}

/** Looks at a line, so that it has to be made. */
function tally(line: string): number {
  return line.charCodeAt(0) > 0 ? 1 : 0;
}

function reader(text: Text, times: number): BufReader {
  return new BufReader(fromIterable(text.chunks(times)), { maxSize: 64 * 1024 });
}

function readline(text: Text, times: number): Interface {
  return createInterface({ input: Readable.from(text.chunks(times)) });
}
