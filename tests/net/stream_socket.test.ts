// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { BusyError, Cancelled, ClosedError, copyString, first, Switch, writeAll, yieldNow } from "../../mod.ts";
import { lend, type LendingSource } from "../../flow/provider.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { bytesOf } from "../_helpers.ts";
import { test } from "../_test.ts";
import { fakeSocket, FakeStream } from "./_fake_provider.ts";
import { assertNetError, called, microtasks, signal } from "./_helpers.ts";

const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
const brokenPipe = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });

test("read() returns bytes that have arrived, and then waits", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    const buffer = new Uint8Array(3);
    stream.arrive("hello");
    assertEquals([await socket.read(buffer), await socket.read(buffer)], [3, 2]);
    const reading = socket.read(buffer);
    stream.arrive("x");
    assertEquals(await reading, 1);
  });
});

test("read() returns null at the end, and in every later call", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.arrive("x");
    stream.arriveEnd();
    const buffer = new Uint8Array(9);
    assertEquals([await socket.read(buffer), await socket.read(buffer), await socket.read(buffer)], [1, null, null]);
  });
});

test("read() returns bytes that arrived before a reset, and then throws connection_reset in every call", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    const buffer = new Uint8Array(9);
    stream.arrive("x");
    stream.break(reset);
    assertEquals(await socket.read(buffer), 1);
    for (let i = 0; i < 2; i++) {
      const error = await assertNetError(() => socket.read(buffer), "connection_reset");
      assertEquals([error.context, error.cause], [["reading from tcp:10.0.0.2:80"], reset]);
    }
  });
});

test("read() that is cancelled leaves the bytes to the next", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    const buffer = new Uint8Array(9);
    await first(() => socket.read(buffer), () => yieldNow());
    stream.arrive("x");
    assertEquals(await socket.read(buffer), 1);
  });
});

test("read() into an empty buffer is a RangeError", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.arrive("x");
    await assertRejects(() => socket.read(new Uint8Array(0)), RangeError);
    assertEquals(await socket.read(new Uint8Array(9)), 1);
  });
});

test("two reads at once are a BusyError, and so are two writes", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    const reading = socket.read(new Uint8Array(9));
    await assertRejects(() => socket.read(new Uint8Array(9)), BusyError);
    stream.arrive("x");
    await reading;
    stream.holds = true;
    await socket.write(bytesOf("a"));
    const writing = socket.write(bytesOf("b"));
    await assertRejects(() => socket.write(bytesOf("c")), BusyError);
    stream.passOn();
    await writing;
    stream.holds = false;
    stream.passOn();
  });
});

test("write() returns the number of bytes that the system took", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.takes = 3;
    assertEquals(await socket.write(bytesOf("hello")), 3);
    stream.taken = "";
    await writeAll(socket, bytesOf("hello"));
    assertEquals(stream.taken, "hello");
  });
});

test("write() waits until nothing older is queued, and writes nothing if cancelled then", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("a"));
    await first(() => socket.write(bytesOf("b")), () => yieldNow());
    const writing = socket.write(bytesOf("c"));
    stream.passOn();
    assertEquals(await writing, 1);
    assertEquals(stream.taken, "ac");
    stream.holds = false;
    stream.passOn();
  });
});

test("write() after the peer's reset is connection_reset again and again", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.break(brokenPipe);
    for (let i = 0; i < 3; i++) await assertNetError(() => socket.write(bytesOf("x")), "connection_reset");
  });
});

test("write() after shutdown('send') is a ClosedError", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    await socket.shutdown("send");
    assert(stream.ended);
    await assertRejects(() => socket.write(bytesOf("x")), ClosedError, "Cannot write");
  });
});

test("shutdown('send') settles when what was taken has been passed on", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("a"));
    let settled = false;
    const ending = socket.shutdown("send").then(() => settled = true);
    await microtasks();
    assertEquals([stream.ended, settled], [true, false]);
    stream.passOn();
    await ending;
  });
});

test("shutdown('send') rejects with what broke the socket while something taken was queued", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("hello"));
    const ending = assertNetError(() => socket.shutdown("send"), "connection_reset");
    stream.break(reset);
    await ending;
    await assertNetError(() => socket.shutdown("send"), "connection_reset");
  });
});

