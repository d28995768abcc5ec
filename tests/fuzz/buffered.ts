// Copyright 2026 the Sluice authors. MIT license.

import {
  BufferLimitExceeded,
  type BufReader,
  EndOfFlow,
  fromIterable,
  parse,
  ParseError,
  sequence,
} from "../../flow/mod.ts";
import { BufReader as Reader } from "../../flow/mod.ts";
import { bytesOf } from "../_helpers.ts";
import { checkError, same, type Target } from "./_fuzz.ts";

const wrong = [EndOfFlow, ParseError, BufferLimitExceeded];
const maxSize = 64;

/** The methods that an input chooses from: its first bytes are a program, the rest what is read. */
const steps: readonly ((r: BufReader) => unknown)[] = [
  (r) => r.line(),
  (r) => r.take(3),
  (r) => r.takeWhile((byte) => byte !== 32),
  (r) => r.takeWhile1((byte) => byte > 47),
  (r) => r.skip(5),
  (r) => r.skipWhile((byte) => byte < 48),
  (r) => r.byte(65),
  (r) => r.string("AB"),
  (r) => r.anyByte(),
  (r) => r.peekByte(),
  (r) => r.uint16be(),
  (r) => r.uint32le(),
  (r) => r.uint48be(),
  (r) => r.uint64le(),
  (r) => r.float32be(),
  (r) => r.float64le(),
  (r) => r.atEnd(),
  (r) => r.endOfInput(),
];

/** What a program comes to over a source that has so many bytes in each piece. */
async function trace(input: Uint8Array<ArrayBuffer>, piece: number): Promise<unknown[]> {
  const program = input.subarray(1, 1 + (input[0] ?? 0) % 8);
  const data = input.subarray(1 + program.length);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < data.length; at += piece) pieces.push(data.slice(at, at + piece));
  const reader = new Reader(fromIterable(pieces), { maxSize, initialSize: 1 });
  const results: unknown[] = [];
  for (const step of program) {
    try {
      const value = await steps[step % steps.length](reader);
      results.push(value instanceof Uint8Array ? [...value] : Number.isNaN(value) ? "NaN" : value);
    } catch (error) {
      checkError(wrong, error);
      results.push((error as Error).name);
    }
    results.push(reader.consumed);
    if (reader.buffered > 2 * maxSize) throw new Error(`It keeps ${reader.buffered} bytes`);
  }
  return results;
}

const programs = [[3, 0, 0, 0], [4, 1, 10, 8, 16], [5, 2, 5, 3, 4, 17], [7, 11, 12, 13, 14, 15, 6, 7]];
const contents = ["GET / HTTP/1.0\r\nA: b\r\n\r\n", "AB 12 cd\n\n", "\u20ac\r\r\n😀", "x".repeat(100) + "\n"];

/** `BufReader`, and `parse` and `sequence` over it. */
export const buffered: Target = {
  name: "buffered",
  seeds: programs.flatMap((program) => contents.map((text) => Uint8Array.from([...program, ...bytesOf(text)]))),
  async check(input) {
    same(await trace(input, input.length % 2 === 0 ? 1 : 7), await trace(input, input.length + 1));
    const lines = async (source: Uint8Array<ArrayBuffer>) => {
      const found: string[] = [];
      try {
        for await (const line of sequence(new Reader(fromIterable([source]), { maxSize }), (r) => r.line())) {
          if (line === null) break;
          found.push(line);
        }
      } catch (error) {
        checkError(wrong, error);
        return [...found, (error as Error).name];
      }
      return found;
    };
    await lines(input);
    try {
      await parse(input, async (r) => [await r.uint8(), await r.line()], { maxSize });
    } catch (error) {
      checkError([ParseError], error);
    }
  },
};
