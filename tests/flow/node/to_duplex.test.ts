// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { connect } from "node:net";
import { type Duplex, PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  BrokenPipeError,
  bufferSink,
  ClosedError,
  copyString,
  pipe,
  readAll,
  type TwoWay,
  writeAll,
} from "../../../flow/mod.ts";
import { toDuplex } from "../../../flow/node/mod.ts";
import { NetError, tcp } from "../../../net/mod.ts";
import { socketPair } from "../../../net/testing/mod.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { awaitCancel, Cancelled, interruptible, Switch, yieldNow } from "../../../switch/mod.ts";
import { describeData } from "../../../base/_text.ts";
import { bytesOf, inCancelledScope, readText, turns, until } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { cancelling } from "../_helpers.ts";
import { anyPort, withNet } from "../../net/_helpers.ts";
import { errorOf } from "./_helpers.ts";
import { soon } from "./_side_by_side.ts";

async function allOf(stream: Readable): Promise<Uint8Array> {
  return new Uint8Array(Buffer.concat(await stream.toArray()));
}

test("toDuplex() carries bytes both ways, and each end on its own", async () => {
  const [a, b] = pipe();
  const duplex = toDuplex(a);
  const close = errorOf(duplex);
  duplex.end("ping");
  assertEquals(await readText(b), "ping");
  assertEquals(duplex.destroyed, false);
  await copyString("pong", b);
  await b.shutdown("send");
  assertEquals((await allOf(duplex)).toString(), bytesOf("pong").toString());
  assertEquals(await close, null);
  await assertRejects(() => a.read(new Uint8Array(1)), ClosedError);
});

test("toDuplex() can still be written to when the other side has ended", async () => {
  const [a, b] = pipe();
  const duplex = toDuplex(a);
  await b.shutdown("send");
  await new Promise<void>((resolve) => duplex.once("end", resolve).resume());
  await turns(3);
  duplex.end("still here");
  assertEquals(await readText(b), "still here");
});

test("toDuplex() with allowHalfOpen false ends and closes itself with the other side", async () => {
  const [a, b] = pipe();
  const duplex = toDuplex(a, { allowHalfOpen: false });
  const close = errorOf(duplex);
  await b.shutdown("send");
  duplex.resume();
  assertEquals(await close, null);
  assertEquals(await readText(b), "");
});

test("toDuplex() reads no further than its buffer while nothing is read", async () => {
  const [a, b] = pipe({ capacity: 1000 });
  const duplex = toDuplex(a);
  const most = duplex.readableHighWaterMark + 3000;
  let written = 0;
  const writing = (async () => {
    for (; written < 500_000; written += await b.write(pattern(written, 1000)));
    await b.close();
  })();
  duplex.once("readable", () => {});
  for (let before = -1; before < written;) {
    before = written;
    await turns(10);
  }
  assert(written <= most, `${written} bytes were read ahead`);
  let read = 0;
  for await (const chunk of duplex) {
    assertEquals(new Uint8Array(chunk), pattern(read, chunk.length));
    read += chunk.length;
    assert(written - read <= most + 1000, `${written} bytes were written, ${read} read`);
  }
  await writing;
  assertEquals(read, written);
  await errorOf(duplex.destroy());
});

test("toDuplex() makes its writer wait while the flow does", async () => {
  const [a, b] = pipe({ capacity: 1000 });
  const duplex = toDuplex(a);
  let calls = 0;
  while (duplex.write(pattern(0, 10_000), () => calls++)) await turns(1);
  await turns(3);
  const length = duplex.writableLength;
  assertEquals([calls, duplex.bytesWritten, duplex.bufferSize], [0, length, length]); // as in node:net, all of it
  const drained = new Promise<void>((resolve) => duplex.once("drain", resolve));
  duplex.end();
  assertEquals((await readAll(b)).length, length);
  await Promise.race([drained, turns(5)]);
  assertEquals(duplex.bytesWritten, length);
  duplex.destroy();
});

test("toDuplex() joins small writes that wait", async () => {
  const [a] = pipe();
  const sizes: number[] = [];
  const flow: TwoWay = {
    read: (buffer) => a.read(buffer),
    shutdown: (how) => a.shutdown(how),
    write(bytes) {
      sizes.push(bytes.length);
      return a.write(bytes);
    },
  };
  const duplex = toDuplex(flow);
  for (let i = 0; i < 50; i++) duplex.write("x");
  await until(() => duplex.writableLength === 0);
  assertEquals(sizes, [1, 49]);
  duplex.destroy();
  await errorOf(duplex);
});