test("shutdown('send') that is pending when this side closes the socket succeeds", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("hello"));
    const ending = socket.shutdown("send");
    socket.abort();
    stream.break(reset);
    await ending;
  });
});

test("shutdown('send') can be cancelled, which does not undo it", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("a"));
    await first(() => socket.shutdown("send"), () => yieldNow());
    assert(stream.ended);
    await assertRejects(() => socket.write(bytesOf("x")), ClosedError);
    stream.passOn();
  });
});

test("shutdown('receive') ends a read that waits, and later bytes are dropped", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    const reading = socket.read(new Uint8Array(9));
    await socket.shutdown("receive");
    assertEquals(await reading, null);
    assert(stream.dropping);
    assertEquals(await socket.read(new Uint8Array(9)), null);
    await socket.write(bytesOf("x"));
  });
});

test("shutdown() and close() work in a cancelled scope", async () => {
  const stream = new FakeStream();
  const failed = Switch.run(async (sw) => {
    const { socket, stream: given } = await fakeSocket(sw);
    sw.fail(new Error("Cannot go on"));
    await socket.shutdown("all");
    await socket.close();
    assertEquals([given.ended, given.state], [true, "aborted"]);
    stream.abort();
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(stream.state, "aborted");
});

test("shutdown() refuses an unknown direction", async () => {
  await Switch.run(async (sw) => {
    const { socket } = await fakeSocket(sw);
    await assertRejects(() => socket.shutdown("both" as "all"), TypeError);
  });
});

test("close() closes the system's socket once, however often it is called", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    await Promise.all([socket.close(), socket.close(), socket[Symbol.asyncDispose]()]);
    assertEquals([stream.state, stream.ended], ["closed", true]);
  });
});

test("close() settles only when the system has closed the socket", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.tellsClosed = false;
    let settled = 0;
    const closing = [socket.close(), socket.close()].map((promise) => promise.then(() => settled++));
    await microtasks();
    assertEquals([stream.state, settled], ["closed", 0]);
    stream.tellClosed();
    await Promise.all(closing);
  });
});

test("close() wakes a read and a write that wait with ClosedError", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("a"));
    const waiting = [
      assertRejects(() => socket.read(new Uint8Array(9)), ClosedError, "Cannot read"),
      assertRejects(() => socket.write(bytesOf("b")), ClosedError, "Cannot write"),
    ];
    const closing = socket.close();
    await Promise.all(waiting);
    stream.passOn();
    await closing;
    assertEquals(stream.taken, "a");
  });
});

test("close() lets bytes that were taken go out first", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    assertEquals([stream.state, stream.ended], ["open", true]);
    stream.passOn();
    await closing;
    assertEquals(stream.state, "closed");
  });
});

test("close() resets the connection when bytes are not out after linger", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream, clock } = await fakeSocket(sw, { linger: 300 });
    stream.holds = true;
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    clock.advance();
    await closing;
    assertEquals([clock.now(), stream.state], [300, "aborted"]);
  });
});

test("close() abandons the connection when bytes are not out after linger and the system cannot reset", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream, clock } = await fakeSocket(sw, { linger: 300 });
    const abandoned: number[] = [];
    stream.abandon = () => {
      abandoned.push(clock.now());
      stream.tellClosed();
    };
    stream.holds = true;
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    clock.advance();
    await closing;
    assertEquals([abandoned, stream.state], [[300], "open"]);
  });
});

test("close() aborts the connection at once when its switch fails, although the system cannot reset", async () => {
  const streams: FakeStream[] = [];
  const failing = Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw, { linger: 300 });
    streams.push(stream);
    stream.abandon = () => stream.close();
    stream.holds = true;
    await socket.write(bytesOf("a"));
    sw.fork(() => socket.close());
    await microtasks();
    throw new Error("failed");
  });
  await assertRejects(() => failing, Error, "failed");
  assertEquals(streams[0].state, "aborted");
});

test("close() waits for the peer's end, and drops what arrives meanwhile", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.answersEnd = false;
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    stream.arrive("more");
    await microtasks();
    assertEquals([stream.state, stream.ended, stream.dropping], ["open", true, true]);
    stream.arriveEnd();
    await closing;
    assertEquals(stream.state, "closed");
  });
});

