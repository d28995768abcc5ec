// Copyright 2026 the Sluice authors. MIT license.

import { BusyError } from "../../../flow/mod.ts";
import { lend } from "../../../flow/internal.ts";
import { both } from "../../../switch/mod.ts";
import { expect, expectBytes, expectError, expectSame, pattern } from "../internal.ts";
import { expectEnd, fast, type FlowCheck, readRest, turns, writePieces } from "./_flow_check.ts";

class Refused extends Error {}

/** The contract of `lend`: what is lent, and what is taken. */
export const lendChecks: readonly FlowCheck[] = [
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
            return Promise.resolve(Math.min(bytes.length, 7));
          });
          expect(taken !== null && taken >= 1 && taken <= 7, `Expected [lend]() to return what was taken: ${taken}`);
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
      expectSame(await fast(a)[lend](() => 0), 0, "what [lend]() returns");
      expectSame(await fast(a)[lend](() => Promise.resolve(0)), 0, "what [lend]() returns for a promise");
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "[lend]() stops where not all is taken, and keeps the rest",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      let done = 0;
      while (done < 70) {
        const before = done;
        const taken = await fast(a)[lend]((bytes) => {
          expectBytes(bytes, pattern(done, bytes.length), `what was lent from position ${done} on`);
          const part = Math.min(bytes.length, 7, 70 - done);
          done += part;
          return part;
        });
        expectSame(taken, done - before, "what [lend]() returns");
      }
      await readRest(a, b, 70, 30);
    },
  },
  {
    name: "[lend]() lends one piece after the other, up to the end",
    async run(a, b) {
      const size = 200_000;
      let done = 0;
      const take = (bytes: Uint8Array) => {
        expectBytes(bytes, pattern(done, bytes.length), `what was lent from position ${done} on`);
        done += bytes.length;
        return bytes.length;
      };
      const read = async () => {
        let total = 0;
        for (let taken; (taken = await fast(a)[lend](take)) !== null;) {
          total += taken;
          expectSame(total, done, "what [lend]() has returned in all");
          await turns(1);
        }
      };
      await both(read, async () => {
        await writePieces(b, pattern(0, size));
        await b.close();
      });
      expectSame(done, size, "how much was lent");
      await expectEnd(a);
    },
  },
  {
    name: "[lend]() goes on as long as all is taken at once, and returns how much that was",
    async run(a, b) {
      let done = 0;
      let settled = false;
      const take = (bytes: Uint8Array) => {
        expectBytes(bytes, pattern(done, bytes.length), `what was lent from position ${done} on`);
        done += bytes.length;
        return bytes.length;
      };
      const read = async () => {
        const taken = await fast(a)[lend](take);
        settled = true;
        expectSame(taken, 60, "what [lend]() returns at the end");
        expectSame(await fast(a)[lend](take), null, "what the next [lend]() returns");
      };
      await both(read, async () => {
        for (const from of [0, 20, 40]) {
          await writePieces(b, pattern(from, 20));
          while (done < from + 20) await turns(1);
        }
        await turns(5);
        expect(!settled, "Expected [lend]() to wait for more");
        await b.close();
      });
    },
  },
  {
    name: "[lend]() asks for nothing more where its borrower answers with a promise",
    async run(a, b) {
      await writePieces(b, pattern(0, 10));
      let done = 0;
      let waits = false; // whether the borrower has answered, and the loan has not settled
      const take = (bytes: Uint8Array) => {
        waits = true;
        return Promise.resolve(bytes.length);
      };
      const read = async () => {
        while (done < 10) {
          done += await fast(a)[lend](take) ?? Infinity;
          waits = false;
        }
      };
      await both(read, async () => {
        for (let count = 0; done < 10; count = waits ? count + 1 : 0) {
          expect(count < 50, "Expected [lend]() to settle when its borrower has");
          await turns(1);
        }
      });
      expectSame(done, 10, "what [lend]() returns");
      await writePieces(b, pattern(10, 10));
      await readRest(a, b, 10, 10);
    },
  },
  {
    name: "[lend]() at the end returns null without lending",
    async run(a, b) {
      await both(() => b.close(), () => expectEnd(a));
      const use = () => {
        throw new Error("Expected nothing to be lent at the end");
      };
      expectSame(await fast(a)[lend](use), null, "what [lend]() returns at the end");
    },
  },
  {
    name: "[lend]() throws what its borrower throws, and nothing has been taken",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      const refuse = () => {
        throw new Refused();
      };
      await expectError(() => fast(a)[lend](refuse), Refused, "[lend]()");
      await expectError(() => fast(a)[lend](() => Promise.reject(new Refused())), Refused, "[lend]() of a promise");
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "[lend]() keeps what its borrower took before it threw",
    async run(a, b) {
      let done = 0;
      const take = (bytes: Uint8Array) => {
        if (done === 10) throw new Refused();
        done += bytes.length;
        return bytes.length;
      };
      await both(() => expectError(() => fast(a)[lend](take), Refused, "[lend]()"), async () => {
        await writePieces(b, pattern(0, 10));
        while (done < 10) await turns(1);
        await writePieces(b, pattern(10, 10));
      });
      await readRest(a, b, 10, 10);
    },
  },
  {
    name: "[lend]() rejects a borrower that takes more than it was lent",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      await expectError(() => fast(a)[lend]((bytes) => bytes.length + 1), RangeError, "[lend]() of too much");
      await expectError(() => fast(a)[lend](() => -1), RangeError, "[lend]() of a negative count");
      const later = (bytes: Uint8Array) => Promise.resolve(bytes.length + 1);
      await expectError(() => fast(a)[lend](later), RangeError, "[lend]() of a promise of too much");
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
    name: "[lend]() is one read for as long as it goes on",
    async run(a, b) {
      let done = 0;
      let beside: Promise<unknown> | undefined;
      const take = (bytes: Uint8Array) => {
        beside ??= expectError(() => a.read(new Uint8Array(1)), BusyError, "reading while bytes are lent");
        done += bytes.length;
        return bytes.length;
      };
      const busy = async () => {
        await turns(5);
        await expectError(() => a.read(new Uint8Array(1)), BusyError, "reading beside a loan that waits");
        await writePieces(b, pattern(0, 10));
        while (done < 10) await turns(1);
        await expectError(() => a.read(new Uint8Array(1)), BusyError, "reading beside a loan that waits for more");
        await beside;
        await b.close();
      };
      await both(() => fast(a)[lend](take), busy);
    },
  },
  {
    name: "[lend]() never changes bytes that a borrower may keep",
    async run(a, b) {
      const size = 200_000;
      const kept: Uint8Array[] = [];
      let done = 0;
      const keep = (bytes: Uint8Array, mayKeep: boolean) => {
        kept.push(mayKeep ? bytes : bytes.slice());
        done += bytes.length;
        return bytes.length;
      };
      const read = async () => {
        while (done < size) await fast(a)[lend](keep);
      };
      await both(read, async () => {
        await writePieces(b, pattern(0, size));
        await b.close();
      });
      let at = 0;
      for (const bytes of kept) {
        expectBytes(bytes, pattern(at, bytes.length), `what was kept from position ${at} on`);
        at += bytes.length;
      }
    },
  },
];
