// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { BusyError, Cancelled, ClosedError, type DatagramSocket, first, Switch, tcp, udp, unix } from "../../mod.ts";
import { bytesOf, textOf } from "../_helpers.ts";
import { test } from "../_test.ts";
import { fakeNet } from "./_fake_provider.ts";
import { FakeDatagram, fakeDatagramSocket, peer } from "./_fake_datagram.ts";
import { assertNetError, called, finishedSwitch, microtasks } from "./_helpers.ts";

const econnrefused = Object.assign(new Error("recvmsg ECONNREFUSED"), { code: "ECONNREFUSED" });

/** Runs `fn` with a datagram socket over a fake one. */
function withSocket(
  fn: (socket: DatagramSocket, system: FakeDatagram, sw: Switch) => Promise<unknown>,
  remote?: typeof peer,
): Promise<unknown> {
  return Switch.run(async (sw) => {
    const { socket, system } = await fakeDatagramSocket(sw, { remote });
    await fn(socket, system, sw);
  });
}

/** Returns the result of `recv` with a buffer of `room` bytes, as text. */
async function received(socket: DatagramSocket, room = 100): Promise<string> {
  const buffer = new Uint8Array(room);
  const { size, from, truncated } = await socket.recv(buffer);
  assertStrictEquals(from, peer);
  return `${textOf(buffer.subarray(0, size))}${truncated ? "…" : ""}`;
}

test("datagramSocket() is closed by its switch", async () => {
  const { system } = await Switch.run((sw) => fakeDatagramSocket(sw));
  assertEquals(system.closes, 1);
});

test("datagramSocket() closes a socket that opens too late", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    await first(() => net.datagramSocket(sw, "udp4"), () => microtasks());
    assertEquals(provider.datagrams[0].cancels, 1);
    const late = provider.datagrams[0].succeed(new FakeDatagram()) as FakeDatagram;
    await called(() => late.closes === 1);
  });
});

test("datagramSocket() is given up when its switch ends", async () => {
  const { net, provider } = fakeNet();
  let opening: Promise<unknown> = Promise.resolve();
  await Switch.run((sw) => {
    opening = assertRejects(() => net.datagramSocket(sw, "udp6"), TypeError, "finished");
  });
  await opening;
  assertEquals(provider.datagrams[0].cancels, 1);
});

test("datagramSocket() for a finished switch asks nothing of the system", async () => {
  const { net, provider } = fakeNet();
  await assertRejects(async () => net.datagramSocket(await finishedSwitch(), "udp4"), TypeError, "finished");
  assertEquals(provider.calls, []);
});

test("datagramSocket() reports the system's error", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const opening = net.datagramSocket(sw, udp("10.0.0.1", 53));
    provider.datagrams[0].fail(Object.assign(new Error("bind"), { code: "EADDRINUSE" }));
    const error = await assertNetError(() => opening, "address_in_use");
    assertEquals(error.message, "Cannot bind to udp:10.0.0.1:53: address in use");
  });
});

test("datagramSocket() of an option that fails leaves nothing open", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const opening = net.datagramSocket(sw, "udp4", { socketOptions: { IP_TTL: 9 } });
    const system = new FakeDatagram();
    system.settings.error = Object.assign(new Error("setTTL"), { code: "EINVAL" });
    provider.datagrams[0].succeed(system);
    const error = await assertNetError(() => opening, "invalid_option");
    assertEquals([error.address, system.closes], ["IP_TTL", 1]);
  });
  assertEquals(provider.datagrams[0].cancels, 1);
});

test("datagramSocket() sets its options in order, before it is handed out", async () => {
  await Switch.run(async (sw) => {
    const socketOptions = { IP_TTL: 9, SO_BROADCAST: true, IP_MULTICAST_IF: "10.0.0.1" };
    const { system } = await fakeDatagramSocket(sw, { socketOptions });
    assertEquals(system.settings.calls, ["IP_TTL 9", "SO_BROADCAST true", "IP_MULTICAST_IF 10.0.0.1"]);
  });
});

