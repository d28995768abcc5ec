// Copyright 2026 the Sluice authors. MIT license.

/** What a line of a text costs that comes in chunks from memory. Prints its rows as one line of JSON. */
import { createInterface, type Interface } from "node:readline";
import { Readable } from "node:stream";
import { BufReader, fromIterable } from "../../flow/mod.ts";
import type { Row } from "../_bench.ts";
import { compare } from "../_compare.ts";
import { contestant, readSettings, scoped } from "./_turns.ts";
import { makeText, type Text, webStream } from "./_text.ts";

// As a string, for the npm mirror ships no types.
const { TextLineStream } = await import("deno-std/streams/text_line_stream.js" as string);

/** Reads the text so many times, and tells how many lines it saw. */
type Count = (text: Text, times: number) => Promise<number>;

/** How long lines are on average, in bytes: those of a source file, and those of a log. */
const means = [32, 100];

const ours: Readonly<Record<string, Count>> = {
  "lineBatches()": async (text, times) => {
    let count = 0;
    for await (const lines of reader(text, times).lineBatches()) for (const line of lines) count += tally(line);
    return count;
  },
  "lines()": (text, times) => countAll(reader(text, times).lines()),
  "line()": async (text, times) => {
    let count = 0;
    const input = reader(text, times);
    for (let line; (line = await input.line()) !== null;) count += tally(line);
    return count;
  },
};

/** Some lines of the table are about this and not about the library: what waiting alone costs. */
const floor: Readonly<Record<string, Count>> = {
  "an iterator of one line, for comparison": (text, times) => {
    const most = times * text.lines;
    let given = 0;
    const next = (): Promise<IteratorResult<string>> =>
      Promise.resolve(given++ < most ? { done: false, value: "line" } : { done: true, value: undefined });
    return countAll({ [Symbol.asyncIterator]: () => ({ next }) });
  },
};

const bare: Readonly<Record<string, Count>> = {
  "readline, for await": (text, times) => countAll(readline(text, times)),
  'readline, on("line")': (text, times) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const input = readline(text, times);
    let count = 0;
    input.on("line", (line: string) => count += tally(line));
    input.on("close", () => resolve(count));
    return promise;
  },
  "TextLineStream": async (text, times) => {
    const lines = webStream(text.chunks(times))
      .pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>)
      .pipeThrough(new TextLineStream() as ReadableWritablePair<string, string>).getReader();
    let count = 0;
    for (let result; !(result = await lines.read()).done;) count += tally(result.value);
    return count;
  },
};

const { runtime, rounds, ms } = readSettings();
const rows: Row[] = [];
for (const mean of means) {
  const text = makeText(mean);
  const subject = { name: `lines of about ${mean} bytes`, runtime, unit: "ns" };
  const entries = <T>(counts: Readonly<Record<string, Count>>, make: (api: string, count: Count) => Promise<T>) =>
    Promise.all(Object.entries(counts).map(([api, count]) => make(api, count)));
  rows.push(
    ...await compare(
      subject,
      [
        ...(await entries(ours, (api, count) => scoped(api, counted(text, count), ms, text.lines)))
          .map((contestant) => ({ ...contestant, goals: { "readline, for await": 1 / 5 } })),
        ...(await entries(floor, (api, count) => contestant(api, counted(text, count), ms, text.lines)))
          .map((contestant) => ({ ...contestant, against: ["readline, for await"] })),
      ],
      await entries(bare, (api, count) => contestant(api, counted(text, count), ms, text.lines)),
      rounds,
    ),
  );
}
console.log(JSON.stringify(rows));

/** Throws when a line is missing. */
function counted(text: Text, count: Count): (times: number) => Promise<void> {
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

/** Looks at a line, so that nobody gains by not making it. */
function tally(line: string): number {
  return line.charCodeAt(0) > 0 ? 1 : 0;
}

function reader(text: Text, times: number): BufReader {
  return new BufReader(fromIterable(text.chunks(times)), { maxSize: 64 * 1024 });
}

function readline(text: Text, times: number): Interface {
  return createInterface({ input: Readable.from(text.chunks(times)) });
}
