// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { bufferSink, BufWriter, copy, nullFlow, pipe, readExact, writeAll } from "../../flow/mod.ts";
import { give, lend, type LendingSource } from "../../flow/provider.ts";
import { Stream } from "../../flow/_stream.ts";
import { noSource } from "../../flow/_half.ts";
import type { StreamEnd } from "../../flow/provider.ts";
import { bytesOf } from "../_helpers.ts";
import { test } from "../_test.ts";
import { impostors, liars } from "./_liars.ts";

test("pipe() rejects what is not bytes, and throws nothing at once", async () => {
  const [a, b] = pipe();
  for (const [, bad] of impostors() as [string, Uint8Array][]) {
    for (const call of [() => a.write(bad), () => b.read(bad), () => a[give]([bad]), () => a[give](bad as never)]) {
      const promise = call();
      const error = await assertRejects(async () => await promise, TypeError);
      assert(error.message.length < 100, `${error.message.length} characters`);
    }
  }
  await a.close();
  assertEquals(await b.read(new Uint8Array(1)), null);
});

test("[give]() rejects a list that refuses to say what is in it, and throws nothing at once", async () => {
  const { proxy: revoked, revoke } = Proxy.revocable([], {});
  revoke();
  const loud = Object.defineProperty([], 0, {
    get: () => {
      throw new Error("Cannot tell");
    },
  });
  for (const sink of [pipe()[0], bufferSink(), nullFlow]) {
    for (const bad of [revoked, loud, undefined, bytesOf("a")] as never[]) {
      const giving = sink[give](bad);
      await assertRejects(async () => await giving, TypeError, "must be an array of Uint8Arrays");
    }
  }
});

test("readExact() and writeAll() reject what is not bytes before anything happens", async () => {
  let touched = 0;
  const flow = { read: () => Promise.resolve(++touched), write: () => Promise.resolve(++touched) };
  for (const [, bad] of impostors() as [string, Uint8Array][]) {
    for (const call of [() => readExact(flow, bad), () => writeAll(flow, bytesOf("a"), bad)]) {
      const promise = call();
      await assertRejects(() => promise, TypeError, "must be a Uint8Array");
    }
  }
  assertEquals(touched, 0);
});

test("[lend]() of a source that lends what is not bytes fails copy()", async () => {
  const source: LendingSource = {
    read: () => Promise.reject(new Error("Cannot read: it lends")),
    [lend]: async (use) => await use("hi" as never, true),
  };
  await assertRejects(() => copy(source, bufferSink()), TypeError, "the source lent a string: must be a Uint8Array");
});

test("Stream.give() takes bytes for what they are, and rejects what is not bytes", async () => {
  const taken: number[] = [];
  const end: StreamEnd = {
    ...noSource,
    write: (bytes) => bytes.length,
    give: (buffers) => (taken.push(...buffers.map(({ length }) => length)), 1),
    end: () => {},
    flushed: true,
  };
  const stream = new Stream(end, { label: "test", failure: (_, cause) => cause });
  for (const [, make] of liars(2)) assertEquals(stream.give([make(), make()]), 1);
  assertEquals(taken, liars(2).flatMap(() => [2, 2]));
  const giving = stream.give(["a"] as never);
  await assertRejects(async () => await giving, TypeError, "Cannot use a string as bytes");
});

test("BufWriter refuses what is not bytes, by a short TypeError", () => {
  const writer = new BufWriter();
  for (const [, bad] of impostors() as [string, Uint8Array][]) {
    for (const call of [() => writer.bytes(bad), () => writer.schedule(bad)]) {
      assert(assertThrows(call, TypeError, "must be a Uint8Array").message.length < 100);
    }
  }
  assertEquals(writer.pendingBytes, 0);
});

test("describe() of any wrong value is short, and asks nothing of it", async () => {
  const loud = Object.defineProperty({}, Symbol.toStringTag, { value: "x".repeat(1e6) });
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const values = [loud, revoked, "x".repeat(1e6), 10n ** 10_000n, Symbol("x".repeat(1e6)), function f() {}, NaN];
  for (const value of values) {
    for (const call of [() => nullFlow.write(value as never), () => copy(value as never, nullFlow)]) {
      const error = await assertRejects(async () => await call(), TypeError);
      assert(error.message.length < 120, error.message.slice(0, 200));
    }
  }
});
