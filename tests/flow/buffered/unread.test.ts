// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { type Borrower, give, type GivingSink, lend, type LendingSource } from "../../../flow/provider.ts";
import {
  BufReader,
  BusyError,
  type Closable,
  ClosedError,
  copy,
  copyString,
  EndOfFlow,
  pipe,
  type PipeEnd,
  readExact,
  type TwoWay,
} from "../../../flow/mod.ts";
import { Stream } from "../../../flow/_stream.ts";
import type { StreamEnd } from "../../../flow/provider.ts";
import { checkFlow, type FlowPair, socketPair } from "../../../net/testing/mod.ts";
import { Cancelled, Switch } from "../../../switch/mod.ts";
import { bytesOf, inCancelledScope, readText } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { cancelling, foreignSource, readOnce } from "../_helpers.ts";

/**
 * Returns a flow whose first line was read together with what follows, its raw end, and the other
 * end.
 */
async function unread(rest = "rest"): Promise<[PipeEnd, PipeEnd, PipeEnd]> {
  const [a, b] = pipe();
  await copyString(`line\n${rest}`, b);
  const reader = new BufReader(a);
  assertEquals(await reader.line(), "line");
  assertEquals(reader.buffered, rest.length);
  return [reader.unread(a), b, a];
}

for (const [name, make] of [["pipe()", pipe], ["socketPair()", socketPair]] as const) {
  test(`BufReader.unread() starts something else in the midst of a ${name}, as STARTTLS does`, async () => {
    const [client, server] = make() as [TwoWay & Closable, TwoWay & Closable];
    await copyString("EHLO\r\nSTARTTLS\r\n\x16\x03\x01hello", client); // the client did not wait for the response
    const reader = new BufReader(server);
    assertEquals([await reader.line(), await reader.line()], ["EHLO", "STARTTLS"]);
    const flow = reader.unread(server);
    await copyString("220 go\r\n", flow);
    assertEquals(await new BufReader(client).line(), "220 go");
    const hello = new Uint8Array(8);
    await readExact(flow, hello);
    assertEquals(hello, bytesOf("\x16\x03\x01hello"));
    await copyString("and so on", client);
    await client.shutdown("send");
    assertEquals(await readText(flow), "and so on");
    await flow.close();
    await assertRejects(() => copyString("x", server), ClosedError);
    await client.close();
  });
}

test("BufReader.unread() of an empty buffer is the flow itself", async () => {
  const [a, b] = pipe();
  await copyString("line\n", b);
  const reader = new BufReader(a);
  await reader.line();
  assertStrictEquals(reader.unread(a), a);
});

test("BufReader.unread() ends the reader, in whatever way it is used", async () => {
  const [flow, , a] = await unread();
  const [c, d] = pipe();
  await copyString("one\ntwo\n", d);
  const reader = new BufReader(c);
  await reader.line();
  const source = reader.asSource();
  reader.unread(c);
  const uses = [
    () => reader.line(),
    () => reader.take(1),
    () => reader.uint8(),
    () => reader.atEnd(),
    () => reader.ensure(0),
    () => source.read(new Uint8Array(1)),
    () => source[lend](() => 0),
    () => reader.lines()[Symbol.asyncIterator]().next(),
  ];
  for (const use of uses) await assertRejects(use, TypeError, "Cannot read: unread() has handed over");
  assertThrows(() => reader.unread(c), TypeError, "Cannot read: unread() has handed over");
  assertEquals([reader.buffered, reader.peek().length], [0, 0]);
  await Promise.all([flow.close(), a.close()]);
});

