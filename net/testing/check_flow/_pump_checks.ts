// Copyright 2026 the Sluice authors. MIT license.

import { BusyError, ClosedError } from "../../../flow/mod.ts";
import { pump, type PumpedSink, type PumpingSource, tryGive } from "../../../flow/internal.ts";
import { both, Cancelled } from "../../../switch/mod.ts";
import { expect, expectBytes, expectError, expectSame, pattern } from "../internal.ts";
import {
  attempt,
  bytesOf,
  expectEnd,
  type FlowCheck,
  type FlowEnd,
  inCancelledScope,
  readRest,
  turns,
  writePieces,
} from "./_flow_check.ts";

/** The contract of `pump` and `tryGive`. */
export const pumpChecks: readonly FlowCheck[] = [
  {
    name: "[pump]() lends one piece after the other, up to the end",
    async run(a, b) {
      const size = 200_000;
      let done = 0;
      const read = async () => {
        const take = (bytes: Uint8Array) => {
          expectBytes(bytes, pattern(done, bytes.length), `what was lent from position ${done} on`);
          done += bytes.length;
          return bytes.length;
        };
        while (!await quick(a)[pump](take)) await turns(1);
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
    name: "[pump]() stops where not all is taken, and keeps the rest",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      for (let done = 0; done < 70; done += 7) {
        const ended = await quick(a)[pump]((bytes) => {
          expectBytes(bytes, pattern(done, bytes.length), `what was lent from position ${done} on`);
          return Math.min(bytes.length, 7);
        });
        expectSame(ended, false, "what [pump]() gives before the end");
      }
      await readRest(a, b, 70, 30);
    },
  },
  {
    name: "[pump]() throws what its borrower throws, and nothing has been taken",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      class Refused extends Error {}
      const refuse = () => {
        throw new Refused();
      };
      await expectError(() => quick(a)[pump](refuse), Refused, "[pump]()");
      await expectError(() => quick(a)[pump]((bytes) => bytes.length + 1), RangeError, "[pump]() of too much");
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "[pump]() is one read for as long as it goes on",
    async run(a, b) {
      const busy = async () => {
        await turns(5);
        await expectError(() => a.read(new Uint8Array(1)), BusyError, "reading beside a pump");
        await b.close();
      };
      await both(() => quick(a)[pump]((bytes) => bytes.length), busy);
    },
  },
  {
    name: "[pump]() that is cancelled leaves what comes to the next reader",
    async run(a, b) {
      expectSame(await attempt(() => quick(a)[pump](() => 0)), undefined, "what a [pump]() gives that waits");
      await writePieces(b, pattern(0, 10));
      await readRest(a, b, 0, 10);
    },
  },
  {
    name: "[pump]() is refused in a cancelled scope",
    async run(a, b) {
      await writePieces(b, pattern(0, 10));
      await inCancelledScope(async () => {
        await expectError(() => quick(a)[pump](() => 1), Cancelled, "[pump]() in a cancelled scope");
      });
      await readRest(a, b, 0, 10);
    },
  },
  {
    name: "[pump]() that waits is woken by close()",
    async run(a) {
      const wait = () => expectError(() => quick(a)[pump](() => 0), ClosedError, "[pump]() of a flow that is closed");
      await both(wait, async () => {
        await turns(5);
        await a.close();
      });
    },
  },
  {
    name: "[tryGive]() takes several buffers in order",
    async run(a, b) {
      const buffers = [pattern(0, 3), pattern(3, 1), pattern(4, 60)];
      await a.write(bytesOf("x")); // the first write of a connection may have to wait
      await b.read(new Uint8Array(1));
      expectSame(quick(a)[tryGive](buffers), 64, "what [tryGive]() takes where nothing is queued");
      await readRest(b, a, 0, 64);
    },
  },
  {
    name: "[tryGive]() takes nothing while something older is queued",
    needs: ["clogged"],
    async run(a, b) {
      let taken = 0;
      for (let refusals = 0; refusals < 20; await turns(1)) {
        const count = quick(a)[tryGive]([pattern(taken, 16 * 1024)]);
        taken += count;
        refusals = count === 0 ? refusals + 1 : 0;
        expect(taken <= 64 * 1024 * 1024, `Expected [tryGive]() to refuse while nobody reads: ${taken} bytes`);
      }
      await readRest(b, a, 0, taken);
    },
  },
  {
    name: "[tryGive]() beside a write that waits is a BusyError",
    needs: ["clogged"],
    async run(a) {
      await attempt(async () => {
        await both(async () => {
          while (true) await a.write(new Uint8Array(16 * 1024));
        }, async () => {
          await turns(15);
          await expectError(
            async () => await quick(a)[tryGive]([bytesOf("x")]),
            BusyError,
            "[tryGive]() beside a write",
          );
        });
      });
    },
  },
  {
    name: "[tryGive]() after shutdown() and close() is a ClosedError",
    async run(a) {
      await a.shutdown("send");
      await expectError(
        async () => await quick(a)[tryGive]([bytesOf("x")]),
        ClosedError,
        "[tryGive]() after shutdown()",
      );
      await a.close();
      await expectError(async () => await quick(a)[tryGive]([bytesOf("x")]), ClosedError, "[tryGive]() after close()");
    },
  },
];

/** The flow with its fast paths for a pump. */
function quick(flow: FlowEnd): PumpingSource & PumpedSink {
  const { [pump]: pumps, [tryGive]: takes } = flow as Partial<PumpingSource & PumpedSink>;
  expect(
    typeof pumps === "function" && typeof takes === "function",
    "Expected the flow to have the fast paths pump and tryGive",
  );
  return flow as FlowEnd & PumpingSource & PumpedSink;
}
