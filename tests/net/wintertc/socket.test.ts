// Copyright 2026 the Sluice authors. MIT license.

/** Sockets of WinterTC without TLS: how they open, transfer, end and fail. */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { copyString, type Net, NetError, readAll, Switch } from "../../../mod.ts";
import { Cancelled, first, interruptible } from "../../../switch/mod.ts";
import { memoryNet, mockClock, openCounts } from "../../../net/testing/mod.ts";
import { wrapNet } from "../../../net/wrap/mod.ts";
import { SocketError, toConnect } from "../../../net/wintertc/mod.ts";
import { bytesOf, inCancelledScope, outcomeOf, readText, textOf, turns, until } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, assertCutOff, microtasks, withNet } from "../_helpers.ts";
import { dial, hostAndPort, networks, receive, receiveAll, send, testOnNets } from "./_helpers.ts";

const half = { allowHalfOpen: true };

// Opening

testOnNets("opened", "tells both addresses", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  const info = await socket.opened;
  assertEquals(info, {
    remoteAddress: `127.0.0.1:${(server.local as { port: number }).port}`,
    localAddress: `127.0.0.1:${(server.peer as { port: number }).port}`,
    alpn: null,
  });
  assert(Object.isFrozen(info));
});

testOnNets("connect()", "returns a socket whose streams can be used before it has opened", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  const socket = toConnect(net, sw)(hostAndPort(listener.address));
  const written = send(socket, "hello");
  const read = receive(socket);
  const server = await listener.accept(sw);
  const buffer = new Uint8Array(10);
  assertEquals(await server.read(buffer), 5);
  await written;
  await copyString("world", server);
  assertEquals(await read, "world");
});

test("connect() returns a frozen socket whose members stay the same", () =>
  networks["a memory"](async (sw, net) => {
    const { socket } = await dial(sw, net);
    assert(Object.isFrozen(socket));
    for (const name of ["readable", "writable", "opened", "closed"] as const) {
      assertStrictEquals(socket[name], socket[name]);
    }
    assertEquals([socket.upgraded, socket.secureTransport], [false, "off"]);
  }));

testOnNets("connect()", "to a port without a server fails everything with a SocketError", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  await listener.close();
  const socket = toConnect(net, sw)(hostAndPort(listener.address));
  const error = await assertRejects(() => socket.opened, SocketError) as SocketError;
  assert(error.cause instanceof NetError);
  assertEquals(error.cause.code, "connection_refused");
  assertEquals(error.message, `SocketError: ${error.cause.message}`);
  const all = [
    socket.closed,
    socket.readable.getReader().read(),
    socket.writable.getWriter().write(bytesOf("x")),
    socket.close(),
  ];
  for (const each of all) assertStrictEquals(await outcomeOf(() => each), error);
});

testOnNets("connect()", "that nothing looks at is no unhandled rejection", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  await listener.close();
  const connect = toConnect(net, sw);
  connect(hostAndPort(listener.address));
  const socket = connect(hostAndPort(listener.address));
  await outcomeOf(() => socket.opened);
  await turns(3);
});

test("connect() to what the network denies fails everything with its error", () =>
  Switch.run(async (sw) => {
    const net = wrapNet(memoryNet(), {
      connect: () => {
        throw new NetError("permission_denied", { operation: "connect" });
      },
    });
    const socket = toConnect(net, sw)("127.0.0.1:7000");
    for (const each of [socket.opened, socket.closed, socket.readable.getReader().read()]) {
      const error = await assertRejects(() => each, SocketError) as SocketError;
      assertEquals((error.cause as NetError).code, "permission_denied");
    }
    await turns(2);
  }));

test("connect() reaches names and literals through connect() of the network, and nothing else", () =>
  Switch.run(async (sw) => {
    const targets: string[] = [];
    const net = {
      connect(_: Switch, address: { transport: string }) {
        targets.push(address.transport);
        return Promise.reject(new NetError("permission_denied", { operation: "connect" }));
      },
    } as unknown as Net;
    const connect = toConnect(net, sw);
    for (const address of ["127.0.0.1:1", "[::1]:1", "localhost:1"]) await outcomeOf(() => connect(address).opened);
    assertEquals(targets, ["tcp", "tcp", "host"]);
  }));

// Transfer

testOnNets("readable and writable", "carry a megabyte each way, byte for byte", async (sw, net) => {
  const { socket, server } = await dial(sw, net, half);
  const data = new Uint8Array(1 << 20).map((_, i) => (i * 2654435761) >>> 13);
  sw.fork(async () => {
    const all = await readAll(server);
    for (let at = 0; at < all.length;) at += await server.write(all.subarray(at));
    await server.close();
  });
  const writing = new Blob([data]).stream().pipeTo(socket.writable);
  const back = new Uint8Array(await new Response(socket.readable).arrayBuffer());
  await writing;
  assertEquals(back.length, data.length);
  assert(back.every((byte, i) => byte === data[i]));
  await socket.closed;
});