test("BufReader.unread() refuses another flow than the one it reads, and one that is busy", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(a);
  assertThrows(() => reader.unread(b), TypeError, "the reader reads from another source");
  assertThrows(() => BufReader.of("text").unread(a), TypeError, "the reader reads from another source");
  assertThrows(() => reader.unread({} as TwoWay), TypeError, "must be a source");
  assertThrows(() => reader.unread(foreignSource() as unknown as TwoWay), TypeError, "must be a sink");
  const line = reader.line();
  assertThrows(() => reader.unread(a), BusyError);
  await copyString("line\nrest", b);
  assertEquals(await line, "line");
  assertEquals(await readOnce(reader.unread(a)), "rest");
});

test("BufReader.unread() returns what was buffered in as small parts as are read", async () => {
  const [flow, b] = await unread("abc");
  assertEquals([await readOnce(flow, 1), await readOnce(flow, 2)], ["a", "bc"]);
  await copyString("def", b);
  assertEquals(await readOnce(flow), "def");
  await b.close();
  assertEquals(await flow.read(new Uint8Array(1)), null);
});

test("BufReader.unread() loses nothing to a read that fails or is cancelled", async () => {
  const [flow, b] = await unread("abc");
  await inCancelledScope(() => assertRejects(() => flow.read(new Uint8Array(1)), Cancelled));
  await inCancelledScope(() => assertRejects(() => flow[lend](() => 1), Cancelled));
  await assertRejects(() => flow.read(new Uint8Array(0)), RangeError);
  await assertRejects(() => flow.read("text" as unknown as Uint8Array), TypeError);
  await assertRejects(() => flow[lend](() => Promise.reject(new EndOfFlow())), EndOfFlow);
  await assertRejects(() => flow[lend](() => 4), RangeError);
  assertEquals(await readOnce(flow, 3), "abc");
  await cancelling(() => flow.read(new Uint8Array(1)));
  await copyString("def", b);
  await b.close();
  assertEquals(await readText(flow), "def");
});

test("BufReader.unread() lends what was buffered, and then what the flow lends", async () => {
  const [flow, b] = await unread("abc");
  const lent: string[] = [];
  const use: Borrower = async (bytes) => lent.push(new TextDecoder().decode(bytes)) && await Math.min(2, bytes.length);
  assertEquals([await flow[lend](use), await flow[lend](use)], [2, 1]);
  await copyString("d", b);
  assertEquals(await flow[lend](use), 1);
  assertEquals(lent, ["abc", "c", "d"]);
});

test("BufReader.unread() allows one read at a time, a loan included", async () => {
  const [flow] = await unread("abc");
  await flow[lend](async () => {
    await assertRejects(() => flow.read(new Uint8Array(1)), BusyError, "pipe");
    await assertRejects(() => flow[lend](() => 0), BusyError);
    return 3;
  });
  const reading = flow.read(new Uint8Array(1));
  await assertRejects(() => flow.read(new Uint8Array(1)), BusyError);
  await flow.close();
  await assertRejects(() => reading, ClosedError);
});

test("BufReader.unread() copies to a sink all that was buffered and all that follows", async () => {
  const [flow, b] = await unread("abc");
  await copyString("def", b);
  await b.close();
  const [c, d] = pipe();
  assertEquals(await copy(flow, c), 6);
  await c.close();
  assertEquals(await readText(d), "abcdef");
});

test("BufReader.unread() drops what was buffered where the flow is closed or stops receiving", async () => {
  for (const end of ["close", "receive", "all", "dispose"] as const) {
    const [flow, , a] = await unread("abc");
    if (end === "close") await flow.close();
    else if (end === "dispose") await flow[Symbol.asyncDispose]();
    else await flow.shutdown(end);
    const reads = [() => flow.read(new Uint8Array(1)), () => a.read(new Uint8Array(1))];
    for (const read of reads) {
      if (end === "receive" || end === "all") assertEquals(await read(), null);
      else await assertRejects(read, ClosedError);
    }
  }
});

