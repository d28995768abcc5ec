// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  awaitCancel,
  BufReader,
  BusyError,
  Cancelled,
  ClosedError,
  copy,
  copyString,
  first,
  NetError,
  readAll,
  Switch,
  tcp,
  TimeoutError,
  unix,
  withBufWriter,
  withTimeout,
  yieldNow,
} from "../../../../mod.ts";
import { wrapConnection } from "../../../../net/wrap/mod.ts";
import { type Action, mockClock, type MockFlow, mockFlow, openCounts } from "../../../../net/testing/mod.ts";
import { bytesOf, textOf } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";

const failure = new Error("Cannot go on");

/** Reads once, and returns the text, or null at the end. */
async function readText(flow: MockFlow, size = 64): Promise<string | null> {
  const buffer = new Uint8Array(size);
  const count = await flow.read(buffer);
  return count === null ? null : textOf(buffer.subarray(0, count));
}

test("MockFlow.read() returns scripted texts and bytes in order and then the end", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ return: "one" }, { return: bytesOf("two") });
  flow.onRead({ return: null }, { return: "three" });
  const seen = [];
  for (let i = 0; i < 6; i++) seen.push(await readText(flow));
  assertEquals(seen, ["one", "two", null, "three", null, null]);
  assertEquals(flow.log, ['flow: read "one"', 'flow: read "two"', 'flow: read "three"']);
});

test("MockFlow.read() copies the bytes when they are scripted", async () => {
  const flow = mockFlow("flow");
  const bytes = bytesOf("before");
  flow.onRead({ return: bytes });
  bytes.fill(0);
  assertEquals(await readText(flow), "before");
});

test("MockFlow.read() throws the scripted value itself, once", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ throw: failure }, { throw: "a text" }, { return: "on" });
  assertStrictEquals(await flow.read(new Uint8Array(1)).catch((error) => error), failure);
  assertEquals(await flow.read(new Uint8Array(1)).catch((error) => error), "a text");
  assertEquals(await readText(flow), "on");
  assertEquals(flow.log, ['flow: read "on"']);
});

test("MockFlow.read() waits for a promise, for a turn and for a function", async () => {
  const flow = mockFlow("flow");
  const late = Promise.withResolvers<string>();
  const log: string[] = [];
  flow.onRead(
    { await: late.promise },
    { yieldThen: { yieldThen: { return: "b" } } },
    { run: () => "c" },
    { run: () => yieldNow().then(() => "d") },
    { await: Promise.reject(failure) },
    { run: () => Promise.reject(failure) },
    {
      run: () => {
        throw failure;
      },
    },
  );
  const reading = readText(flow).then((text) => log.push(`${text}`));
  await yieldNow();
  log.push("waits");
  late.resolve("a");
  await reading;
  const yielding = readText(flow).then((text) => log.push(`${text}`));
  await Promise.resolve().then(() => log.push("other"));
  await yielding;
  assertEquals(log, ["waits", "a", "other", "b"]);
  assertEquals([await readText(flow), await readText(flow)], ["c", "d"]);
  for (let i = 0; i < 3; i++) assertStrictEquals(await readText(flow).catch((error) => error), failure);
});

test("MockFlow.read() of a small buffer leaves the rest for the next read", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ return: "hello" }, { return: "!" });
  const seen = [];
  for (let i = 0; i < 4; i++) seen.push(await readText(flow, 2));
  assertEquals(seen, ["he", "ll", "o", "!"]);
  assertEquals(flow.log, ['flow: read "he"', 'flow: read "ll"', 'flow: read "o"', 'flow: read "!"']);
});

test("MockFlow.read() that is cancelled has used its action", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ run: awaitCancel }, { await: new Promise(() => {}) }, { return: "next" });
  for (let i = 0; i < 2; i++) {
    assertEquals(await first(() => readText(flow), () => yieldNow().then(() => "gone")), "gone");
  }
  assertEquals(await readText(flow), "next");
  assertEquals(openCounts().operations, 0);
});

test("MockFlow.read() that is cancelled leaves what arrives later for the next read", async () => {
  const flow = mockFlow("flow");
  const late = Promise.withResolvers<string>();
  flow.onRead({ await: late.promise }, { return: "scripted" });
  await first(() => readText(flow), yieldNow);
  late.resolve("late");
  await yieldNow();
  assertEquals([await readText(flow), await readText(flow), await readText(flow)], ["late", "scripted", null]);
});

test("MockFlow.read() goes on with the last action if its call was cancelled", async () => {
  const flow = mockFlow("flow");
  const late = Promise.withResolvers<string>();
  const clock = mockClock({ autoAdvance: true });
  flow.onRead({ await: late.promise });
  const reader = new BufReader(flow);
  await assertRejects(() => withTimeout(clock, 500, () => reader.line()), TimeoutError);
  const line = reader.line();
  late.resolve("late\n");
  assertEquals(await line, "late");
});

