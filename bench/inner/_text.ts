// Copyright 2026 the Sluice authors. MIT license.

/** What the programs that read are given: a text of a mebibyte, again and again, in chunks of 64 KiB. */
import { Buffer } from "node:buffer";

const size = 1024 * 1024;
const chunkSize = 64 * 1024;

/** A text that is read again and again. */
export interface Text {
  /** How many lines it has. Many go over from one chunk to the next. */
  readonly lines: number;
  /** The text `times` times, in chunks. They are `Buffer`s, which everybody takes; nobody may change them. */
  chunks(times: number): Generator<Uint8Array<ArrayBuffer>>;
}

/** A text whose lines are from half as long as `mean` bytes to half longer, the line feed included, always the same. */
export function makeText(mean: number): Text {
  const least = Math.ceil(mean / 2);
  let text = "";
  let lines = 0;
  for (let step = 0; text.length < size - 2 * mean; lines++) {
    step = (step + 7919) % (mean + 1);
    text += "It was a bright cold day in April, and the clocks were striking thirteen. ".repeat(4).slice(
      0,
      least + step - 1,
    );
    text += "\n";
  }
  text += `${"x".repeat(size - text.length - 1)}\n`;
  const bytes = Buffer.from(text) as Buffer<ArrayBuffer>;
  return {
    lines: lines + 1,
    *chunks(times) {
      for (let i = 0; i < times; i++) {
        for (let from = 0; from < size; from += chunkSize) yield bytes.subarray(from, from + chunkSize);
      }
    },
  };
}

/** The chunks as a web stream. */
export function webStream(chunks: Iterator<Uint8Array<ArrayBuffer>>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    pull(controller) {
      const { done, value } = chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}
