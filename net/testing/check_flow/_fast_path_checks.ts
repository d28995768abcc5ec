// Copyright 2026 the Sluice authors. MIT license.

import { BusyError, ClosedError, readable } from "../../../flow/mod.ts";
import { give, lend } from "../../../flow/internal.ts";
import { both, Cancelled } from "../../../switch/mod.ts";
import { expect, expectBytes, expectError, expectSame, pattern } from "../internal.ts";
import {
  bytesOf,
  clog,
  expectEnd,
  fast,
  type FlowCheck,
  inCancelledScope,
  readPattern,
  readRest,
  turns,
  writePieces,
} from "./_flow_check.ts";

/** The contract of `lend` and `give`, and of `readable`, which stands on `lend`. */
export const fastPathChecks: readonly FlowCheck[] = [
  {
    name: "[lend]() lends what has arrived, and keeps what is not taken",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      const source = fast(a);
      const borrow = async () => {
        for (let done = 0; done < 100;) {
          const taken = await source[lend]((bytes) => {
            expect(bytes.length >= 1, "Expected at least one byte to be lent");
            expectBytes(bytes, pattern(done, bytes.length), `what was lent from position ${done} on`);
            return Math.min(bytes.length, 7);
          });
          expect(taken !== null && taken >= 1 && taken <= 7, `Expected [lend]() to give what was taken: ${taken}`);
          done += taken;
        }
      };
      await both(() => b.close(), borrow);
    },
  },
  {
    name: "[lend]() of which nothing is taken leaves everything",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      expectSame(await fast(a)[lend](() => 0), 0, "what [lend]() gives");
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "[lend]() at the end gives null without lending",
    async run(a, b) {
      await both(() => b.close(), () => expectEnd(a));
      const use = () => {
        throw new Error("Expected nothing to be lent at the end");
      };
      expectSame(await fast(a)[lend](use), null, "what [lend]() gives at the end");
    },
  },
  {
    name: "[lend]() throws what its borrower throws, and nothing has been taken",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      class Refused extends Error {}
      await expectError(() => fast(a)[lend](() => Promise.reject(new Refused())), Refused, "[lend]()");
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "[lend]() does not believe a borrower that took more than there was",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      await expectError(() => fast(a)[lend]((bytes) => bytes.length + 1), RangeError, "[lend]() of too much");
      await expectError(() => fast(a)[lend](() => -1), RangeError, "[lend]() of a negative count");
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "[lend]() is a read until its borrower has settled",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      await fast(a)[lend](async () => {
        await expectError(() => a.read(new Uint8Array(1)), BusyError, "reading beside a loan");
        await expectError(() => fast(a)[lend](() => 0), BusyError, "a loan beside a loan");
        return 0;
      });
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "[lend]() says truly that what it lent may be kept",
    async run(a, b) {
      const size = 200_000;
      const kept: Uint8Array[] = [];
      let done = 0;
      const read = async () => {
        while (done < size) {
          await fast(a)[lend]((bytes, keep) => {
            kept.push(keep ? bytes : bytes.slice());
            done += bytes.length;
            return bytes.length;
          });
        }
      };
      await both(read, () => writePieces(b, pattern(0, size)));
      let at = 0;
      for (const bytes of kept) {
        expectBytes(bytes, pattern(at, bytes.length), `what was kept from position ${at} on`);
        at += bytes.length;
      }
    },
  },
  {
    name: "[lend]() is refused in a cancelled scope and after close()",
    async run(a, b) {
      await writePieces(b, pattern(0, 10));
      await inCancelledScope(async () => {
        await expectError(() => fast(a)[lend](() => 1), Cancelled, "[lend]() in a cancelled scope");
      });
      await readRest(a, b, 0, 10);
      await a.close();
      await expectError(() => fast(a)[lend](() => 1), ClosedError, "[lend]() after close()");
    },
  },
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
    name: "[give]() of nothing takes nothing",
    async run(a, b) {
      expectSame(await fast(a)[give]([]), 0, "what [give]() gives for no buffer");
      expectSame(await fast(a)[give]([new Uint8Array(0)]), 0, "what [give]() gives for an empty buffer");
      await both(() => a.close(), () => expectEnd(b));
    },
  },
  {
    name: "[give]() is refused in a cancelled scope and after close()",
    async run(a, b) {
      await inCancelledScope(async () => {
        await expectError(() => fast(a)[give]([bytesOf("x")]), Cancelled, "[give]() in a cancelled scope");
      });
      await both(() => a.close(), () => expectEnd(b));
      await expectError(() => fast(a)[give]([bytesOf("x")]), ClosedError, "[give]() after close()");
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
    name: "readable() waits for a byte, and takes none",
    async run(a, b) {
      let woken = false;
      const wait = async () => {
        await readable(a);
        woken = true;
      };
      await both(wait, async () => {
        await turns(5);
        expect(!woken, "Expected readable() to wait while there is no byte");
        await writePieces(b, pattern(0, 10));
      });
      await readRest(a, b, 0, 10);
    },
  },
  {
    name: "readable() ends at the end",
    async run(a, b) {
      await both(() => readable(a), () => b.close());
      await expectEnd(a);
    },
  },
];

/** What is left of the buffers after the first `count` bytes. */
function without(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  return buffers.map((bytes) => {
    const part = bytes.subarray(skip);
    skip -= bytes.length - part.length;
    return part;
  });
}