test("MockFlow.read() in a cancelled scope uses no action", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ return: "kept" });
  await assertRejects(
    () =>
      Switch.run(async (sw) => {
        sw.fail(failure);
        await assertRejects(() => readText(flow), Cancelled);
        await assertRejects(() => flow.write(bytesOf("x")), Cancelled);
      }),
    Error,
    failure.message,
  );
  assertEquals(await readText(flow), "kept");
  assertEquals(flow.log, ['flow: read "kept"']);
});

test("MockFlow.read() whose action cancels its scope is cancelled, and keeps the data", async () => {
  const flow = mockFlow("flow");
  const controller = new AbortController();
  flow.onRead({
    run: () => {
      controller.abort(failure);
      return "kept";
    },
  });
  await assertRejects(() => Switch.run(() => readText(flow), { signal: controller.signal }), Cancelled);
  assertEquals(await readText(flow), "kept");
});

test("MockFlow.read() runs a function in the scope of the call", async () => {
  const flow = mockFlow("flow");
  let ended: unknown;
  flow.onRead({ run: () => awaitCancel().catch((error) => ended = error) as never });
  await first(() => readText(flow), yieldNow);
  await yieldNow();
  assertInstanceOf(ended, Cancelled);
});

test("MockFlow.read() and write() refuse a second call meanwhile", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ yieldThen: { return: "a" } });
  flow.onWrite({ yieldThen: { return: 1 } });
  const reading = readText(flow);
  const writing = flow.write(bytesOf("b"));
  await assertRejects(() => readText(flow), BusyError, "Cannot read: another read is under way on flow");
  await assertRejects(() => flow.write(bytesOf("c")), BusyError);
  assertEquals([await reading, await writing], ["a", 1]);
});

test("MockFlow.read() and write() check their arguments like any flow", async () => {
  const flow = mockFlow("flow");
  await assertRejects(() => flow.read(new Uint8Array(0)), RangeError);
  await assertRejects(() => flow.read("x" as never), TypeError);
  await assertRejects(() => flow.write("x" as never), TypeError);
  assertEquals(await flow.write(new Uint8Array(0)), 0);
  assertEquals(flow.log, []);
});

test("MockFlow.write() takes 4096 bytes, or what is scripted, at most", async () => {
  const flow = mockFlow("flow");
  flow.onWrite({ return: 2 }, { return: Infinity }, { await: Promise.resolve(9) });
  const data = new Uint8Array(5000).fill(97);
  assertEquals(await flow.write(data), 2);
  assertEquals(await flow.write(data), 5000);
  assertEquals(await flow.write(bytesOf("abc")), 3);
  assertEquals(await flow.write(data), 4096);
  assertEquals(flow.log.slice(0, 1), ['flow: wrote "aa"']);
});

test("MockFlow.write() throws what is scripted and waits until it is cancelled", async () => {
  const flow = mockFlow("flow");
  flow.onWrite({ throw: failure }, { await: new Promise(() => {}) }, { return: 1 });
  assertStrictEquals(await flow.write(bytesOf("a")).catch((error) => error), failure);
  await first(() => flow.write(bytesOf("b")), yieldNow);
  assertEquals([await flow.write(bytesOf("cd")), await flow.write(bytesOf("ef"))], [1, 2]);
  assertEquals(flow.log, ['flow: wrote "c"', 'flow: wrote "ef"']);
});

test("MockFlow.log has a row for each line of data, and a list for several buffers", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ return: "GET / HTTP/1.0\r\nHost: a\r\n\r\n" });
  flow.onWrite({ return: 5 });
  await readText(flow);
  const { give } = await import("../../../../flow/provider.ts");
  const sink = flow as unknown as { [give](buffers: Uint8Array[]): Promise<number> };
  assertEquals(await sink[give]([bytesOf("one\n"), new Uint8Array(0), bytesOf("two")]), 5);
  assertEquals(await sink[give]([bytesOf("a\nb\n")]), 4);
  assertEquals(await sink[give]([]), 0);
  assertEquals(flow.log, [
    'flow: read "GET / HTTP/1.0\\r\\n"\n           "Host: a\\r\\n"\n           "\\r\\n"',
    'flow: wrote ["one\\n", "t"]',
    'flow: wrote "a\\n"\n            "b\\n"',
  ]);
});

test("MockFlow.log escapes quotes, control characters and what is not UTF-8", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ return: '"é\u0000\u202e' }, { return: Uint8Array.of(0xff, 0x41, 0x22, 0x00, 0x80) });
  await readText(flow);
  await readText(flow);
  assertEquals(flow.log, ['flow: read "\\"é\\u0000\\u{202e}"', 'flow: read "\\xffA\\"\\u0000\\x80"']);
});