test("pipeline() goes through toDuplex(), with backpressure and the end", async () => {
  const [a, b] = pipe();
  const [there, back] = [toDuplex(a), toDuplex(b)];
  const size = 1_000_000;
  const out = new PassThrough();
  const [all] = await Promise.all([
    allOf(out),
    pipeline(Readable.from([Buffer.from(pattern(0, size))]), there),
    pipeline(back, out).then(() => back.end()),
    errorOf(there.resume()),
  ]);
  assertEquals(all, pattern(0, size));
});

test("toDuplex() that is destroyed closes the flow, and then emits 'close'", async () => {
  const [a, b] = pipe();
  const duplex = toDuplex(a);
  duplex.destroy();
  assertEquals(await errorOf(duplex), null);
  assertEquals(await b.read(new Uint8Array(1)), null);
  await assertRejects(() => a.write(bytesOf("late")), ClosedError);
});

test("toDuplex() that is destroyed while it reads and writes leaves nothing behind", async () => {
  const [a, b] = pipe({ capacity: 10 });
  const duplex = toDuplex(a);
  duplex.resume();
  const error = new Promise((resolve) => duplex.write(pattern(0, 100), resolve));
  await turns(1);
  duplex.destroy();
  assert(await error instanceof Error);
  await errorOf(duplex);
  await b.close();
});

test("toDuplex() that is destroyed with an error lets out what was written before, as a socket does", async () => {
  const [a, b] = socketPair();
  const error = new Error("enough");
  const duplex = toDuplex(a);
  duplex.write("400 Bad Request");
  duplex.destroy(error);
  assertStrictEquals(await errorOf(duplex), error);
  assertEquals(await readText(b), "400 Bad Request");
});

test("toDuplex() that is destroyed before the flow has taken everything aborts the flow", async () => {
  for (const [first, second] of [[1, 300_000], [300_000, 0]]) {
    const [a, b] = socketPair();
    const duplex = toDuplex(a);
    duplex.write(pattern(0, first));
    if (second > 0) duplex.write(pattern(0, second));
    await errorOf(duplex.destroy());
    assertEquals((await assertRejects(() => readAll(b), NetError)).code, "connection_reset");
  }
});

test("toDuplex() that was ended and waits for its close is destroyed without an error when its switch ends", async () => {
  const [a, b] = socketPair();
  let duplex: Duplex | undefined;
  await Switch.run(async () => {
    duplex = toDuplex(a);
    await new Promise<void>((resolve) => duplex?.end("bye", resolve));
  });
  assertEquals(await errorOf(duplex as Duplex), null);
  assertEquals(await readText(b), "bye");
});

test("toDuplex() lets out what was written when its switch ends, though its peer goes on sending", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const size = 2_000_000;
    const served = sw.forkPromise(() =>
      Switch.run(async (sw) => {
        const duplex = toDuplex(await listener.accept(sw));
        duplex.resume().write(pattern(0, size));
        await soon();
      })
    );
    const client = connect(listener.address.port, "127.0.0.1");
    const ended = new Promise((resolve) => client.once("end", resolve).once("error", resolve));
    const parts: Uint8Array[] = [];
    client.on("data", (part) => parts.push(part)).pause();
    const talking = setInterval(() => client.write(new Uint8Array(1000)), 1);
    await soon(200);
    client.resume();
    assertEquals(await ended, undefined);
    clearInterval(talking);
    client.end();
    await served;
    assertEquals(new Uint8Array(Buffer.concat(parts)), pattern(0, size));
  }));

test("toDuplex() opens a flow at once in its own scope, whatever becomes of its caller", async () => {
  const [a, b] = socketPair();
  const { promise, resolve } = Promise.withResolvers<TwoWay>();
  await Switch.run(async (sw) => {
    let duplex: Duplex | undefined;
    await inCancelledScope(() => {
      duplex = toDuplex(() => interruptible(promise), { sw });
    });
    resolve(a);
    await new Promise<void>((resolve) => duplex?.once("connect", resolve));
    duplex?.end("hello");
    assertEquals(await readText(b), "hello");
  });
});