test("datagramSocket() passes options that cannot be set later to the system", async () => {
  const { net, provider } = fakeNet();
  await Switch.run((sw) => {
    net.datagramSocket(sw, "udp6", { reuseAddr: true, remote: peer, socketOptions: { IPV6_V6ONLY: true } }).catch(
      () => {},
    );
  });
  assertEquals(provider.datagramOptions, { reuseAddr: true, reusePort: false, ipv6Only: true, remote: peer });
});

test("recv() returns datagrams that have arrived, in order, with their senders", async () => {
  await withSocket(async (socket, system) => {
    for (const content of ["foo", "bar", "", "cellar door"]) system.arrive(content);
    assertEquals(await received(socket), "foo");
    assertEquals(await received(socket), "bar");
    assertEquals(await received(socket), "");
    assertEquals(await received(socket), "cellar door");
  });
});

test("recv() waits for a datagram", async () => {
  await withSocket(async (socket, system) => {
    const receiving = received(socket);
    await microtasks();
    system.arrive("late");
    assertEquals(await receiving, "late");
  });
});

test("recv() cuts off what does not fit, says so, and loses no other datagram", async () => {
  await withSocket(async (socket, system) => {
    for (const content of ["foobar", "foo", "x"]) system.arrive(content);
    assertEquals(await received(socket, 3), "foo…");
    assertEquals(await received(socket, 3), "foo");
    assertEquals(await received(socket, 0), "…");
  });
});

test("recv() that is cancelled loses no datagram", async () => {
  await withSocket(async (socket, system) => {
    await first(() => received(socket), () => microtasks());
    system.arrive("kept");
    assertEquals(await received(socket), "kept");
  });
});

test("recv() in a cancelled scope consumes nothing", async () => {
  await withSocket(async (socket, system, sw) => {
    system.arrive("kept");
    await assertRejects(() =>
      Switch.run(async (inner) => {
        inner.fail(new Cancelled());
        await socket.recv(new Uint8Array(9));
      }), Cancelled);
    assertEquals(await received(socket), "kept");
    sw.check();
  });
});

for (const operation of ["recv", "recvMany"] as const) {
  test(`${operation}() beside another receive is a BusyError`, async () => {
    await withSocket(async (socket, system) => {
      const receiving = socket.recvMany();
      await assertRejects(() => socket[operation](new Uint8Array(9)), BusyError);
      system.arrive("one");
      assertEquals((await receiving).length, 1);
    });
  });

  test(`${operation}() is woken by close()`, async () => {
    await withSocket(async (socket) => {
      const receiving = assertRejects(() => socket[operation](new Uint8Array(9)), ClosedError, "receive");
      await microtasks();
      await socket.close();
      await receiving;
      await assertRejects(() => socket[operation](new Uint8Array(9)), ClosedError, "receive");
    });
  });

  test(`${operation}() throws what the system reported, once`, async () => {
    await withSocket(async (socket, system) => {
      const receiving = assertNetError(() => socket[operation](new Uint8Array(9)), "connection_refused");
      system.report(econnrefused);
      assertEquals((await receiving).message, "Cannot receive on udp:10.0.0.2:53: connection refused");
      system.arrive("on");
      assertEquals(await received(socket), "on");
    }, peer);
  });
}

test("recv() refuses anything but a byte array", async () => {
  await withSocket((socket) => assertRejects(() => socket.recv([] as unknown as Uint8Array), TypeError));
});

test("recvMany() returns all datagrams that have arrived, untruncated", async () => {
  await withSocket(async (socket, system) => {
    for (const content of ["foo", "", "bar"]) system.arrive(content);
    const datagrams = await socket.recvMany();
    assertEquals(datagrams.map(({ data }) => textOf(data)), ["foo", "", "bar"]);
    assertStrictEquals(datagrams[0].from, peer);
  });
});

test("recvMany() leaves an error to the next receive", async () => {
  await withSocket(async (socket, system) => {
    system.arrive("foo");
    system.report(econnrefused);
    assertEquals((await socket.recvMany()).length, 1);
    await assertNetError(() => socket.recvMany(), "connection_refused");
  });
});