testOnNets("readable", "is a byte stream, which reads into the reader's buffer", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  await copyString("hello", server);
  const reader = socket.readable.getReader({ mode: "byob" });
  const { value } = await reader.read(new Uint8Array(3));
  assertEquals(textOf(value as Uint8Array), "hel");
});

testOnNets("writable", "that is closed ends the peer's input, and leaves the socket open", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  await send(socket, "hello");
  await socket.writable.close();
  assertEquals(await readText(server), "hello");
  await copyString("world", server);
  assertEquals(await receive(socket), "world");
});

testOnNets("readable", "that is cancelled leaves the socket open", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  const reader = socket.readable.getReader();
  const reading = reader.read();
  await socket.opened;
  await reader.cancel(new Error("No interest"));
  assertEquals((await reading).done, true);
  await send(socket, "hello");
  assertEquals(await server.read(new Uint8Array(9)), 5);
  assertEquals(await first(() => interruptible(socket.closed), async () => (await turns(3), "open")), "open");
});

// The end of the peer

testOnNets("a socket", "closes by itself when its readable was read to the end", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  await copyString("hello", server);
  const closing = server.close();
  assertEquals(await receiveAll(socket), "hello");
  await socket.closed;
  await closing;
  await socket.writable.getWriter().closed;
});

testOnNets("a socket", "whose locked writable is in use fails it when the peer has ended", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  const writer = socket.writable.getWriter();
  await writer.write(bytesOf("hello"));
  const closing = server.close();
  assertEquals(await receiveAll(socket), "");
  await socket.closed;
  await assertRejects(() => writer.write(bytesOf("late")), SocketError, "the peer has ended");
  await closing;
});

testOnNets("a socket", "sends what was written before it closes by itself", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  await socket.opened;
  const writer = socket.writable.getWriter();
  await server.shutdown("send");
  const pieces = ["one,", "two,", "three"].map((text) => writer.write(bytesOf(text)));
  assertEquals(await receiveAll(socket), "");
  await Promise.all(pieces);
  assertEquals(await readText(server), "one,two,three");
  await socket.closed;
});

testOnNets("a socket", "that is not read stays open when the peer has ended", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  await socket.opened;
  await server.shutdown("send");
  await turns(2);
  await send(socket, "hello");
  assertEquals(await server.read(new Uint8Array(9)), 5);
});

testOnNets("a socket with allowHalfOpen", "can write after the end of the peer", async (sw, net) => {
  const { socket, server } = await dial(sw, net, half);
  await server.shutdown("send");
  assertEquals(await receiveAll(socket), "");
  await send(socket, "late");
  assertEquals(await server.read(new Uint8Array(9)), 4);
  await socket.writable.close();
  await socket.closed;
  assertEquals(await readText(server), "");
});

testOnNets("a socket with allowHalfOpen", "closes when both directions have ended", async (sw, net) => {
  const { socket, server } = await dial(sw, net, half);
  await socket.opened;
  await socket.writable.close();
  assertEquals(await readText(server), "");
  await server.close();
  assertEquals(await receiveAll(socket), "");
  await socket.closed;
});

testOnNets("closed", "resolves when the peer resets the connection, and the streams fail", async (sw, net) => {
  if (!net.features.has("reset")) return;
  const { socket, server } = await dial(sw, net);
  const reader = socket.readable.getReader();
  const reading = reader.read();
  await send(socket, "hello");
  server.abort();
  const error = await assertRejects(() => reading, SocketError) as SocketError;
  assertEquals((error.cause as NetError).code, "connection_reset");
  await socket.closed;
  await assertRejects(() => socket.writable.getWriter().write(bytesOf("late")), SocketError);
});

// close()

testOnNets("close()", "ends the readable, fails the writable, and loses nothing that was written", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  const reader = socket.readable.getReader();
  const reading = reader.read();
  const writer = socket.writable.getWriter();
  await writer.write(bytesOf("hello"));
  const closing = socket.close();
  assertStrictEquals(closing, socket.closed);
  assertStrictEquals(socket.close(), closing);
  assertEquals((await reading).done, true);
  await reader.closed;
  await assertRejects(() => writer.write(bytesOf("late")), SocketError, "closed by this side");
  assertEquals(await readText(server), "hello");
  await server.close();
  await closing;
});

testOnNets("close()", "passes its reason on to the writable", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  await socket.opened;
  const reason = new Error("No longer needed");
  const closing = socket.close(reason);
  assertStrictEquals(await outcomeOf(() => socket.writable.getWriter().closed), reason);
  await server.close();
  await closing;
});

testOnNets("close()", "before the socket has opened abandons the attempt, with its reason", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  const socket = toConnect(net, sw)(hostAndPort(listener.address));
  const reason = new Error("No longer needed");
  const writing = outcomeOf(() => socket.writable.getWriter().write(bytesOf("x")));
  await socket.close(reason);
  assertStrictEquals(await outcomeOf(() => socket.opened), reason);
  assertStrictEquals(await writing, reason);
  assertEquals((await socket.readable.getReader().read()).done, true);
  await until(() => openCounts().sockets === 0);
});