test("toDuplex() that is destroyed while it opens a flow cancels that", async () => {
  const opening = Promise.withResolvers<unknown>();
  const duplex = toDuplex(() =>
    awaitCancel().catch((error) => {
      opening.resolve(error);
      throw error;
    })
  );
  await errorOf(duplex.destroy());
  assertInstanceOf(await opening.promise, Cancelled);
});

test("toDuplex() is destroyed with what opening a flow throws", async () => {
  const error = new Error("Cannot connect");
  const duplex = toDuplex(() => {
    throw error;
  });
  assertStrictEquals(await errorOf(duplex), error);
});

test("toDuplex() that is destroyed shuts down a flow that cannot be closed", async () => {
  const [a, b] = pipe();
  const flow: TwoWay = {
    read: (buffer) => a.read(buffer),
    write: (bytes) => a.write(bytes),
    shutdown: (how) => a.shutdown(how),
  };
  await errorOf(toDuplex(flow).destroy());
  assertEquals(await b.read(new Uint8Array(1)), null);
});

test("toDuplex() is destroyed with what reading throws, once all that came before is read", async () => {
  const [a, b] = socketPair();
  const duplex = toDuplex(a);
  const error = new Promise((resolve) => duplex.once("error", resolve));
  duplex.resume();
  await copyString("hello", b);
  await until(() => duplex.bytesRead === 5);
  b.abort();
  const thrown = await error as NodeJS.ErrnoException;
  assertEquals([thrown.code, thrown.syscall], ["ECONNRESET", "read"]);
  assertInstanceOf(thrown.cause, NetError);
  await errorOf(duplex);
});

test("toDuplex() is destroyed with what writing throws, and tells the write", async () => {
  const [a, b] = pipe();
  await b.close();
  const duplex = toDuplex(a);
  const close = errorOf(duplex);
  const told = await new Promise((resolve) => duplex.write("x", resolve));
  assertInstanceOf(told, Error);
  assertEquals([(told as NodeJS.ErrnoException).code, (told as NodeJS.ErrnoException).syscall], ["EPIPE", "write"]);
  assertInstanceOf(told.cause, BrokenPipeError);
  assertStrictEquals(await close, told);
});

test("toDuplex() is destroyed when the scope in which it was made is cancelled, even while it is idle", async () => {
  const [a, b] = socketPair();
  const error = new Error("enough");
  let duplex: Duplex | undefined;
  const failed = Switch.run(async (sw) => {
    duplex = toDuplex(a);
    sw.fork(() => errorOf(duplex as Duplex));
    await yieldNow();
    throw error;
  });
  assertStrictEquals(await failed.catch((thrown) => thrown), error);
  assertInstanceOf(duplex?.errored, Cancelled);
  await assertRejects(() => b.read(new Uint8Array(1)), NetError);
});

test("toDuplex() is destroyed when its switch ends, before that settles, and nothing hangs", async () => {
  const [a, b] = socketPair();
  const source = new PassThrough(); // never ends
  let duplex: Duplex | undefined;
  let result: Promise<unknown> | undefined;
  await Switch.run(async (sw) => {
    sw.use(a);
    duplex = toDuplex(a);
    result = pipeline(source, duplex).catch((error) => error);
    source.write("hello");
    await b.read(new Uint8Array(9));
  });
  assertInstanceOf(duplex?.errored, ClosedError);
  assertEquals((duplex.errored as NodeJS.ErrnoException).code, "ERR_STREAM_DESTROYED");
  assert(await result instanceof Error);
  assertEquals(await b.read(new Uint8Array(1)), null);
  source.destroy();
});

test("toDuplex() in a cancelled scope is destroyed at once", () =>
  inCancelledScope(async () => {
    const [a, b] = pipe();
    assertInstanceOf(await errorOf(toDuplex(a)), Cancelled);
    await b.close();
  }));

test("toDuplex() does not mind that its callers are cancelled", async () => {
  const [a, b] = pipe({ capacity: 3 });
  const duplex = toDuplex(a);
  const write = () => interruptible(new Promise((resolve) => duplex.write("foobar", resolve)));
  const read = () => interruptible(new Promise((resolve) => duplex.once("data", resolve)));
  for (const operation of [write, read]) await cancelling(operation, () => turns(1));
  await copyString("pong", b);
  duplex.end();
  assertEquals(await readText(b), "foobar");
  assertEquals(duplex.destroyed, false);
  duplex.destroy();
  await errorOf(duplex);
});