test("recvMany() that is cancelled loses no datagram", async () => {
  await withSocket(async (socket, system) => {
    await first(() => socket.recvMany(), () => microtasks());
    system.arrive("kept");
    assertEquals((await socket.recvMany()).length, 1);
  });
});

test("send() passes the pieces of one datagram on, and settles when the system has taken it", async () => {
  await withSocket(async (socket, system) => {
    let sent = false;
    const sending = socket.send([bytesOf("foo"), bytesOf("bar")], peer).then(() => sent = true);
    await microtasks();
    assertEquals([system.given.map(({ text }) => text), sent], [["foobar"], false]);
    system.given[0].done();
    await sending;
  });
});

test("send() without an address or a peer is a TypeError", async () => {
  await withSocket(async (socket, system) => {
    await assertRejects(() => socket.send(bytesOf("x")), TypeError, "without an address");
    assertEquals(system.given, []);
  });
});

// deno-lint-ignore no-explicit-any
const badTargets: [what: string, to: any, error: any][] = [
  ["a stream address", tcp("10.0.0.2", 53), TypeError],
  ["a Unix path", unix("/run/socket"), TypeError],
  ["IPv6 from an IPv4 socket", udp("::1", 53), TypeError],
  ["port 0", udp("10.0.0.2", 0), RangeError],
  ["text", "udp:10.0.0.2:53", TypeError],
];

for (const [what, to, error] of badTargets) {
  test(`send() to ${what} is refused before any system call`, async () => {
    await withSocket(async (socket, system) => {
      await assertRejects(() => socket.send(bytesOf("x"), to), error);
      assertEquals(system.given, []);
    });
  });
}

test("send() refuses pieces that are not byte arrays", async () => {
  await withSocket(async (socket) => {
    await assertRejects(() => socket.send("text" as unknown as Uint8Array, peer), TypeError);
    await assertRejects(() => socket.send([bytesOf("a"), 1 as unknown as Uint8Array], peer), TypeError);
  });
});

test("send() of more than a datagram holds is message_too_large before any system call", async () => {
  await withSocket(async (socket, system) => {
    const error = await assertNetError(
      () => socket.send([new Uint8Array(65_507), bytesOf("x")], peer),
      "message_too_large",
    );
    assertEquals(error.message, "Cannot send to udp:10.0.0.2:53: message too large");
    assertEquals(system.given, []);
    const sending = socket.send([new Uint8Array(65_507)], peer);
    system.given[0].done();
    await sending;
  });
});

test("send() on a connected socket needs no address, and accepts only the peer's", async () => {
  await withSocket(async (socket, system) => {
    const sending = [socket.send(bytesOf("a")), socket.send(bytesOf("b"), udp("::ffff:10.0.0.2", 53))];
    for (const { to, done } of system.given) {
      assertEquals(to, undefined);
      done();
    }
    await Promise.all(sending);
    await assertRejects(
      () => socket.send(bytesOf("c"), udp("10.0.0.3", 53)),
      TypeError,
      "connected to udp:10.0.0.2:53",
    );
  }, peer);
});

test("send() reports the system's error", async () => {
  await withSocket(async (socket, system) => {
    const sending = assertNetError(() => socket.send(bytesOf("x"), peer), "permission_denied");
    system.given[0].done(Object.assign(new Error("send EPERM"), { code: "EPERM" }));
    assertEquals((await sending).message, "Cannot send to udp:10.0.0.2:53: permission denied");
  });
});

test("send() throws what the system reported before, and the next one goes out", async () => {
  await withSocket(async (socket, system) => {
    system.report(econnrefused);
    await assertNetError(() => socket.send(bytesOf("lost")), "connection_refused");
    const sending = socket.send(bytesOf("sent"));
    system.given[0].done();
    await sending;
    assertEquals(system.given.map(({ text }) => text), ["sent"]);
  }, peer);
});

test("send() waits for room, in FIFO order", async () => {
  await withSocket(async (socket, system) => {
    system.room = 0;
    const sendings = ["a", "b", "c"].map((content) => socket.send(bytesOf(content), peer));
    assertEquals(system.given, []);
    system.makeRoom(2);
    assertEquals(system.given.map(({ text }) => text), ["a", "b"]);
    system.makeRoom(9);
    for (const { done } of system.given) done();
    await Promise.all(sendings);
    assertEquals(system.given.map(({ text }) => text), ["a", "b", "c"]);
  });
});