test("MockFlow.shutdown() is logged, ends reads and refuses writes", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ await: new Promise(() => {}) }, { return: "dropped" });
  flow.onWrite({ await: new Promise(() => {}) });
  const reading = readText(flow);
  const writing = assertRejects(() => flow.write(bytesOf("x")), ClosedError, "sending was shut down by this side");
  await flow.shutdown("receive");
  assertEquals([await reading, await readText(flow)], [null, null]);
  await flow.shutdown("send");
  await writing;
  await assertRejects(() => flow.write(bytesOf("x")), ClosedError, "to flow: sending was shut down by this side");
  await flow.shutdown("all");
  await assertRejects(() => flow.shutdown("both" as never), TypeError);
  await flow.close();
  await flow.shutdown("all");
  assertEquals(flow.log, ["flow: shutdown receive", "flow: shutdown send", "flow: shutdown all", "flow: closed"]);
});

test("MockFlow.close() is logged once and fails what waits and what follows", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ await: new Promise(() => {}) });
  flow.onWrite({ await: new Promise(() => {}) });
  const reading = assertRejects(() => readText(flow), ClosedError, "Cannot read from flow: closed by this side");
  const writing = assertRejects(
    () => flow.write(bytesOf("x")),
    ClosedError,
    "Cannot write to flow: closed by this side",
  );
  await flow.close();
  await flow.close();
  await flow[Symbol.asyncDispose]();
  flow.abort();
  await Promise.all([reading, writing]);
  await assertRejects(() => readText(flow), ClosedError);
  await assertRejects(() => flow.write(bytesOf("x")), ClosedError);
  assertThrows(() => flow.setOption("TCP_NODELAY", true), ClosedError);
  assertThrows(() => flow.getOption("TCP_NODELAY"), ClosedError);
  assertEquals(flow.log, ["flow: closed"]);
});

test("MockFlow.close() called by an action fails the call", async () => {
  const flow = mockFlow("flow");
  flow.onRead({
    run: () => {
      flow.close();
      return "late";
    },
  });
  await assertRejects(() => readText(flow), ClosedError);
  assertEquals(flow.log, ["flow: closed"]);
});

test("MockFlow.close() of reads that nothing awaits is not an unhandled rejection", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ await: new Promise(() => {}) });
  flow.read(new Uint8Array(1));
  await flow.close();
});

test("MockFlow.abort() is logged, and its reason is the cause", async () => {
  const flow = mockFlow("flow");
  flow.abort(failure);
  await flow.close();
  const error = await assertRejects(() => readText(flow), ClosedError, "Cannot read from flow: aborted by this side");
  assertStrictEquals(error.cause, failure);
  assertEquals(flow.log, ["flow: aborted"]);
});

test("MockFlow.setOption() logs, and getOption() returns what was set, or an empty value", () => {
  const flow = mockFlow("flow");
  flow.setOption("TCP_NODELAY", true);
  flow.setOption("IP_ADD_MEMBERSHIP", { group: "224.0.0.1" });
  assertEquals(flow.getOption("TCP_NODELAY"), true);
  assertEquals(flow.getOption("SO_KEEPALIVE"), false);
  assertEquals(flow.getOption("SO_RCVBUF"), 0);
  assertEquals(flow.getOption("SO_LINGER"), null);
  assertEquals(flow.getOption("TCP_CONGESTION"), "");
  assertEquals(flow.log.slice(0, 3), [
    "flow: set TCP_NODELAY true",
    'flow: set IP_ADD_MEMBERSHIP {"group":"224.0.0.1"}',
    "flow: get TCP_NODELAY",
  ]);
});

test("MockFlow.setOption() and getOption() refuse an unknown option with invalid_option", () => {
  const flow = mockFlow("flow");
  for (
    const call of [
      () => flow.setOption("SO_NONE" as never, true as never),
      () => flow.getOption("SO_NONE" as never),
      () => flow.getOption("toString" as never),
      () => flow.getOption("IP_ADD_MEMBERSHIP"),
    ]
  ) assertEquals(assertThrows(call, NetError).code, "invalid_option");
  assertThrows(() => flow.setOption("TCP_NODELAY", 1 as never), TypeError);
  assertThrows(() => flow.setOption("IP_TTL", 256), RangeError);
  assertEquals(flow.log, []);
});

test("mockFlow() has addresses", () => {
  const flow = mockFlow("flow");
  assertEquals([flow.local, flow.peer], [tcp("127.0.0.1", 50001), tcp("127.0.0.1", 50002)]);
  const named = mockFlow("flow", { local: unix(""), peer: unix("/run/x") });
  assertEquals([named.local, named.peer], [unix(""), unix("/run/x")]);
  assert(Object.isFrozen(flow));
});

