// Copyright 2026 the Sluice authors. MIT license.

/**
 * An operation that is not awaited ends with its scope, or its flow, and is not an unhandled
 * rejection: `test()` fails on one.
 */

import { assertEquals } from "@std/assert";
import {
  bufferSink,
  BufReader,
  BufWriter,
  copy,
  copyString,
  parse,
  pipe,
  type PipeEnd,
  proxy,
  readable,
  readAll,
  readExact,
  withBufWriter,
  writeAll,
} from "../../flow/mod.ts";
import { give, lend } from "../../flow/provider.ts";
import { openCounts, socketPair } from "../../net/testing/mod.ts";
import { Switch, yieldNow } from "../../switch/mod.ts";
import { bytesOf } from "../_helpers.ts";
import { test } from "../_test.ts";

type Forgotten = (flow: PipeEnd) => unknown;

/** Operations that wait for input. */
const reading: Record<string, Forgotten> = {
  "read()": (flow) => flow.read(new Uint8Array(1)),
  "[lend]()": (flow) => flow[lend]((bytes) => bytes.length),
  "copy()": (flow) => copy(flow, bufferSink()),
  "copy() to a pipe": (flow) => copy(flow, pipe()[0]),
  "proxy()": (flow) => proxy(flow, pipe()[0]),
  "readAll()": (flow) => readAll(flow),
  "readExact()": (flow) => readExact(flow, new Uint8Array(10)),
  "readable()": (flow) => readable(flow),
  "parse()": (flow) => parse(flow, (r) => r.line()),
  "BufReader.line()": (flow) => new BufReader(flow).line(),
  "BufReader.lines()": (flow) => new BufReader(flow).lines()[Symbol.asyncIterator]().next(),
  "BufReader.lineBatches()": (flow) => new BufReader(flow).lineBatches()[Symbol.asyncIterator]().next(),
  "BufReader.take()": (flow) => new BufReader(flow).take(4),
  "BufReader.takeAll()": (flow) => new BufReader(flow).takeAll(),
  "BufReader.takeWhile()": (flow) => new BufReader(flow).takeWhile(() => true),
  "BufReader.takeWhile1()": (flow) => new BufReader(flow).takeWhile1(() => true),
  "BufReader.skip()": (flow) => new BufReader(flow).skip(10),
  "BufReader.skipWhile()": (flow) => new BufReader(flow).skipWhile(() => true),
  "BufReader.skipWhile1()": (flow) => new BufReader(flow).skipWhile1(() => true),
  "BufReader.byte()": (flow) => new BufReader(flow).byte(1),
  "BufReader.string()": (flow) => new BufReader(flow).string("text"),
  "BufReader.anyByte()": (flow) => new BufReader(flow).anyByte(),
  "BufReader.peekByte()": (flow) => new BufReader(flow).peekByte(),
  "BufReader.uint32be()": (flow) => new BufReader(flow).uint32be(),
  "BufReader.atEnd()": (flow) => new BufReader(flow).atEnd(),
  "BufReader.endOfInput()": (flow) => new BufReader(flow).endOfInput(),
  "BufReader.ensure()": (flow) => new BufReader(flow).ensure(1),
  "BufReader.asSource()": (flow) => new BufReader(flow).asSource().read(new Uint8Array(1)),
  "BufReader.asSource() with a large buffer": (flow) => new BufReader(flow).asSource().read(new Uint8Array(10_000)),
  "[lend]() of BufReader.asSource()": (flow) => new BufReader(flow).asSource()[lend]((bytes) => bytes.length),
};

/** Operations that wait until something else is read. */
const writing: Record<string, Forgotten> = {
  "write()": (flow) => flow.write(bytesOf("text")),
  "[give]()": (flow) => flow[give]([bytesOf("text")]),
  "writeAll()": (flow) => writeAll(flow, new Uint8Array(200_000)),
  "writeAll() of several": (flow) => writeAll(flow, bytesOf("a"), bytesOf("b")),
  "copyString()": (flow) => copyString("h".repeat(200_000), flow),
  "withBufWriter()": (flow) => withBufWriter(flow, (w) => w.string("text")),
  "withBufWriter() that flushes": (flow) =>
    withBufWriter(flow, async (w) => {
      w.string("text");
      await w.flush();
    }),
  "BufWriter.flush()": () => {
    const writer = new BufWriter();
    writer.string("text");
    return writer.flush();
  },
  "BufWriter.awaitBatch()": () => new BufWriter().awaitBatch(),
};

async function full(): Promise<PipeEnd> {
  const [flow] = pipe({ capacity: 1 });
  await flow.write(bytesOf("x"));
  return flow;
}

async function fullSocket(): Promise<PipeEnd> {
  const [flow] = socketPair();
  await flow.write(new Uint8Array(64 * 1024));
  return flow as unknown as PipeEnd;
}

const kinds: [kind: string, operations: Record<string, Forgotten>, make: () => PipeEnd | Promise<PipeEnd>][] = [
  ["a pipe", reading, () => pipe()[0]],
  ["a socket", reading, () => socketPair()[0] as unknown as PipeEnd],
  ["a full pipe", writing, full],
  ["a full socket", writing, fullSocket],
];

for (const [kind, operations, make] of kinds) {
  for (const [name, start] of Object.entries(operations)) {
    test(`${name} on ${kind} without await is cancelled with its scope`, async () => {
      const reason = new Error("Cancelled by the test");
      const flow = await make();
      await Switch.run(async (sw) => {
        start(flow);
        await yieldNow();
        sw.fail(reason);
        start(flow); // refused
      }).catch((error) => assertEquals(error, reason));
      await yieldNow();
      assertEquals(openCounts().operations, 0);
    });

    test(`${name} on ${kind} without await ends with a close of this side`, async () => {
      const flow = await make();
      await Switch.run(async (sw) => {
        start(flow);
        await yieldNow();
        await flow.close();
        await yieldNow();
        start(flow); // too late
        await yieldNow();
        sw.fail(new Error("Done")); // for operations that do not belong to the flow
      }).catch(() => {});
      await yieldNow();
      assertEquals(openCounts().operations, 0);
    });
  }
}

test("copyString() without await ends with a shutdown of this side", async () => {
  const flow = await full();
  copyString("text", flow);
  await yieldNow();
  flow.shutdown("send");
  await yieldNow();
  assertEquals(openCounts().operations, 0);
});

test("shutdown() without await is not an unhandled rejection", async () => {
  const [flow] = pipe();
  await flow.close();
  flow.shutdown("all");
  const [other] = pipe();
  await Switch.run((sw) => {
    other.shutdown("send");
    sw.fail(new Error("Cancelled by the test"));
    other.shutdown("all");
  }).catch(() => {});
});

test("proxy() without await ends silently when this side closes both flows at once", async () => {
  const [a, b] = [pipe(), pipe()];
  proxy(a[0], b[0]);
  await yieldNow();
  a[0].close();
  b[0].close();
  await yieldNow();
  assertEquals(openCounts().operations, 0);
});
