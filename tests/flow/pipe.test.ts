// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { joined } from "../../flow/_bytes.ts";
import { BrokenPipeError, copy, copyString, pipe, readAll, writeAll } from "../../flow/mod.ts";
import { give, lend } from "../../flow/provider.ts";
import { checkFlow } from "../../net/testing/check_flow/check_flow.ts";
import { pattern } from "../../net/testing/_random.ts";
import { Switch, yieldNow } from "../../switch/mod.ts";
import { bytesOf } from "../_helpers.ts";
import { test } from "../_test.ts";

const options = { clogged: () => Promise.resolve(pipe({ capacity: 4000 })) };
for (const check of checkFlow(() => Promise.resolve(pipe()), options)) test(`pipe() ${check.name}`, check.run);

const narrow = { clogged: () => Promise.resolve(pipe({ capacity: 13 })) };
for (const check of checkFlow(() => Promise.resolve(pipe({ capacity: 100 })), narrow)) {
  test(`pipe() of 100 bytes ${check.name}`, check.run);
}

test("pipe() with a capacity that is none throws a RangeError", () => {
  for (const capacity of [0, -1, 1.5, NaN, Infinity, "7" as unknown as number]) {
    assertThrows(() => pipe({ capacity }), RangeError, "capacity must be a whole number >= 1");
  }
});

test("pipe() with an undefined capacity holds 64 KiB in each direction", async () => {
  const [a, b] = pipe({ capacity: undefined });
  for (const end of [a, b]) assertEquals(await end.write(new Uint8Array(100_000)), 65_536);
});

test("pipe() holds no more than its capacity", async () => {
  const [a] = pipe({ capacity: 10 });
  assertEquals(await a.write(pattern(0, 7)), 7);
  assertEquals(await a.write(pattern(7, 7)), 3);
});

test("pipe() takes at most 64 KiB in one write", async () => {
  const [a] = pipe({ capacity: 1_000_000 });
  assertEquals(await a.write(new Uint8Array(500_000)), 65_536);
});

test("pipe() breaks a write whose reader has closed", async () => {
  const [a, b] = pipe();
  await b.close();
  const error = await assertRejects(() => a.write(Uint8Array.of(1)), BrokenPipeError);
  assertEquals(error.operation, "write");
});

test("pipe() breaks a write that waits when its reader closes", async () => {
  const [a, b] = pipe({ capacity: 1 });
  await a.write(Uint8Array.of(1));
  const broken = assertRejects(() => a.write(Uint8Array.of(2)), BrokenPipeError);
  await b.close();
  await broken;
});

test("pipe() gives the end, and nothing else, where the other end closed with unread data", async () => {
  const [a, b] = pipe();
  await copyString("unread", a);
  await b.close();
  assertEquals(await a.read(new Uint8Array(1)), null);
});

test("pipe() needs no switch, and outlives one", async () => {
  const [a, b] = await Switch.run(() => pipe());
  await copyString("hello", a);
  await a.close();
  assertEquals((await readAll(b)).length, 5);
});

test("pipe() gives ends that cannot be changed, nor their prototype", () => {
  const [a] = pipe();
  assert(Object.isFrozen(a) && Object.isFrozen(Object.getPrototypeOf(a)));
});

test("pipe() is named in a dump where a fiber waits for it", async () => {
  const [a, b] = pipe();
  await Switch.run(async (sw) => {
    sw.fork(() => a.read(new Uint8Array(1)));
    assert(sw.dump().includes("waiting: read pipe"), sw.dump());
    await b.close();
  });
});

test("pipe() refuses what is not a Uint8Array", async () => {
  const [a] = pipe();
  for (const bad of ["text", [1, 2], new ArrayBuffer(3), undefined] as unknown as Uint8Array[]) {
    await assertRejects(() => a.write(bad), TypeError, "must be a Uint8Array");
    await assertRejects(() => a.read(bad), TypeError, "must be a Uint8Array");
    await assertRejects(async () => await a[give]([bad]), TypeError, "must be a Uint8Array");
  }
});

test("pipe() refuses a way to shut down that is none", async () => {
  const [a] = pipe();
  await assertRejects(() => a.shutdown("both" as "all"), TypeError, 'Cannot shut down "both"');
});

test("pipe() takes bytes from memory shared with other threads", async () => {
  const [a, b] = pipe();
  const shared = new Uint8Array(new SharedArrayBuffer(2000));
  shared.set(pattern(0, 2000));
  await writeAll(a, shared);
  await a[give]([shared]);
  await a.close();
  await b[lend]((bytes) => (assertInstanceOf(bytes.buffer, ArrayBuffer), 0));
  const all = await readAll(b);
  assertEquals([all.subarray(0, 2000), all.subarray(2000)], [pattern(0, 2000), pattern(0, 2000)]);
});