test("BufReader.unread() drops what was buffered where the flow under it is closed or aborted", async () => {
  for (const end of ["close", "abort", "switch"] as const) {
    const [client, server] = socketPair();
    await copyString("line\nrest", client);
    const reader = new BufReader(server);
    await reader.line();
    const flow = reader.unread(server);
    if (end === "close") await Promise.all([server.close(), client.close()]);
    else if (end === "abort") server.abort(new Error("enough"));
    else await Promise.all([Switch.run((sw) => void sw.use(server)), client.close()]);
    await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
    await assertRejects(() => (flow as unknown as PipeEnd)[lend](() => 1), ClosedError);
    await client.close();
  }
});

test("BufReader.unread() reads what was buffered though the other side has ended, or the flow is being read", async () => {
  const [flow, b, a] = await unread("abc");
  const reading = a.read(new Uint8Array(1)).catch((error) => error);
  assertEquals(await readOnce(flow, 1), "a");
  await b.close();
  assertEquals(await reading, null);
  assertEquals(await readText(flow), "bc");
});

test("BufReader.unread() keeps what was buffered when only sending is shut down, and refuses another way", async () => {
  const [flow, b] = await unread("abc");
  await assertRejects(() => flow.shutdown("both" as "all"), TypeError);
  await flow.shutdown("send");
  assertEquals(await readOnce(flow, 3), "abc");
  assertEquals(await b.read(new Uint8Array(1)), null);
});

test("BufReader.unread() has all else of the flow: its addresses, options, abort() and fast paths", async () => {
  const [client, server] = socketPair();
  await copyString("line\nrest", client);
  const reader = new BufReader(server);
  await reader.line();
  const flow = reader.unread(server);
  assertFalse(Object.is(flow, server));
  assertStrictEquals(flow.local, server.local);
  assertStrictEquals(flow.peer, server.peer);
  assertThrows(() => flow.setOption("TCP_NODELAY", true), Error, "TCP_NODELAY");
  assertEquals(typeof (flow as unknown as PipeEnd)[give], "function");
  assert(Object.isFrozen(flow) && Object.getPrototypeOf(flow) === null);
  flow.abort();
  await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
  await assertRejects(() => client.read(new Uint8Array(1)), Error, "reset");
  await client.close();
});

test("BufReader.unread() of a flow by hand passes on what it has, as it is then", async () => {
  let aborted: unknown;
  const seen: unknown[] = [];
  const source = foreignSource("line\nrest");
  const flow = {
    state: 1,
    read: (buffer: Uint8Array) => source.read(buffer),
    write(bytes: Uint8Array) {
      seen.push(this.state);
      return Promise.resolve(bytes.length);
    },
    shutdown: () => Promise.resolve(),
    abort: (reason: unknown) => aborted = reason,
    get double() {
      return this.state * 2;
    },
  };
  const reader = new BufReader(flow);
  await reader.line();
  const same = reader.unread(flow);
  flow.state = 2;
  assertEquals([same.state, same.double], [2, 4]);
  same.state = 3;
  await same.write(bytesOf("x"));
  assertEquals(seen, [3]);
  assertEquals(Object.keys(same).sort(), Object.keys(flow).sort());
  assertEquals(await readText(same), "rest");
  same.abort("why");
  assertEquals(aborted, "why");
});

test("BufReader.unread() of what was unread begins with the newest", async () => {
  const [flow] = await unread("one\ntwo\nthree");
  const reader = new BufReader(flow);
  assertEquals(await reader.line(), "one");
  const again = reader.unread(flow);
  assertEquals(await readOnce(again, 4), "two\n");
  assertEquals(await readOnce(again), "three");
});

test("BufReader.unread() lends what was buffered, and goes on with what the flow has", async () => {
  const flow = lendingFlow("line\nrest", "more");
  const reader = new BufReader(flow);
  await reader.line();
  const same = reader.unread(flow);
  const seen: string[] = [];
  assertEquals(await same[lend]((bytes) => (seen.push(new TextDecoder().decode(bytes)), 1)), 1);
  assertEquals(await same[lend]((bytes) => (seen.push(new TextDecoder().decode(bytes)), bytes.length)), 7);
  assertEquals(seen, ["rest", "est", "more"]);
  assertEquals(await same[lend]((bytes) => bytes.length), null);
});