test("toDuplex() emits its events in the scope in which it was made", async () => {
  const [a, b] = pipe();
  const duplex = toDuplex(a);
  const [c, d] = pipe();
  await inCancelledScope(() => {
    // The reader is cancelled, but a 'data' listener runs outside its scope.
    duplex.on("data", (chunk) => writeAll(c, chunk).then(() => c.close()));
  });
  await copyString("hello", b);
  assertEquals(await readText(d), "hello");
  duplex.destroy();
  await errorOf(duplex);
});

test("toDuplex() with a switch belongs to that switch in any scope", async () => {
  const [a, b] = pipe();
  await Switch.run(async (sw) => {
    const duplex = await Switch.run(() => toDuplex(a, { sw }));
    await inCancelledScope(() => void toDuplex(pipe()[0], { sw }));
    assertEquals(duplex.destroyed, false);
    duplex.end("hello");
    assertEquals(await readText(b), "hello");
  });
  await assertRejects(() => a.read(new Uint8Array(1)), ClosedError);
});

test("toDuplex() with what is not a switch, or has ended, is a TypeError", async () => {
  const ended = await Switch.run((sw) => sw);
  const [a] = pipe();
  assertThrows(() => toDuplex(a, { sw: ended }), TypeError, "the switch is finished");
  assertThrows(() => toDuplex(a, { sw: {} as Switch }), TypeError, "must be a Switch");
});

test("toDuplex() of a flow that is yet to come is connecting, and then emits 'connect'", async () => {
  const [a, b] = socketPair();
  const { promise, resolve } = Promise.withResolvers<TwoWay>();
  const duplex = toDuplex(promise);
  duplex.write("early ");
  const connected = new Promise<void>((resolve) => duplex.connect(1234, "nowhere").once("connect", resolve));
  await turns(1);
  assertEquals([duplex.connecting, duplex.pending, duplex.readyState], [true, true, "opening"]);
  assertEquals([duplex.remoteAddress, duplex.address()], [undefined, {}]);
  resolve(a);
  await connected;
  assertEquals([duplex.connecting, duplex.pending, duplex.readyState], [false, false, "open"]);
  duplex.end("bird");
  assertEquals(await readText(b), "early bird");
  duplex.destroy();
  await errorOf(duplex);
});

test("toDuplex() of a flow that does not come is destroyed with that error", async () => {
  const error = new Error("Cannot connect");
  const duplex = toDuplex(Promise.reject(error));
  assertStrictEquals(await errorOf(duplex), error);
});

test("toDuplex() that is destroyed before the flow comes closes it when it does", async () => {
  const [a, b] = pipe();
  const { promise, resolve } = Promise.withResolvers<TwoWay>();
  const duplex = toDuplex(promise);
  const close = errorOf(duplex.destroy());
  resolve(a);
  await close;
  assertEquals(await b.read(new Uint8Array(1)), null);
});

test("toDuplex() that is destroyed before a promised flow comes closes at once, and so does its switch", async () => {
  const [a, b] = pipe();
  const { promise, resolve } = Promise.withResolvers<TwoWay>();
  const error = new Error("Cannot wait any longer");
  await Switch.run(async () => {
    const duplex = toDuplex(promise).resume();
    duplex.write("early");
    await turns(1);
    assertStrictEquals(await errorOf(duplex.destroy(error)), error);
    toDuplex(promise).resume().write("early"); // destroyed by the switch
  });
  resolve(a);
  assertEquals(await b.read(new Uint8Array(9)), null);
});

test("toDuplex() of what is not a flow is a TypeError, at once or when it has come", async () => {
  for (const wrong of [undefined, {}, "x", new PassThrough()]) {
    const text = `Cannot make a stream of ${describeData(wrong)}: must be a flow`;
    assertThrows(() => toDuplex(wrong as never), TypeError, text + ", a promise of it, or a function that opens it");
    for (const late of [Promise.resolve(wrong), () => wrong]) {
      const thrown = await errorOf(toDuplex(late as never));
      assertInstanceOf(thrown, TypeError);
      assertEquals(thrown.message, text);
    }
  }
});