test("mockFlow() shares a log", async () => {
  const log: string[] = [];
  const [a, b] = [mockFlow("a", { log }), mockFlow("b", { log })];
  const c = mockFlow("c", { log: a.log });
  for (const flow of [b, a, c]) await flow.close();
  assertEquals(log, ["b: closed", "a: closed", "c: closed"]);
  assertStrictEquals(c.log, log);
});

test("mockFlow() refuses wrong arguments", () => {
  assertThrows(() => mockFlow(1 as never), TypeError, "Cannot make a mock flow as label must be a string");
  assertThrows(() => mockFlow("flow", 1 as never), TypeError, "options must be an object");
  assertThrows(() => mockFlow("flow", { log: "x" as never }), TypeError, "log must be an array that can grow");
  assertThrows(() => mockFlow("flow", { log: Object.freeze([]) }), TypeError, "a frozen array");
  assertThrows(() => mockFlow("flow", { peer: {} as never }), TypeError);
});

test("MockFlow.onRead() refuses an action of a wrong shape when it is scripted, and adds none", async () => {
  const flow = mockFlow("flow");
  const wrong: [action: unknown, text: string][] = [
    ["text", 'it must be an object with one of return, throw, await, yieldThen and run: current value is "text"'],
    [null, "current value is null"],
    [{}, "it has none"],
    [{ returns: "x" }, "it has none"],
    [{ return: "x", throw: failure }, "it has return and throw"],
    [{ await: "x" }, 'await must be a promise: current value is "x"'],
    [{ run: "x" }, "run must be a function"],
    [{ yieldThen: "x" }, "it must be an object"],
    [{ return: 5 }, "it must be a string, a Uint8Array or null: current value is 5"],
    [{ return: undefined }, "current value is undefined"],
    [{ return: "" }, "it is empty"],
    [{ yieldThen: { return: new Uint8Array(0) } }, "it is empty"],
  ];
  for (const [action, text] of wrong) {
    assertThrows(() => flow.onRead({ return: "first" }, action as Action<string>), TypeError, text);
  }
  assertThrows(() => flow.onRead({ return: "first" }, {} as never), TypeError, "Cannot script action 2 of onRead");
  assertEquals(await readText(flow), null);
});

test("MockFlow.onWrite() refuses a size out of range when it is scripted", () => {
  const flow = mockFlow("flow");
  for (const size of [0, -1, 1.5, NaN, "1" as never]) {
    assertThrows(() => flow.onWrite({ return: size }), RangeError, "must be a whole number >= 1");
  }
});

test("MockFlow.read() and write() check what a promise or a function yields", async () => {
  const flow = mockFlow("flow");
  flow.onRead({ await: Promise.resolve(5 as never) }, { run: () => "" });
  flow.onWrite({ run: () => 0 });
  await assertRejects(() => readText(flow), TypeError, "it must be a string, a Uint8Array or null");
  await assertRejects(() => readText(flow), TypeError, "it is empty");
  await assertRejects(() => flow.write(bytesOf("x")), RangeError);
});

test("MockFlow works with copy(), readAll(), BufReader and BufWriter", async () => {
  const log: string[] = [];
  const [from, to] = [mockFlow("from", { log }), mockFlow("to", { log })];
  from.onRead({ return: "hello" }, { yieldThen: { return: "world" } });
  to.onWrite({ return: 2 });
  assertEquals(await copy(from, to), 10);
  assertEquals(log, [
    'from: read "hello"',
    'to: wrote "he"',
    'to: wrote "llo"',
    'from: read "world"',
    'to: wrote "world"',
  ]);
  from.onRead({ return: "all" });
  assertEquals(textOf(await readAll(from)), "all");
  from.onRead({ return: "a line\nanother" });
  assertEquals(await new BufReader(from, { maxSize: 8 }).line(), "a line");
  log.length = 0;
  await withBufWriter(to, (writer) => {
    writer.string("one ");
    writer.string("two");
  });
  await copyString("x", to);
  assertEquals(log, ['to: wrote "one two"', 'to: wrote "x"']);
});

test("MockFlow works with wrapConnection()", async () => {
  const flow = mockFlow("flow");
  let counted = 0;
  const wrapped = wrapConnection(flow, { received: (size) => counted += size, sent: (size) => counted += size });
  flow.onRead({ return: "hello" });
  await copy(wrapped, wrapped);
  await wrapped.close();
  assertEquals(counted, 10);
  assertEquals(flow.log, ['flow: read "hello"', 'flow: wrote "hello"', "flow: closed"]);
});

test("MockFlow shows its label in a dump", async () => {
  const flow = mockFlow("the flow");
  flow.onRead({ await: new Promise(() => {}) });
  await Switch.run(async (sw) => {
    sw.forkDaemon(() => readText(flow));
    await yieldNow();
    assert(sw.dump().includes("waiting: read the flow"), sw.dump());
  });
});
