// Copyright 2026 the Sluice authors. MIT license.

import { ClosedError, readable } from "../../../flow/mod.ts";
import { lend } from "../../../flow/internal.ts";
import { both, Cancelled, currentSignal, Switch } from "../../../switch/mod.ts";
import { expect, expectError, expectSame, pattern } from "../internal.ts";
import {
  expectEnd,
  fast,
  type FlowCheck,
  inCancelledScope,
  readRest,
  settleSoon,
  turns,
  writePieces,
} from "./_flow_check.ts";

/**
 * The contract of `lend` in scopes: cancellation and closing; and of `readable`, which is built on
 * it.
 */
export const loanChecks: readonly FlowCheck[] = [
  {
    name: "[lend]() calls its borrower in the scope in which it was called",
    async run(a, b) {
      let done = 0;
      const read = () =>
        Switch.run(async () => {
          const here = currentSignal();
          await fast(a)[lend]((bytes) => {
            expect(currentSignal() === here, "Expected the borrower to run in the scope of [lend]()");
            done += bytes.length;
            return bytes.length;
          });
        });
      await both(read, async () => {
        await Switch.run(() => writePieces(b, pattern(0, 10)));
        while (done < 10) await turns(1);
        await Switch.run(() => writePieces(b, pattern(10, 10)));
        while (done < 20) await turns(1);
        await b.close();
      });
    },
  },
  {
    name: "[lend]() that is cancelled leaves what comes to the next reader",
    async run(a, b) {
      expectSame(await settleSoon(() => fast(a)[lend]((bytes) => bytes.length)), undefined, "what [lend]() returns");
      await writePieces(b, pattern(0, 10));
      await readRest(a, b, 0, 10);
    },
  },
  {
    name: "[lend]() that is cancelled while it waits for more loses nothing",
    async run(a, b) {
      await writePieces(b, pattern(0, 10));
      let done = 0;
      const take = (bytes: Uint8Array) => {
        done += bytes.length;
        return bytes.length;
      };
      while (done < 10) {
        expectSame(await settleSoon(() => fast(a)[lend](take)), undefined, "what [lend]() returns that is cancelled");
      }
      await writePieces(b, pattern(10, 10));
      await readRest(a, b, 10, 10);
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
    name: "[lend]() that waits is woken by close()",
    async run(a) {
      const wait = () => expectError(() => fast(a)[lend](() => 0), ClosedError, "[lend]() of a flow that is closed");
      await both(wait, async () => {
        await turns(5);
        await a.close();
      });
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
