// Copyright 2026 the Sluice authors. MIT license.

import { readable } from "../../../flow/mod.ts";
import { both, Cancelled } from "../../../switch/mod.ts";
import { expect, expectBytes, expectError, expectSame, pattern, seededRandom } from "../internal.ts";
import {
  clog,
  expectEnd,
  type FlowCheck,
  inCancelledScope,
  readOnce,
  readPattern,
  readRest,
  settleSoon,
  turns,
  writePieces,
} from "./_flow_check.ts";

/** Cancellation: an operation either succeeds or is cancelled, never both. */
export const cancelChecks: readonly FlowCheck[] = [
  {
    name: "read() in a cancelled scope is refused and takes nothing",
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      await inCancelledScope(async () => {
        await expectError(() => a.read(new Uint8Array(10)), Cancelled, "read() in a cancelled scope");
      });
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "write() in a cancelled scope is refused and takes nothing",
    async run(a, b) {
      await inCancelledScope(async () => {
        await expectError(() => a.write(pattern(0, 10)), Cancelled, "write() in a cancelled scope");
      });
      await both(() => a.close(), () => expectEnd(b));
    },
  },
  {
    name: "read() that is cancelled loses nothing",
    async run(a, b) {
      expectSame(await settleSoon(() => a.read(new Uint8Array(10))), undefined, "the result of a read without bytes");
      await writePieces(b, pattern(0, 100));
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "read() that is cancelled leaves its buffer alone",
    async run(a, b) {
      const buffer = new Uint8Array(10);
      await settleSoon(() => a.read(buffer));
      await writePieces(b, pattern(0, 100));
      await turns(10);
      expectBytes(buffer, new Uint8Array(10), "the buffer of a cancelled read");
      await readRest(a, b, 0, 100);
    },
  },
  {
    name: "read() that is cancelled at any moment loses nothing",
    async run(a, b) {
      const size = 20_000;
      const random = seededRandom(5);
      const write = async () => {
        for (let done = 0; done < size; done += 100) {
          await writePieces(b, pattern(done, 100));
          await turns(Math.floor(random() * 3));
        }
      };
      const read = async () => {
        for (let done = 0; done < size;) {
          const bytes = await settleSoon(() => readOnce(a, 150), Math.floor(random() * 3));
          if (bytes === undefined) continue;
          expect(bytes !== null, `Expected ${size} bytes: the flow ended after ${done}`);
          expectBytes(bytes, pattern(done, bytes.length), `what was read from position ${done} on`);
          done += bytes.length;
        }
      };
      await both(write, read);
    },
  },
  {
    name: "write() that is cancelled has taken nothing",
    needs: ["clogged"],
    async run(a, b) {
      const taken = await clog((bytes) => a.write(bytes));
      await readRest(b, a, 0, taken);
    },
  },
  {
    name: "write() that is cancelled at any moment has taken nothing, unless it returns a count",
    needs: ["clogged"],
    async run(a, b) {
      const random = seededRandom(6);
      const size = 50_000;
      const write = async () => {
        for (let done = 0; done < size;) {
          const bytes = pattern(done, Math.min(size - done, 1 + Math.floor(random() * 5000)));
          done += await settleSoon(() => a.write(bytes), Math.floor(random() * 3)) ?? 0;
        }
        await a.close();
      };
      const read = async () => {
        for (let done = 0; done < size; done += 100) {
          await readPattern(b, done, 100);
          if (random() < 0.2) await turns(1);
        }
        await expectEnd(b);
        await b.close();
      };
      await both(write, read);
    },
  },
  {
    name: "readable() that is cancelled loses nothing",
    needs: ["fastPaths"],
    async run(a, b) {
      await settleSoon(() => readable(a));
      await writePieces(b, pattern(0, 100));
      await readable(a);
      await inCancelledScope(async () => {
        await expectError(() => readable(a), Cancelled, "readable() in a cancelled scope");
      });
      await readRest(a, b, 0, 100);
    },
  },
];