test("BufReader.unread() lends only what was buffered to a borrower that answers with a promise", async () => {
  const flow = lendingFlow("line\nrest", "more");
  const reader = new BufReader(flow);
  await reader.line();
  assertEquals(await reader.unread(flow)[lend]((bytes) => Promise.resolve(bytes.length)), 4);
});

test("BufReader.unread() keeps what was buffered where its borrower fails", async () => {
  const flow = lendingFlow("line\nrest", "more");
  const reader = new BufReader(flow);
  await reader.line();
  const same = reader.unread(flow);
  await assertRejects(() => same[lend](() => 5), RangeError);
  const refuse = () => {
    throw new EndOfFlow();
  };
  await assertRejects(() => same[lend](refuse), EndOfFlow);
  assertEquals(await readOnce(same, 9), "rest");
});

for (const [name, wrap] of [["read through what was buffered", lazily], ["whose buffer is used up", usedUp]] as const) {
  const make = (capacity?: number) => async (): Promise<FlowPair> => {
    const [a, b] = pipe({ capacity });
    return [await wrap(a, b), await wrap(b, a)];
  };
  for (const check of checkFlow(make(), { clogged: make(100) })) {
    test(`BufReader.unread() ${name}: ${check.name}`, () => check.run());
  }
}

/** Unreads a flow as soon as its first bytes arrive, so that a check reads them from the buffer. */
function lazily(end: PipeEnd): Promise<PipeEnd> {
  let flow: PipeEnd | undefined;
  const reader = new BufReader(end);
  const ready = async () => {
    if (flow !== undefined) return flow;
    try {
      await reader.ensure(1);
    } catch (error) {
      if (!(error instanceof EndOfFlow)) throw error;
    }
    return flow = reader.unread(end);
  };
  return Promise.resolve({
    async read(buffer) {
      if (buffer.length === 0) return await end.read(buffer);
      const there = await ready();
      if (buffer.length === 0) throw new TypeError("Cannot read: the buffer was detached");
      return await there.read(buffer);
    },
    [lend]: async (use) => await (await ready())[lend](use),
    write: (bytes) => (flow ?? end).write(bytes),
    [give]: (buffers) => (flow ?? end)[give](buffers),
    shutdown: (how) => (flow ?? end).shutdown(how),
    close: () => (flow ?? end).close(),
    [Symbol.asyncDispose]: () => (flow ?? end).close(),
  });
}

/** Returns a flow whose unread bytes have all been consumed. */
async function usedUp(end: PipeEnd, other: PipeEnd): Promise<PipeEnd> {
  await other.write(bytesOf("xy"));
  const reader = new BufReader(end);
  await reader.byte(120);
  const flow = reader.unread(end);
  assertEquals(await readOnce(flow, 1), "y");
  return flow;
}

/** A flow with the fast paths, over pieces that have arrived. */
function lendingFlow(...texts: string[]): TwoWay & LendingSource & GivingSink {
  const pieces = texts.map(bytesOf);
  const end: StreamEnd = {
    peek: () => pieces[0] ?? null,
    consume(size) {
      if (size === pieces[0].length) pieces.shift();
      else pieces[0] = pieces[0].subarray(size);
    },
    write: (bytes) => bytes.length,
    give: () => 1,
    end: () => {},
    drop: () => {},
    flushed: true,
  };
  const stream = new Stream(end, { label: "test", failure: (_, cause) => cause });
  return {
    read: (buffer) => stream.read(buffer),
    [lend]: (use) => stream.lend(use),
    write: (bytes) => stream.write(bytes),
    [give]: (buffers) => stream.give(buffers),
    shutdown: (how) => stream.shutdown(how),
  };
}
