// Copyright 2026 the Sluice authors. MIT license.

import { BusyError, copy, readAll, type Sink, type Source } from "../../../flow/mod.ts";
import { all, both } from "../../../switch/mod.ts";
import { expect, expectBytes, expectError, expectSame, pattern, seededRandom } from "../internal.ts";
import {
  bytesOf,
  clog,
  expectEnd,
  type FlowCheck,
  readOnce,
  readPattern,
  readRest,
  settleSoon,
  turns,
  writePieces,
} from "./_flow_check.ts";

/** How much the large transfer sends each way, in bytes. */
const large = 512 * 1024;

/** Values that a flow could mistake for bytes. */
const notBytes: readonly unknown[] = [
  new Uint16Array(4),
  new DataView(new ArrayBuffer(4)),
  Object.create(null),
  "text",
];

/** Reading and writing while both ends are open. */
export const transferChecks: readonly FlowCheck[] = [
  {
    name: "read() returns what the other end wrote",
    async run(a, b) {
      await writePieces(a, bytesOf("ping"));
      await readText(b, "ping");
    },
  },
  {
    name: "read() waits for the first byte",
    async run(a, b) {
      await both(() => readText(a, "x"), async () => {
        await turns(5);
        await writePieces(b, bytesOf("x"));
      });
    },
  },
  {
    name: "read() into a small buffer leaves the rest for the next read",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      const first = await readOnce(a, 7);
      expect(first !== null, "Expected read() to return bytes: it returned the end");
      expectBytes(first, pattern(0, first.length), "the first read");
      await readRest(a, b, first.length, 100 - first.length);
    },
  },
  {
    name: "read() into an empty buffer is a RangeError and takes nothing",
    async run(a, b) {
      await expectError(() => a.read(new Uint8Array(0)), RangeError, "reading into an empty buffer");
      await writePieces(b, bytesOf("all"));
      await expectError(() => a.read(new Uint8Array(0)), RangeError, "reading into an empty buffer");
      await readText(a, "all");
    },
  },
  {
    name: "read() beside another read is a BusyError, and does not disturb the first one",
    async run(a, b) {
      await both(() => readText(a, "x"), async () => {
        await expectError(() => a.read(new Uint8Array(1)), BusyError, "the second read");
        await writePieces(b, bytesOf("x"));
      });
    },
  },
  {
    name: "read() of what is not bytes is a TypeError, by rejection, and takes nothing",
    async run(a, b) {
      await writePieces(b, bytesOf("all"));
      for (const bad of notBytes) {
        const reading = a.read(bad as Uint8Array);
        await expectError(() => reading, TypeError, "reading into what is not bytes");
      }
      await readText(a, "all");
    },
  },
  {
    name: "read() whose buffer is detached while it waits is a TypeError, and loses nothing",
    async run(a, b) {
      const buffer = new Uint8Array(16);
      await both(() => expectError(() => a.read(buffer), TypeError, "the read"), async () => {
        await turns(5);
        structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
        await writePieces(b, bytesOf("all"));
      });
      await readText(a, "all");
    },
  },
  {
    name: "write() of what is not bytes is a TypeError, by rejection, and sends nothing",
    async run(a, b) {
      for (const bad of notBytes) {
        const writing = a.write(bad as Uint8Array);
        await expectError(() => writing, TypeError, "writing what is not bytes");
      }
      await writePieces(a, bytesOf("x"));
      await readText(b, "x");
    },
  },
  {
    name: "write() of an empty buffer takes nothing and sends nothing",
    async run(a, b) {
      expectSame(await a.write(new Uint8Array(0)), 0, "the result of write() of an empty buffer");
      await writePieces(a, bytesOf("x"));
      await readText(b, "x");
    },
  },
  {
    name: "write() lets its buffer be changed as soon as it has settled",
    async run(a, b) {
      const size = 200 * 1024;
      await both(() => readPattern(b, 0, size), async () => {
        const buffer = new Uint8Array(10_000);
        for (let done = 0; done < size;) {
          buffer.set(pattern(done, buffer.length));
          done += await a.write(buffer.subarray(0, Math.min(buffer.length, size - done)));
          buffer.fill(0);
        }
      });
    },
  },
  {
    name: "write() works beside a waiting read of the same end",
    async run(a, b) {
      await both(() => readText(a, "pong"), async () => {
        await writePieces(a, bytesOf("ping"));
        await readText(b, "ping");
        await writePieces(b, bytesOf("pong"));
      });
    },
  },
  {
    name: "read() and write() move much data both ways at once, whole and in order",
    async run(a, b) {
      await all([
        () => writeRandomly(a, 1),
        () => writeRandomly(b, 2),
        () => readRandomly(a, 3),
        () => readRandomly(b, 4),
      ]);
    },
  },
  {
    name: "write() waits while the other end does not read, and continues once it does",
    needs: ["clogged"],
    async run(a, b) {
      const taken = await clog((bytes) => a.write(bytes));
      const more = 100_000;
      await both(() => readPattern(b, 0, taken + more), () => writePieces(a, pattern(taken, more)));
    },
  },
  {
    name: "write() beside a waiting write is a BusyError",
    needs: ["clogged"],
    async run(a, b) {
      await clog((bytes) => a.write(bytes));
      let closed = false;
      const end = async () => {
        closed = true;
        await Promise.all([a.close(), b.close()]);
      };
      // The flow may still take a little more, so that the first write does not wait.
      while (!closed) {
        const one = a.write(pattern(0, 1000)).catch(() => {});
        try {
          expect(
            await settleSoon(() => a.write(pattern(0, 1000))) !== undefined,
            "Expected a second write not to wait",
          );
        } catch (error) {
          await end();
          expect(error instanceof BusyError, `Expected the second write to be a BusyError: ${String(error)}`);
        }
        await one;
      }
    },
  },
  {
    name: "copy() of a flow onto itself echoes up to the end",
    needs: ["halfClose"],
    async run(a, b) {
      const size = 100_000;
      const echo = async () => {
        expectSame(await copy(b, b), size, "what copy() gives");
        await b.shutdown("send");
      };
      const send = async () => {
        await writePieces(a, pattern(0, size));
        await a.shutdown("send");
      };
      const [, , echoed] = await all([echo, send, () => readAll(a)]);
      expectBytes(echoed, pattern(0, size), "the echo");
    },
  },
  {
    name: "copy() leaves its sink open",
    async run(a, b) {
      let left = 3;
      const source: Source = {
        read: (buffer) => Promise.resolve(left-- > 0 ? buffer.set(bytesOf("x")) ?? 1 : null),
      };
      expectSame(await copy(source, a), 3, "what copy() gives");
      await writePieces(a, bytesOf("y"));
      await readText(b, "xxxy");
    },
  },
  {
    name: "copy() up to the end delivers every byte once",
    async run(a, b) {
      const size = 50_000;
      const received: Uint8Array[] = [];
      const sink: Sink = {
        write(bytes) {
          const taken = bytes.slice(0, 1 + bytes.length / 3);
          received.push(taken);
          return Promise.resolve(taken.length);
        },
      };
      const send = async () => {
        await writePieces(a, pattern(0, size));
        await a.close();
      };
      const [copied] = await both(() => copy(b, sink), send);
      expectSame(copied, size, "what copy() gives");
      await expectEnd(b);
      let at = 0;
      for (const bytes of received) {
        expectBytes(bytes, pattern(at, bytes.length), `what was copied from position ${at} on`);
        at += bytes.length;
      }
    },
  },
];

async function readText(source: Source, text: string): Promise<void> {
  const expected = bytesOf(text);
  const received = new Uint8Array(expected.length);
  for (let done = 0; done < received.length;) {
    const bytes = await readOnce(source, received.length - done);
    expect(bytes !== null, `Expected "${text}": the flow ended after ${done} bytes`);
    received.set(bytes, done);
    done += bytes.length;
  }
  expectBytes(received, expected, "what was read");
}

async function writeRandomly(sink: Sink, seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (let done = 0; done < large;) {
    const size = Math.min(large - done, 1 + Math.floor(random() ** 4 * 100_000));
    await writePieces(sink, pattern(done, size));
    done += size;
  }
}

async function readRandomly(source: Source, seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (let done = 0; done < large;) {
    const bytes = await readOnce(source, Math.min(large - done, 1 + Math.floor(random() ** 4 * 100_000)));
    expect(bytes !== null, `Expected ${large} bytes: the flow ended after ${done}`);
    expectBytes(bytes, pattern(done, bytes.length), `what was read from position ${done} on`);
    done += bytes.length;
    if (random() < 0.1) await turns(1);
  }
}
