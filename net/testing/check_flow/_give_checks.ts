// Copyright 2026 the Sluice authors. MIT license.

import { BusyError, ClosedError } from "../../../flow/mod.ts";
import { give } from "../../../flow/internal.ts";
import { both, Cancelled } from "../../../switch/mod.ts";
import { expect, expectError, expectSame, pattern } from "../internal.ts";
import {
  bytesOf,
  clog,
  expectEnd,
  fast,
  type FlowCheck,
  type FlowEnd,
  inCancelledScope,
  readPattern,
  readRest,
  settleSoon,
  turns,
} from "./_flow_check.ts";

/** How often a sink may wait although nothing is queued. */
const patience = 50;

/** The contract of `give`. */
export const giveChecks: readonly FlowCheck[] = [
  {
    name: "[give]() takes several buffers in order",
    async run(a, b) {
      const sizes = [0, 3, 1, 0, 2000, 5, 70_000, 0];
      const size = sizes.reduce((sum, next) => sum + next, 0);
      const send = async () => {
        let left: Uint8Array[] = [];
        for (let at = 0, i = 0; i < sizes.length; at += sizes[i++]) left.push(pattern(at, sizes[i]));
        for (let done = 0; done < size;) {
          const count = await fast(a)[give](left);
          expect(Number.isInteger(count) && count >= 1, `Expected [give]() to take at least one byte: ${count}`);
          done += count;
          left = without(left, count);
        }
      };
      await both(send, () => readPattern(b, 0, size));
    },
  },
  {
    name: "[give]() returns a count instead of a promise if nothing is queued",
    async run(a, b) {
      let prompt = 0;
      let done = 0;
      for (let i = 0; i < patience && prompt < 3; i++) {
        const answer = fast(a)[give]([pattern(done, 3), pattern(done + 3, 1), pattern(done + 4, 60)]);
        if (typeof answer === "number") prompt++;
        const count = await answer;
        expect(count >= 1 && count <= 64, `Expected [give]() to count from 1 to 64: ${count}`);
        await readPattern(b, done, count);
        done += count;
        await turns(1);
      }
      expect(prompt === 3, `Expected [give]() to answer without a promise, once of ${patience} times`);
      await readRest(b, a, done, 0);
    },
  },
  {
    name: "[give]() of nothing takes nothing",
    async run(a, b) {
      expectSame(await fast(a)[give]([]), 0, "what [give]() returns for no buffer");
      expectSame(await fast(a)[give]([new Uint8Array(0)]), 0, "what [give]() returns for an empty buffer");
      await both(() => a.close(), () => expectEnd(b));
    },
  },
  {
    name: "[give]() is refused in a cancelled scope and after close(), and throws nothing at once",
    async run(a, b) {
      await inCancelledScope(() => expectRejection(a, Cancelled, "[give]() in a cancelled scope"));
      await both(() => a.close(), () => expectEnd(b));
      await expectRejection(a, ClosedError, "[give]() after close()");
    },
  },
  {
    name: "[give]() after shutdown() is a ClosedError",
    async run(a) {
      await a.shutdown("send");
      await expectRejection(a, ClosedError, "[give]() after shutdown()");
    },
  },
  {
    name: "[give]() that is cancelled has taken nothing",
    needs: ["clogged"],
    async run(a, b) {
      const sink = fast(a);
      const taken = await clog((bytes) => sink[give]([bytes.subarray(0, 5000), bytes.subarray(5000)]));
      await readRest(b, a, 0, taken);
    },
  },
  {
    name: "[give]() beside a write that waits is a BusyError",
    needs: ["clogged"],
    async run(a) {
      await settleSoon(async () => {
        await both(async () => {
          while (true) await a.write(new Uint8Array(16 * 1024));
        }, async () => {
          await turns(15);
          await expectRejection(a, BusyError, "[give]() beside a write");
        });
      });
    },
  },
];

async function expectRejection(
  flow: FlowEnd,
  type: typeof Cancelled | typeof ClosedError | typeof BusyError,
  what: string,
) {
  const answer = fast(flow)[give]([bytesOf("x")]); // must not throw synchronously
  await expectError(async () => await answer, type, what);
}

/** Returns the rest of the buffers after the first `count` bytes. */
function without(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  return buffers.map((bytes) => {
    const part = bytes.subarray(skip);
    skip -= bytes.length - part.length;
    return part;
  });
}