test("close() closes the system's socket after linger if the peer does not end", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream, clock } = await fakeSocket(sw, { linger: 300 });
    stream.answersEnd = false;
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    clock.advance();
    await closing;
    assertEquals([clock.now(), stream.state], [300, "closed"]);
  });
});

test("close() waits for the bytes and for the peer's end within one linger", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream, clock } = await fakeSocket(sw, { linger: 300 });
    stream.answersEnd = false;
    stream.holds = true;
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    clock.setTime(200);
    stream.passOn();
    await microtasks();
    assertEquals(stream.state, "open");
    clock.advance();
    await closing;
    assertEquals([clock.now(), stream.state], [300, "closed"]);
  });
});

test("close() does not wait where the peer's end was read", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream, clock } = await fakeSocket(sw);
    await socket.write(bytesOf("a"));
    stream.arriveEnd();
    await socket.close();
    assertEquals([stream.state, clock.tryAdvance()], ["closed", false]);
  });
});

test("close() does not wait where the connection is broken", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.answersEnd = false;
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    stream.break(reset);
    await closing;
    assertEquals(stream.state, "closed");
  });
});

test("close() does not wait for the other side where nothing was written", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.answersEnd = false;
    await socket.close();
    assertEquals([stream.state, stream.ended], ["closed", true]);
  });
});

test("close() that is not awaited continues, and its switch waits for it", async () => {
  const ended: string[] = [];
  const { promise, resolve } = signal<FakeStream>();
  const running = Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.answersEnd = false;
    await socket.write(bytesOf("a"));
    socket.close();
    resolve(stream);
  }).then(() => ended.push("switch"));
  const stream = await promise;
  await microtasks();
  assertEquals([stream.state, ended], ["open", []]);
  stream.arriveEnd();
  await running;
  assertEquals(stream.state, "closed");
});

test("a switch that ends runs its next hook while a socket waits for the other side, and then waits for the socket", async () => {
  const log: string[] = [];
  const { promise, resolve } = signal<FakeStream>();
  const running = Switch.run(async (sw) => {
    sw.onRelease(() => log.push("older hook"));
    const { socket, stream } = await fakeSocket(sw);
    stream.answersEnd = false;
    await socket.write(bytesOf("a"));
    resolve(stream);
  }).then(() => log.push("switch"));
  const stream = await promise;
  await called(() => log.length > 0);
  assertEquals([stream.state, stream.ended, log], ["open", true, ["older hook"]]);
  stream.arriveEnd();
  await running;
  assertEquals([stream.state, log], ["closed", ["older hook", "switch"]]);
});

test("a switch that is cancelled while a socket waits for the other side resets it", async () => {
  const { promise, resolve } = signal<FakeStream>();
  const outer = new AbortController();
  const running = Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.answersEnd = false;
    await socket.write(bytesOf("a"));
    resolve(stream);
  }, { signal: outer.signal }).catch(() => {});
  const stream = await promise;
  await called(() => stream.ended);
  assertEquals(stream.state, "open");
  outer.abort();
  await running;
  assertEquals(stream.state, "aborted");
});

test("a socket leaves its switch when the system has closed it", async () => {
  await Switch.run(async (sw) => {
    const { stream } = await fakeSocket(sw);
    assert(sw.dump().includes("resource: tcp:10.0.0.2:80"));
    stream.tellClosed();
    assert(!sw.dump().includes("resource"));
  });
});

test("an operation after the switch has ended says so", async () => {
  const socket = await Switch.run(async (sw) => (await fakeSocket(sw)).socket);
  const error = await assertRejects(() => socket.read(new Uint8Array(1)), ClosedError, "its switch has ended");
  assertEquals(error.operation, "read");
});

test("abort() makes its reason the cause of what waits, and of later operations", async () => {
  await Switch.run(async (sw) => {
    const { socket } = await fakeSocket(sw);
    const reason = new Error("The client is too slow");
    const reading = socket.read(new Uint8Array(1)).catch((error) => error);
    socket.abort(reason);
    for (const operation of [() => reading, () => socket.write(bytesOf("x")).catch((error) => error)]) {
      const error = await operation() as ClosedError;
      assertInstanceOf(error, ClosedError);
      assertEquals(error.cause, reason);
    }
  });
});

