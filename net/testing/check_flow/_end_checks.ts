// Copyright 2026 the Sluice authors. MIT license.

import { ClosedError } from "../../../flow/mod.ts";
import { both, Cancelled, yieldNow } from "../../../switch/mod.ts";
import { expect, expectError, expectSame, pattern } from "../internal.ts";
import {
  bytesOf,
  clog,
  expectEnd,
  type FlowCheck,
  type FlowEnd,
  inCancelledScope,
  readPattern,
  turns,
  writePieces,
} from "./_flow_check.ts";

/** The end of both directions: `shutdown`, `close`, and what the other end sees of it. */
export const endChecks: readonly FlowCheck[] = [
  {
    name: 'shutdown("send") gives the other end what was written, and then the end for ever',
    needs: ["halfClose"],
    async run(a, b) {
      await writePieces(a, pattern(0, 100));
      await a.shutdown("send");
      await readPattern(b, 0, 100);
      await expectEnd(b);
    },
  },
  {
    name: 'shutdown("send") leaves the other direction open',
    needs: ["halfClose"],
    async run(a, b) {
      await a.shutdown("send");
      await expectEnd(b);
      await writePieces(b, pattern(0, 100));
      await b.shutdown("send");
      await readPattern(a, 0, 100);
      await expectEnd(a);
    },
  },
  {
    name: 'shutdown("send") ends a waiting read of the other end',
    needs: ["halfClose"],
    async run(a, b) {
      await both(() => expectEnd(b), async () => {
        await turns(5);
        await a.shutdown("send");
      });
    },
  },
  {
    name: 'write() after shutdown("send") is a ClosedError',
    needs: ["halfClose"],
    async run(a) {
      await a.shutdown("send");
      await expectClosed(() => a.write(bytesOf("late")), "write");
    },
  },
  {
    name: 'shutdown("receive") ends a waiting read, and every later one',
    async run(a) {
      await both(() => expectEnd(a), async () => {
        await turns(5);
        await a.shutdown("receive");
      });
      await expectEnd(a);
    },
  },
  {
    name: 'shutdown("receive") drops what arrives, so that the other end can go on',
    needs: ["halfClose"],
    async run(a, b) {
      await writePieces(b, pattern(0, 100));
      await a.shutdown("receive");
      await writePieces(b, pattern(0, 1024 * 1024));
      await expectEnd(a);
      await writePieces(a, pattern(0, 100));
      await readPattern(b, 0, 100);
    },
  },
  {
    name: 'shutdown("all") ends both directions',
    async run(a, b) {
      await a.shutdown("all");
      await expectEnd(a);
      await expectEnd(b);
      await expectClosed(() => a.write(bytesOf("late")), "write");
    },
  },
  {
    name: "shutdown() again, or after close(), does nothing",
    needs: ["halfClose"],
    async run(a, b) {
      for (const how of ["send", "send", "receive", "receive", "all"] as const) await a.shutdown(how);
      await expectEnd(b);
      await a.close();
      for (const how of ["send", "receive", "all"] as const) await a.shutdown(how);
    },
  },
  {
    name: "shutdown() succeeds after the other end has closed",
    async run(a, b) {
      await b.close();
      await expectEnd(a);
      for (const how of ["send", "receive", "all"] as const) await a.shutdown(how);
    },
  },
  {
    name: "shutdown() works in a cancelled scope",
    needs: ["halfClose"],
    async run(a, b) {
      await writePieces(a, pattern(0, 10));
      await inCancelledScope(() => a.shutdown("send"));
      await readPattern(b, 0, 10);
      await expectEnd(b);
    },
  },
  {
    name: "close() delivers what was written, and then the end, to every later read",
    async run(a, b) {
      await writePieces(a, pattern(0, 100));
      await both(() => a.close(), () => readPattern(b, 0, 100));
      await expectEnd(b);
    },
  },
  {
    name: "close() ends a waiting read of the other end",
    async run(a, b) {
      await both(() => expectEnd(b), async () => {
        await turns(5);
        await a.close();
      });
    },
  },
  {
    name: "close() again does nothing",
    async run(a) {
      await Promise.all([a.close(), a.close()]);
      await a.close();
      await a[Symbol.asyncDispose]();
    },
  },
  {
    name: "close() works in a cancelled scope",
    async run(a, b) {
      await inCancelledScope(() => a.close());
      await expectEnd(b);
    },
  },
  {
    name: "close() wakes a waiting read with a ClosedError",
    async run(a) {
      await both(() => expectClosed(() => a.read(new Uint8Array(1)), "read"), async () => {
        await turns(5);
        await a.close();
      });
    },
  },
  {
    name: "close() wakes a waiting write with a ClosedError",
    needs: ["clogged"],
    async run(a, b) {
      await clog((bytes) => a.write(bytes));
      const write = async () => {
        while (true) await a.write(pattern(0, 100));
      };
      await both(() => expectClosed(write, "write"), async () => {
        await turns(5);
        await Promise.all([a.close(), b.close()]);
      });
    },
  },
  {
    name: "[Symbol.asyncDispose]() closes",
    async run(a, b) {
      await a[Symbol.asyncDispose]();
      await expectClosed(() => a.read(new Uint8Array(1)), "read");
      await expectEnd(b);
    },
  },
  {
    name: "read() and write() after close() are a ClosedError",
    async run(a, b) {
      await writePieces(b, bytesOf("unread"));
      await a.close();
      await expectClosed(() => a.read(new Uint8Array(1)), "read");
      await expectClosed(() => a.write(bytesOf("late")), "write");
    },
  },
  {
    name: "read() after the other end closed without reading is the end or an error, and stays so",
    async run(a, b) {
      await writePieces(a, pattern(0, 100));
      await b.close();
      const first = await outcome(a);
      expect(first === "end" || first === "broken", `Expected the end or an error: ${first}`);
      expectSame(await outcome(a), first, "the result of the next read");
    },
  },
  {
    name: "write() fails once the other end is closed, after a few writes at most, and so does every later write",
    needs: ["brokenWrites"],
    async run(a, b) {
      await b.close();
      const write = async () => {
        for (let i = 0; i < 100_000; i++) {
          await a.write(pattern(0, 100));
          await yieldNow();
        }
      };
      const error = await expectError(write, Error, "writing to a closed end");
      expect(!(error instanceof ClosedError), `Expected an error that does not blame this side: ${error}`);
      await expectError(() => a.write(bytesOf("again")), Error, "writing again");
    },
  },
];

/** Throws unless `operation` rejects with a ClosedError that names it. */
async function expectClosed(operation: () => Promise<unknown>, name: string): Promise<void> {
  const error = await expectError(operation, ClosedError, `${name}() on a closed flow`);
  expectSame(error.operation, name, "the operation that the ClosedError names");
}

/** Describes the result of one read. */
async function outcome(flow: FlowEnd): Promise<string> {
  try {
    return await flow.read(new Uint8Array(1)) === null ? "end" : "bytes";
  } catch (error) {
    return error instanceof ClosedError || error instanceof Cancelled ? String(error) : "broken";
  }
}
