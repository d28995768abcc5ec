// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { BusyError, ClosedError, pipe, type PipeEnd } from "../../../../flow/mod.ts";
import { give, lend } from "../../../../flow/provider.ts";
import { checkFlow, type CheckFlowOptions, type FlowPair } from "../../../../net/testing/mod.ts";
import { runIn } from "../../../../switch/_scope.ts";
import { interruptible, yieldNow } from "../../../../switch/mod.ts";
import { test } from "../../../_test.ts";

const all: CheckFlowOptions = { clogged: () => Promise.resolve(pipe({ capacity: 1000 })) };

function namesOf(options: CheckFlowOptions): string[] {
  return checkFlow(() => Promise.resolve(pipe()), options).map(({ name }) => name);
}

test("checkFlow() names each of its many checks differently", () => {
  const names = namesOf(all);
  assert(names.length >= 50, `${names.length} checks`);
  assertEquals(new Set(names).size, names.length);
});

test("checkFlow() makes connections only when a check is run, and two for each run", async () => {
  let made = 0;
  const checks = checkFlow(() => (made++, Promise.resolve(pipe())));
  assertEquals(made, 0);
  await checks[0].run();
  await checks[0].run();
  assertEquals(made, 4);
});

test("checkFlow() leaves out what the flows cannot do", () => {
  const everything = namesOf(all);
  const options: CheckFlowOptions[] = [
    { ...all, clogged: undefined },
    { ...all, halfClose: false },
    { ...all, brokenWrites: false },
    { ...all, fastPaths: false },
  ];
  for (const each of options) assert(namesOf(each).length < everything.length);
  assertFalse(namesOf({ ...all, fastPaths: false }).some((name) => /^(\[lend|\[give|readable)/.test(name)));
});

test("checkFlow() accepts flows without fast paths if its options say so", async () => {
  const plain = (end: PipeEnd) => ({ ...wrap(end), [lend]: undefined, [give]: undefined });
  for (const check of checkFlow(() => Promise.resolve(pair(plain)), { fastPaths: false })) await check.run();
});

test("checkFlow() fails if the flows lack fast paths and its options do not say so", async () => {
  const plain = (end: PipeEnd) => ({ ...wrap(end), [lend]: undefined });
  await assertFails("[lend]() of which nothing is taken leaves everything", plain);
});

/** A fault of a flow, the check that finds it, and how to make it. */
const faults: [fault: string, check: string, make: (end: PipeEnd) => Partial<PipeEnd>][] = [
  [
    "takes an empty buffer for a read of nothing",
    "read() into an empty buffer is a RangeError and takes nothing",
    (end) => ({ read: (buffer) => buffer.length === 0 ? Promise.resolve(0) : end.read(buffer) }),
  ],
  [
    "gives more than was written",
    "read() returns what the other end wrote",
    (end) => ({
      read: async (buffer) => {
        const count = await end.read(buffer);
        buffer[0]++;
        return count;
      },
    }),
  ],
  [
    "says that it took what it did not",
    "read() and write() move much data both ways at once, whole and in order",
    (end) => ({ write: async (bytes) => (await end.write(bytes.subarray(0, -1)), bytes.length) }),
  ],
  [
    "looks at a buffer after its write has settled",
    "write() lets its buffer be changed as soon as it has settled",
    (end) => {
      let queue: Promise<unknown> = Promise.resolve();
      const write = (bytes: Uint8Array) => {
        queue = runIn(undefined, () => queue.then(yieldNow).then(() => end.write(bytes)).catch(() => {}));
        return Promise.resolve(bytes.length);
      };
      return { write };
    },
  ],
  [
    "takes a second read for one at the end",
    "read() beside another read is a BusyError, and does not disturb the first one",
    (end) => ({ read: (buffer) => end.read(buffer).catch((error) => errorOrNull(error, BusyError)) }),
  ],
  [
    "takes bytes without a limit",
    "write() waits while the other end does not read, and continues once it does",
    () => ({ write: (bytes) => Promise.resolve(bytes.length) }),
  ],
  [
    "loses the bytes of a cancelled read",
    "read() that is cancelled at any moment loses nothing",
    (end) => ({ read: (buffer) => interruptible(runIn(undefined, () => end.read(buffer))) }),
  ],
  [
    "takes the bytes of a cancelled write",
    "write() that is cancelled has taken nothing",
    (end) => {
      const queue: Promise<unknown>[] = [Promise.resolve()];
      const write = (bytes: Uint8Array) => {
        const writing = Promise.all(queue).then(() => runIn(undefined, () => end.write(bytes)));
        queue[0] = writing.catch(() => {});
        return interruptible(writing);
      };
      return { write };
    },
  ],
  [
    "reads in a cancelled scope",
    "read() in a cancelled scope is refused and takes nothing",
    (end) => ({ read: (buffer) => runIn(undefined, () => end.read(buffer)) }),
  ],
  [
    "writes in a cancelled scope",
    "write() in a cancelled scope is refused and takes nothing",
    (end) => ({ write: (bytes) => runIn(undefined, () => end.write(bytes)) }),
  ],
  [
    "ends both directions at once",
    'shutdown("send") leaves the other direction open',
    (end) => ({ shutdown: () => end.shutdown("all") }),
  ],
  [
    "takes its own end for the end of the flow",
    "read() and write() after close() are a ClosedError",
    (end) => ({ read: (buffer) => end.read(buffer).catch((error) => errorOrNull(error, ClosedError)) }),
  ],
  [
    "names the wrong operation",
    'write() after shutdown("send") is a ClosedError',
    (end) => ({ write: (bytes) => end.write(bytes).catch(() => Promise.reject(new ClosedError("read"))) }),
  ],
  [
    "fails a second shutdown",
    "shutdown() again, or after close(), does nothing",
    (end) => {
      let done = false;
      return {
        shutdown(how) {
          if (done) return Promise.reject(new Error("Cannot shut down again"));
          done = true;
          return end.shutdown(how);
        },
      };
    },
  ],
  [
    "blames its own side where the other one closed",
    "write() fails once the other end is closed, after a few writes at most, and so does every later write",
    (end) => ({ write: (bytes) => end.write(bytes).catch(() => Promise.reject(new ClosedError("write"))) }),
  ],
  [
    "drops what its borrower did not take",
    "[lend]() lends what has arrived, and keeps what is not taken",
    (end) => ({
      async [lend](use) {
        let taken = 0;
        await end[lend](async (bytes, keep) => (taken = await use(bytes, keep), bytes.length));
        return taken;
      },
    }),
  ],
  [
    "lends memory to be kept that it uses again",
    "[lend]() never changes bytes that a borrower may keep",
    (end) => {
      const memory = new Uint8Array(65_536);
      return {
        [lend]: (use) =>
          end[lend]((bytes) => {
            memory.set(bytes);
            return use(memory.subarray(0, bytes.length), true);
          }),
      };
    },
  ],
  [
    "lends one piece and no more",
    "[lend]() goes on as long as all is taken at once, and returns how much that was",
    (end) => ({ [lend]: (use) => end[lend](async (bytes, keep) => await use(bytes, keep)) }),
  ],
  [
    "returns only what was taken last",
    "[lend]() goes on as long as all is taken at once, and returns how much that was",
    (end) => ({
      async [lend](use) {
        let last = 0;
        const taken = await end[lend]((bytes, keep) => last = use(bytes, keep) as number);
        return taken === null ? null : last;
      },
    }),
  ],
  [
    "lends on although its borrower answered with a promise",
    "[lend]() asks for nothing more where its borrower answers with a promise",
    (end) => ({
      [lend]: (use) =>
        end[lend]((bytes, keep) => {
          const answer = use(bytes, keep);
          return typeof answer === "number" ? answer : bytes.length;
        }),
    }),
  ],
  [
    "calls its borrower in any scope",
    "[lend]() calls its borrower in the scope in which it was called",
    (end) => ({ [lend]: (use) => end[lend]((bytes, keep) => runIn(undefined, use, bytes, keep)) }),
  ],
  [
    "loses what comes to a loan that is cancelled",
    "[lend]() that is cancelled while it waits for more loses nothing",
    (end) => ({
      [lend]: (use) =>
        end[lend](use).catch((error) => {
          runIn(undefined, () => end.read(new Uint8Array(1))).catch(() => {});
          throw error;
        }),
    }),
  ],
  [
    "lets others read between two pieces that it lends",
    "[lend]() is one read for as long as it goes on",
    (end) => ({
      async [lend](use) {
        for (let total = 0;;) {
          let all = false;
          const taken = await end[lend](async (bytes, keep) => {
            const answer = use(bytes, keep);
            all = answer === bytes.length;
            return await answer;
          });
          total += taken ?? 0;
          if (taken === null || !all) return taken === null ? total || null : total;
          await new Promise((resolve) => setTimeout(resolve));
        }
      },
    }),
  ],
  [
    "always answers with a promise to what it is given",
    "[give]() returns a count instead of a promise if nothing is queued",
    (end) => ({ [give]: async (buffers) => await end[give](buffers) }),
  ],
  [
    "throws at once what it is to reject",
    "[give]() after shutdown() is a ClosedError",
    (end) => {
      let ended = false;
      return {
        shutdown: (how) => (ended = true, end.shutdown(how)),
        [give](buffers) {
          if (ended) throw new ClosedError("write");
          return end[give](buffers);
        },
      };
    },
  ],
  [
    "changes the order of what it is given",
    "[give]() takes several buffers in order",
    (end) => ({ [give]: (buffers) => end[give](buffers.toReversed()) }),
  ],
];

for (const [fault, check, make] of faults) {
  test(`checkFlow() finds a flow that ${fault}`, () => assertFails(check, (end) => ({ ...wrap(end), ...make(end) })));
}

function errorOrNull(error: unknown, errorClass: typeof ClosedError | typeof BusyError): null {
  if (error instanceof errorClass) return null;
  throw error;
}

async function assertFails(name: string, make: (end: PipeEnd) => FlowPair[0]): Promise<void> {
  const clogged = () => Promise.resolve(pair(make, 1000));
  const check = checkFlow(() => Promise.resolve(pair(make)), { clogged }).find((check) => check.name === name);
  assert(check !== undefined, `There is no check "${name}"`);
  await assertRejects(() => check.run(), Error);
}

function pair(make: (end: PipeEnd) => FlowPair[0], capacity?: number): FlowPair {
  const [a, b] = pipe({ capacity });
  return [make(a), make(b)];
}

function wrap(end: PipeEnd): PipeEnd {
  return {
    read: (buffer) => end.read(buffer),
    write: (bytes) => end.write(bytes),
    [lend]: (use) => end[lend](use),
    [give]: (buffers) => end[give](buffers),
    shutdown: (how) => end.shutdown(how),
    close: () => end.close(),
    [Symbol.asyncDispose]: () => end.close(),
  };
}