test("send() that is cancelled while it waits for room sends nothing", async () => {
  await withSocket(async (socket, system) => {
    system.room = 0;
    await first(() => socket.send(bytesOf("x"), peer), () => microtasks());
    system.makeRoom(9);
    assertEquals(system.given, []);
  });
});

test("send() that is cancelled between others that wait leaves them where they were", async () => {
  await withSocket(async (socket, system) => {
    system.room = 0;
    const before = ["a", "b"].map((content) => socket.send(bytesOf(content), peer));
    const cancelled = first(() => socket.send(bytesOf("x"), peer), () => microtasks());
    const after = socket.send(bytesOf("c"), peer);
    await cancelled;
    system.makeRoom(9);
    assertEquals(system.given.map(({ text }) => text), ["a", "b", "c"]);
    for (const { done } of system.given) done();
    await Promise.all([...before, after]);
  });
});

test("send() that is over twice, or after close(), is over once", async () => {
  await withSocket(async (socket, system) => {
    const sendings = ["a", "b"].map((content) => socket.send(bytesOf(content), peer));
    system.given[0].done();
    system.given[0].done(new Error("again"));
    await sendings[0];
    const closed = assertRejects(() => sendings[1], ClosedError, "send");
    await socket.close();
    system.given[1].done();
    await closed;
  });
});

test("send() is called by where it goes in a dump, until the system has it", async () => {
  await withSocket(async (socket, system, sw) => {
    system.room = 1;
    const sendings = ["a", "b"].map((content) => socket.send(bytesOf(content), peer));
    assertEquals(sw.dump().match(/send udp:10\.0\.0\.2:53/g)?.length, 2);
    system.makeRoom(1);
    for (const { done } of system.given) done();
    await Promise.all(sendings);
    assertFalse(sw.dump().includes("send"));
  });
});

test("send() that the system has begun cannot be cancelled, and settles with its result", async () => {
  await withSocket(async (socket, system) => {
    const outcome = first(async () => {
      await socket.send(bytesOf("x"), peer);
      return "sent";
    }, async () => {
      await microtasks();
      return "cancelled";
    }, { combine: (a, b) => `${a} and ${b}` });
    await microtasks(200);
    system.given[0].done();
    assertEquals(await outcome, "cancelled and sent");
  });
});

test("send() is woken by close(), wherever it waits", async () => {
  await withSocket(async (socket, system) => {
    system.room = 1;
    const sendings = ["a", "b"].map((content) =>
      assertRejects(() => socket.send(bytesOf(content), peer), ClosedError, "send")
    );
    await socket.close();
    await Promise.all(sendings);
    await assertRejects(() => socket.send(bytesOf("c"), peer), ClosedError, "send");
    assertEquals(system.given.length, 1);
  });
});

test("close() closes once, and lets go of the switch", async () => {
  await withSocket(async (socket, system, sw) => {
    await Promise.all([socket.close(), socket.close(), socket[Symbol.asyncDispose]()]);
    assertEquals(system.closes, 1);
    assertFalse(sw.dump().includes("udp:"));
  });
});

test("a datagram socket is frozen, and says how many datagrams it dropped", async () => {
  await withSocket((socket, system) => {
    assert(Object.isFrozen(socket));
    system.dropped = 3;
    assertEquals([socket.dropped, socket.remote], [3, undefined]);
    return Promise.resolve();
  });
});

test("recvMany() returns the real bytes of a datagram whose length is overridden", async () => {
  await Switch.run(async (sw) => {
    const { socket, system } = await fakeDatagramSocket(sw);
    system.take = () => {
      system.take = () => undefined;
      return { data: Object.defineProperty(bytesOf("hello"), "length", { value: 9999 }), from: peer };
    };
    const [{ data }] = await socket.recvMany();
    assertEquals([data.length, textOf(data)], [5, "hello"]);
  });
});