test("toDuplex() has the addresses of the flow, and its counts", async () => {
  const [a, b] = socketPair({ local: tcp("10.0.0.1", 1), peer: tcp("::1", 2) });
  const duplex = toDuplex(a);
  assertEquals([duplex.localAddress, duplex.localFamily, duplex.localPort], ["10.0.0.1", "IPv4", 1]);
  assertEquals([duplex.remoteAddress, duplex.remoteFamily, duplex.remotePort], ["::1", "IPv6", 2]);
  assertEquals(duplex.address(), { address: "10.0.0.1", family: "IPv4", port: 1 });
  await copyString("hello", b);
  await b.close();
  await new Promise<void>((resolve) => duplex.once("end", resolve).resume());
  assertEquals([duplex.bytesRead, duplex.bytesWritten, duplex.readyState], [5, 0, "writeOnly"]);
  duplex.destroy();
  await errorOf(duplex);
  assertEquals(duplex.readyState, "closed");
});

test("toDuplex() of a flow that is not a socket has no addresses", async () => {
  const [a] = pipe();
  const duplex = toDuplex(a);
  assertEquals([duplex.localAddress, duplex.remotePort, duplex.address()], [undefined, undefined, {}]);
  await errorOf(duplex.destroy());
});

test("toDuplex() emits 'connect' after connect(), for clients that wait for it", async () => {
  const [a] = pipe();
  const duplex = toDuplex(a);
  const log: string[] = [];
  for (const event of ["connect", "ready"]) duplex.on(event, () => log.push(event));
  assertStrictEquals(duplex.connect({ port: 1, host: "nowhere" }), duplex);
  await turns(1);
  assertEquals(log, ["connect", "ready"]);
  await errorOf(duplex.destroy());
});

test("toDuplex() passes on the options of a socket, and goes on where the flow has none", async () => {
  const [a] = pipe();
  const set: unknown[] = [];
  const flow = {
    read: (buffer: Uint8Array) => a.read(buffer),
    write: (bytes: Uint8Array) => a.write(bytes),
    shutdown: () => a.shutdown("all"),
    setOption: (name: string, value: unknown) => void set.push(name, value),
  };
  const duplex = toDuplex(flow);
  assertStrictEquals(duplex.setNoDelay().setKeepAlive(true, 1000).ref().unref(), duplex);
  await turns(1);
  assertEquals(set, ["TCP_NODELAY", true, "SO_KEEPALIVE", true]);
  await errorOf(duplex.destroy());
  const [b] = socketPair();
  const other = toDuplex(b).setNoDelay(false);
  await turns(1);
  await errorOf(other.destroy());
});

test("toDuplex() emits 'timeout' when nothing happens, and again after something has", async () => {
  const [a, b] = pipe();
  const duplex = toDuplex(a);
  const silence = () => new Promise<void>((resolve) => duplex.setTimeout(5, resolve));
  await silence();
  assertEquals([duplex.timeout, duplex.destroyed], [5, false]);
  const again = new Promise<void>((resolve) => duplex.once("timeout", resolve));
  duplex.resume();
  await copyString("hello", b);
  await again;
  duplex.setTimeout(0);
  assertEquals([duplex.timeout, duplex.listenerCount("timeout")], [0, 0]);
  duplex.setTimeout(5, () => {
    throw new Error("A destroyed stream has no timeout");
  });
  await errorOf(duplex.destroy());
  await new Promise((resolve) => setTimeout(resolve, 20));
});

test("toDuplex() is destroyed by destroySoon() when everything has gone out", async () => {
  const [a, b] = pipe({ capacity: 10 });
  const duplex = toDuplex(a);
  const close = errorOf(duplex);
  duplex.write(pattern(0, 1000));
  duplex.destroySoon();
  assertEquals(await readAll(b), pattern(0, 1000));
  assertEquals(await close, null);
});

test("toDuplex() reads a flow that cannot be cancelled, and closing that ends the read", async () => {
  const woken = Promise.withResolvers<number | null>();
  const sink = bufferSink();
  const flow = {
    read: () => woken.promise,
    write: (bytes: Uint8Array) => sink.write(bytes),
    shutdown: () => Promise.resolve(),
    close: () => Promise.resolve(woken.resolve(null)),
  };
  const duplex = toDuplex(flow).resume();
  await turns(1);
  duplex.write("hello");
  await turns(1);
  duplex.destroy();
  await errorOf(duplex);
  assertEquals(sink.text(), "hello");
});