test("close() waits for 1000 ms where no linger is given", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream, clock } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    clock.advance();
    await closing;
    assertEquals(clock.now(), 1000);
  });
});

test("close() resets at once when the owner was cancelled", async () => {
  const outcome = signal<FakeStream>();
  const failed = Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("a"));
    outcome.resolve(stream);
    throw new Error("Cannot go on");
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals((await outcome.promise).state, "aborted");
});

test("close() stops waiting when the owner is cancelled meanwhile", async () => {
  const outcome = signal<FakeStream>();
  const failed = Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    outcome.resolve(stream);
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    assertEquals(stream.state, "open");
    sw.fail(new Error("Cannot go on"));
    await closing;
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals((await outcome.promise).state, "aborted");
});

test("close() continues after its caller is cancelled", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("a"));
    const outcome = await Switch.run(async (inner) => {
      const closing = socket.close();
      inner.fail(new Error("Cannot wait"));
      await microtasks();
      assertEquals(stream.state, "open");
      stream.passOn();
      await closing;
    }).catch((error) => error);
    assertEquals([(outcome as Error).message, stream.state], ["Cannot wait", "closed"]);
  });
});

test("close() drops unread input without waiting for a reader", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.arrive("unread");
    await socket.close();
    assertEquals([stream.dropping, stream.state], [true, "closed"]);
  });
});

test("close() removes the socket from its switch", async () => {
  await Switch.run(async (sw) => {
    const { socket } = await fakeSocket(sw);
    const before = sw.dump();
    await socket.close();
    assert(before.includes("resource: tcp:10.0.0.2:80"));
    assert(!sw.dump().includes("resource"));
  });
});

test("abort() resets now, also while close() waits", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.holds = true;
    await socket.write(bytesOf("a"));
    const closing = socket.close();
    await microtasks();
    socket.abort();
    assertEquals(stream.state, "aborted");
    await closing;
  });
});

test("abort() wakes what waits with ClosedError, and can be repeated", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    const reading = assertRejects(() => socket.read(new Uint8Array(1)), ClosedError);
    socket.abort();
    socket.abort();
    await reading;
    await assertRejects(() => socket.write(bytesOf("x")), ClosedError);
    await socket.close();
    assertEquals(stream.state, "aborted");
  });
});

test("what waits for the peer is woken when the system closes the socket by itself", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    const reading = assertNetError(() => socket.read(new Uint8Array(1)), "connection_reset");
    stream.break(reset);
    stream.tellClosed();
    await reading;
    await socket.close();
  });
});

test("a socket is frozen and does not expose the provider's", async () => {
  await Switch.run(async (sw) => {
    const { socket } = await fakeSocket(sw);
    assert(Object.isFrozen(socket));
    assertEquals(Reflect.ownKeys(socket), []);
    assert(Object.isFrozen(Object.getPrototypeOf(socket)));
  });
});

test("an operation in a cancelled scope is refused, and consumes nothing", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.arrive("x");
    await Switch.run(async (inner) => {
      inner.fail(new Error("Cannot go on"));
      const lending = () => (socket as unknown as LendingSource)[lend](() => 1);
      for (const operation of [() => socket.read(new Uint8Array(1)), () => socket.write(bytesOf("x")), lending]) {
        assertInstanceOf(await operation().catch((error) => error), Cancelled);
      }
    }).catch(() => {});
    assertEquals([stream.taken, await socket.read(new Uint8Array(9))], ["", 1]);
  });
});

test("copyString() writes on over a system that takes a little at a time", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.takes = 2;
    stream.holds = true;
    const copying = copyString("hello", socket);
    for (const expected of ["he", "hell", "hello"]) {
      await called(() => stream.taken === expected);
      stream.passOn();
    }
    await copying;
    stream.holds = false;
  });
});

test("close() rejects, now and again, with what the backend throws", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    const error = new Error("Cannot close");
    stream.arriveEnd();
    stream.close = () => {
      throw error;
    };
    for (let i = 0; i < 2; i++) assertEquals(await socket.close().catch((reason) => reason), error);
    assertEquals(openCounts().sockets, 1);
    stream.tellClosed();
    assertEquals(openCounts().sockets, 0);
  });
});