test("[give]() passes large buffers on by reference", async () => {
  const [a, b] = pipe();
  const given = pattern(0, 5000);
  await a[give]([given]);
  await b[lend](async (bytes) => (assert(bytes.buffer === given.buffer), await bytes.length));
});

test("[give]() of a crumb does not keep the large memory that it lies in", async () => {
  const [a, b] = pipe();
  const large = new Uint8Array(1_000_000);
  await a[give]([large.subarray(0, 10)]);
  await b[lend](async (bytes) => (assert(bytes.buffer.byteLength <= 1024), await bytes.length));
});

test("[lend]() refuses a count that is not a whole number", async () => {
  const [a, b] = pipe();
  await copyString("hello", b);
  await assertRejects(() => a[lend](() => 1.5), RangeError, "the borrower took 1.5 of 5 bytes");
  await assertRejects(() => a[lend](() => NaN), RangeError, "the borrower took NaN of 5 bytes");
  assertEquals(await a.read(new Uint8Array(9)), 5);
});

test("pipe() read() gives what several writes have put in, as far as it fits", async () => {
  const [a, b] = pipe();
  await writeAll(a, pattern(0, 2000));
  await writeAll(a, pattern(2000, 2000));
  const buffer = new Uint8Array(3000);
  assertEquals(await b.read(buffer), 3000);
  assertEquals(buffer, joined([pattern(0, 2000), pattern(2000, 2000)]).subarray(0, 3000));
  assertEquals(await b.read(buffer), 1000);
});

test("pipe() read() takes along what a waiting write puts in meanwhile, and leaves the end to the next one", async () => {
  const [a, b] = pipe({ capacity: 4 });
  const writing = writeAll(a, bytesOf("abcdefgh")).then(() => a.close());
  await yieldNow();
  const buffer = new Uint8Array(100);
  assertEquals(await b.read(buffer), 8);
  await writing;
  assertEquals(await b.read(buffer), null);
});

test("pipe() that is full takes a part of a write once half of it is free", async () => {
  const [a, b] = pipe({ capacity: 10 });
  await a.write(pattern(0, 10));
  let taken: number | undefined;
  const writing = a.write(pattern(10, 20)).then((count) => taken = count);
  await b.read(new Uint8Array(4));
  await yieldNow();
  assertEquals(taken, undefined);
  await b.read(new Uint8Array(1));
  assertEquals(await writing, 5);
});

test("pipe() that is full takes a write as soon as all of it fits", async () => {
  const [a, b] = pipe({ capacity: 10 });
  await a.write(pattern(0, 10));
  const writing = a.write(pattern(10, 2));
  await b.read(new Uint8Array(2));
  assertEquals(await writing, 2);
});

test("pipe() of one byte passes everything on", async () => {
  const [a, b] = pipe({ capacity: 1 });
  const writing = writeAll(a, pattern(0, 500)).then(() => a.close());
  assertEquals(await readAll(b), pattern(0, 500));
  await writing;
});

test("pipe() whose reader takes a part of each piece does not fall apart into small ones", async () => {
  const [a, b] = pipe();
  const size = 3_000_000;
  const writing = writeAll(a, new Uint8Array(size)).then(() => a.close());
  let writes = 0;
  const sink = { write: (bytes: Uint8Array) => (writes++, Promise.resolve(Math.ceil(bytes.length * 0.6))) };
  assertEquals(await copy(b, sink), size);
  await writing;
  assert(size / writes > 2000, `${writes} writes`);
});

test("pipe() carries everything in order, whatever is written, given, read and lent, and gets nowhere stuck", async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 12 });
  const capacity = fc.constantFrom(1, 2, 3, 10, 99, 1024, 100_000);
  const script = fc.record({ writes: sizes, reads: sizes, capacity, gives: fc.boolean(), lends: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(script, async ({ writes, reads, capacity, gives, lends }) => {
      const [a, b] = pipe({ capacity });
      const total = writes.reduce((sum, size) => sum + size, 0);
      const all = pattern(0, total);
      const write = async () => {
        let at = 0;
        for (const size of writes) {
          for (let left = all.slice(at, at += size); left.length > 0;) {
            left = left.subarray(gives && size % 2 === 0 ? await a[give]([left]) : await a.write(left));
          }
        }
        await a.close();
      };
      const got: Uint8Array[] = [];
      const read = async () => {
        for (let i = 0;; i++) {
          const most = reads[i % reads.length];
          const buffer = new Uint8Array(most);
          const take = async (bytes: Uint8Array) => {
            const part = bytes.slice(0, most);
            buffer.set(part);
            return await part.length;
          };
          const count = lends && i % 2 === 0 ? await b[lend](take) : await b.read(buffer);
          if (count === null) return;
          got.push(buffer.subarray(0, count));
        }
      };
      await Promise.all([write(), read()]);
      assertEquals(joined(got), all);
    }),
    { numRuns: 200 },
  );
});
