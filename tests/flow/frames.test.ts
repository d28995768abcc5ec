// Copyright 2026 the Sluice authors. MIT license.

/**
 * On V8 errors have the frames of the code that awaits the operation, although they are made long
 * after the call.
 */

import { assert, assertRejects, assertStringIncludes } from "@std/assert";
import process from "node:process";
import {
  bufferSink,
  BufReader,
  copy,
  copyString,
  nullFlow,
  parse,
  pipe,
  proxy,
  readable,
  readAll,
  readExact,
  type TwoWay,
  withBufWriter,
  writeAll,
} from "../../flow/mod.ts";
import { socketPair } from "../../net/testing/mod.ts";
import { Switch, yieldNow } from "../../switch/mod.ts";
import { test } from "../_test.ts";

/** JSC has no async frames. */
const hasFrames = process.versions.bun === undefined;

/** Makes a flow, and a function that breaks it after an operation has begun. */
const flows: Record<string, () => [flow: TwoWay, breakIt: () => unknown]> = {
  "a socket that is reset": () => {
    const [a, b] = socketPair();
    return [a, () => b.abort()];
  },
  "a socket that this side closes": () => {
    const [a] = socketPair();
    return [a, () => a.close()];
  },
  "a pipe that this side closes": () => {
    const [a] = pipe();
    return [a, () => a.close()];
  },
};

const operations: Record<string, (flow: TwoWay) => Promise<unknown>> = {
  "read()": (flow) => flow.read(new Uint8Array(1)),
  "copy()": (flow) => copy(flow, bufferSink()),
  "copy() through asSource()": (flow) => copy(new BufReader(flow).asSource(), bufferSink()),
  "proxy()": (flow) => proxy(flow, pipe()[0]),
  "readAll()": (flow) => readAll(flow),
  "readExact()": (flow) => readExact(flow, new Uint8Array(4)),
  "readable()": (flow) => readable(flow),
  "writeAll()": (flow) => writeAll(flow, new Uint8Array(1_000_000)),
  "copyString()": (flow) => copyString("x".repeat(1_000_000), flow),
  "withBufWriter()": (flow) => withBufWriter(flow, (w) => w.bytes(new Uint8Array(1_000_000))),
  "parse()": (flow) => parse(flow, (r) => r.line()),
  "BufReader.line()": (flow) => new BufReader(flow).line(),
  "BufReader.take()": (flow) => new BufReader(flow).take(4),
  "BufReader.takeAll()": (flow) => new BufReader(flow).takeAll(),
  "BufReader.takeWhile()": (flow) => new BufReader(flow).takeWhile(() => true),
  "BufReader.takeWhile1()": (flow) => new BufReader(flow).takeWhile1(() => true),
  "BufReader.skip()": (flow) => new BufReader(flow).skip(4),
  "BufReader.skipWhile()": (flow) => new BufReader(flow).skipWhile(() => true),
  "BufReader.byte()": (flow) => new BufReader(flow).byte(1),
  "BufReader.string()": (flow) => new BufReader(flow).string("text"),
  "BufReader.anyByte()": (flow) => new BufReader(flow).anyByte(),
  "BufReader.peekByte()": (flow) => new BufReader(flow).peekByte(),
  "BufReader.uint64be()": (flow) => new BufReader(flow).uint64be(),
  "BufReader.atEnd()": (flow) => new BufReader(flow).atEnd(),
  "BufReader.endOfInput()": (flow) => new BufReader(flow).endOfInput(),
  "BufReader.ensure()": (flow) => new BufReader(flow).ensure(4),
  "BufReader.asSource()": (flow) => new BufReader(flow).asSource().read(new Uint8Array(1)),
  "BufReader.lines()": async (flow) => await new BufReader(flow).lines()[Symbol.asyncIterator]().next(),
};

for (const [kind, make] of Object.entries(flows)) {
  for (const [name, operation] of Object.entries(operations)) {
    test(`${name} of ${kind} throws an error with the frames of its caller`, async () => {
      const [flow, breakIt] = make();
      await expectFrames(() => operation(flow), breakIt);
    });
  }
}

/** Operations that fail because of the input, in several pieces. */
const faults: Record<string, (flow: TwoWay) => Promise<unknown>> = {
  "readAll() of too much": (flow) => readAll(flow, { maxSize: 4 }),
  "readExact() of too little": (flow) => readExact(flow, new Uint8Array(100)),
  "BufReader.line() of too long a line": (flow) => new BufReader(flow, { maxSize: 6 }).line(),
  "BufReader.take() of too little": (flow) => new BufReader(flow).take(100),
  "BufReader.takeAll() of too much": (flow) => new BufReader(flow, { maxSize: 6 }).takeAll(),
  "BufReader.string() of something else": (flow) => new BufReader(flow).string("onetwx"),
  "BufReader.endOfInput() before the end": (flow) => new BufReader(flow).endOfInput(),
  "parse() of too little": (flow) => parse(flow, (r) => r.take(100)),
  "parse() of too long a line": (flow) => parse(flow, (r) => r.line(), { maxSize: 6 }),
};

for (const [name, operation] of Object.entries(faults)) {
  test(`${name} throws an error with the frames of its caller`, async () => {
    const [a, b] = pipe();
    await expectFrames(() => operation(a), async () => {
      for (const text of ["one", "two", "three"]) {
        await copyString(text, b);
        await yieldNow();
      }
      await b.close();
    });
  });
}

test("proxy() that fails deep below many callers throws an error with the frames of the nearest", async () => {
  const [a, b] = socketPair();
  const deep = async (depth: number): Promise<void> => await (depth === 0 ? proxy(a, pipe()[0]) : deep(depth - 1));
  await expectFrames(() => deep(3), () => b.abort());
});

test("copy() keeps the stack of an error that user code has made", async () => {
  const error = new Error("Cannot read");
  const { stack } = error;
  const source = { read: () => Promise.reject(error) };
  await assertRejects(() => copy(source, nullFlow), Error, "Cannot read");
  assert(error.stack?.startsWith(stack ?? "?"), error.stack);
});

test("copy() throws an error as it is that does not let its stack be changed", async () => {
  const frozen = Object.freeze(new Error("Cannot read"));
  const strange = new Proxy(new Error("Cannot read"), {
    defineProperty: () => {
      throw new Error("Cannot change");
    },
  });
  const loud = Object.defineProperty(new Error("Cannot read"), "stack", {
    get: () => {
      throw new Error("Cannot tell");
    },
  });
  for (const error of [frozen, strange, loud, "text", undefined]) {
    const thrown = await copy({ read: () => Promise.reject(error) }, nullFlow).catch((reason) => ({ reason }));
    assert(typeof thrown === "object" && Object.is(thrown.reason, error));
  }
});

async function expectFrames(operation: () => Promise<unknown>, breakIt: () => unknown): Promise<void> {
  const error = await assertRejects(async () => {
    await Switch.run(async (sw) => {
      sw.fork(async () => {
        for (let turn = 0; turn < 3; turn++) await yieldNow();
        await breakIt();
      });
      await theCaller(operation);
    });
  }, Error);
  if (hasFrames) assertStringIncludes(error.stack ?? "", "theCaller");
}

async function theCaller(operation: () => Promise<unknown>): Promise<void> {
  await operation();
}