testOnNets("close()", "cuts off a connection whose last write was cut off", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  const writer = socket.writable.getWriter();
  const writing = outcomeOf(() => writer.write(new Uint8Array(64 << 20)));
  await server.read(new Uint8Array(1));
  await socket.close();
  assert(await writing instanceof SocketError);
  await assertCutOff(net, server);
});

testOnNets("close()", "works in a cancelled scope", async (sw, net) => {
  const { socket, server } = await dial(sw, net);
  await send(socket, "hello");
  await inCancelledScope(() => socket.close());
  assertEquals(await readText(server), "hello");
});

// Scopes

testOnNets("a socket", "outlives the scope that called connect(), however that ends", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  const connect = toConnect(net, sw);
  const accepting = listener.accept(sw);
  const socket = await first(
    () => Promise.resolve(connect(hostAndPort(listener.address))),
    () => interruptible(new Promise<never>(() => {})),
  );
  const server = await accepting;
  const reading = receive(socket);
  await inCancelledScope(() => outcomeOf(() => interruptible(reading)));
  await copyString("hello", server);
  assertEquals(await reading, "hello");
});

test("connect() in a cancelled scope opens nothing", () =>
  Switch.run(async (sw) => {
    let calls = 0;
    const net = wrapNet(memoryNet(), {
      connect: (next) => {
        calls++;
        return next();
      },
    });
    const connect = toConnect(net, sw);
    const socket = await inCancelledScope(() => Promise.resolve(connect("127.0.0.1:7000")));
    for (const each of [socket.opened, socket.closed, socket.readable.getReader().read()]) {
      await assertRejects(() => each, Cancelled);
    }
    assertEquals(calls, 0);
  }));

testOnNets("a socket", "fails with its switch, at once and as cancelled", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  const reason = new Error("Cannot go on");
  const outcomes: Promise<unknown>[] = [];
  const error = await outcomeOf(() =>
    Switch.run(async (inner) => {
      const socket = toConnect(net, inner)(hostAndPort(listener.address));
      await socket.opened;
      const reading = socket.readable.getReader().read();
      const writer = socket.writable.getWriter();
      outcomes.push(...[socket.closed, reading, writer.closed].map((each) => outcomeOf(() => each)));
      inner.fail(reason);
    })
  );
  assertStrictEquals(error, reason);
  for (const outcome of await Promise.all(outcomes)) assert(outcome instanceof Cancelled, String(outcome));
});

testOnNets("a socket", "that its switch closes fails, and what was written arrives", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  const accepting = listener.accept(sw);
  const [socket, reading, writing] = await Switch.run(async (inner) => {
    const socket = toConnect(net, inner)(hostAndPort(listener.address));
    const server = await accepting;
    sw.fork(async () => {
      assertEquals((await readAll(server)).length, 3 << 20);
      await server.close();
    });
    const writer = socket.writable.getWriter();
    await writer.write(new Uint8Array(1 << 20));
    const writing = outcomeOf(() => writer.write(new Uint8Array(2 << 20)));
    return [socket, outcomeOf(() => socket.readable.getReader().read()), writing] as const;
  });
  assertEquals(await writing, undefined);
  const error = await assertRejects(() => socket.closed, SocketError, "its switch has ended");
  assertStrictEquals(await reading, error);
});

test("a socket of a switch that lives on leaves nothing with it when it has closed", () =>
  networks["a memory"](async (sw, net) => {
    const before = sw.dump();
    const listener = await net.listen(sw, anyPort);
    for (let i = 0; i < 3; i++) {
      const accepting = listener.accept(sw);
      const socket = toConnect(net, sw)(hostAndPort(listener.address));
      const server = await accepting;
      await socket.opened;
      if (i === 0) await socket.close();
      await server.close();
      if (i > 0) await receiveAll(socket);
      await socket.closed;
    }
    await listener.close();
    await microtasks();
    assertEquals(sw.dump(), before);
  }));

test("connect() takes its time from the clock of the network", () =>
  Switch.run(async (sw) => {
    const clock = mockClock();
    const net = memoryNet({ clock });
    const { socket, server } = await dial(sw, net);
    await send(socket, "hello");
    const closing = socket.close(); // lingers, for the server does not end
    while (!clock.tryAdvance()) await turns(1);
    await closing;
    assertEquals(await server.read(new Uint8Array(9)), 5);
  }));

test("startTls() of a socket that does not allow it throws a SocketError", () =>
  withNet(async (sw, net) => {
    const { socket } = await dial(sw, net);
    assertThrows(() => socket.startTls(), SocketError, 'its secureTransport must be "starttls"');
    assertEquals(socket.upgraded, false);
  }));
