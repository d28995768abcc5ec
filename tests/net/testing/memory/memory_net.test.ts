// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  both,
  ClosedError,
  copyString,
  first,
  formatAddress,
  type ListeningSocket,
  type Net,
  NetError,
  readAll,
  readExact,
  type StreamAddress,
  type StreamSocket,
  Switch,
  tcp,
  unix,
  withTimeout,
  writeAll,
} from "../../../../mod.ts";
import {
  memoryNet,
  type MemoryNetOptions,
  type MockClock,
  mockClock,
  openCounts,
} from "../../../../net/testing/mod.ts";
import { textOf, turn } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { assertNetError } from "../../_helpers.ts";

const at = tcp("127.0.0.1", 80);

/** Runs `fn` with an in-memory network whose clock does not advance. */
function inMemory<T>(
  fn: (net: Net, sw: Switch, clock: MockClock) => Promise<T>,
  options?: MemoryNetOptions,
): Promise<T> {
  const clock = mockClock();
  return Switch.run((sw) => fn(memoryNet({ clock, ...options }), sw, clock));
}

/** Connects and accepts. */
async function connected(net: Net, sw: Switch, listener: ListeningSocket): Promise<[StreamSocket, StreamSocket]> {
  return await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
}

/**
 * Returns the state of an operation after everything that needs no time: `undefined` if pending.
 */
async function stateOf(operation: Promise<unknown>): Promise<unknown> {
  let state: unknown;
  operation.then(() => state = "done", (error) => state = error instanceof NetError ? error.code : error);
  await turn();
  return state;
}

test("memoryNet() is frozen, and lists its features", () => {
  const net = memoryNet();
  assert(Object.isFrozen(net));
  assertEquals([...net.features].sort(), [
    "abstractUnix",
    "acceptErrors",
    "datagramErrors",
    "datagramReusePort",
    "datagrams",
    "ipv6Only",
    "pullAccept",
    "reset",
    "reusePort",
  ]);
});

test("memoryNet() has nothing in common with another one", () =>
  inMemory(async (net, sw) => {
    const other = memoryNet();
    for (const address of [at, unix("/run/x")]) {
      await net.listen(sw, address);
      await assertRejects(() => other.connect(sw, address), NetError);
      await other.listen(sw, address);
    }
  }));

test("memoryNet() has the clock that it is given, and the real one without", async () => {
  const clock = mockClock();
  assertEquals(memoryNet({ clock }).clock, clock);
  assert(Math.abs(memoryNet().clock.now() - Date.now()) < 10_000);
  await memoryNet().clock.sleep(1);
});

test("memoryNet() chooses ports in the same order each time", async () => {
  const ports = () =>
    inMemory(async (net, sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const [client] = await connected(net, sw, listener);
      return [listener.address, client.local].map(formatAddress);
    });
  assertEquals(await ports(), ["tcp:127.0.0.1:32768", "tcp:127.0.0.1:32769"]);
  assertEquals(await ports(), await ports());
});

test("memoryNet() chooses no port that is in use", () =>
  inMemory(async (net, sw) => {
    await net.listen(sw, tcp("127.0.0.1", 32_768));
    const { address } = await net.listen(sw, tcp("127.0.0.1", 0));
    assertEquals(address.port, 32_769);
  }));

test("memoryNet(): a client cannot connect to an address that the host does not have", () =>
  inMemory(async (net, sw) => {
    for (const ip of ["192.0.2.1", "2001:db8::1", "fe80::1%eth0"]) {
      const error = await assertNetError(() => net.connect(sw, tcp(ip, 80)), "network_unreachable");
      assert(error.message.startsWith(`Cannot connect to ${formatAddress(tcp(ip, 80))}`), error.message);
    }
  }));

test("memoryNet(): listen() on an address that the host does not have is address_not_available", () =>
  inMemory(async (net, sw) => {
    for (const ip of ["192.0.2.1", "2001:db8::1"]) {
      await assertNetError(() => net.listen(sw, tcp(ip, 80)), "address_not_available");
    }
    await net.listen(sw, at);
    const bindTo = tcp("192.0.2.1", 0);
    await assertNetError(() => net.connect(sw, at, { bindTo }), "address_not_available");
  }));

test("memoryNet(): listen() on 0.0.0.0 accepts connections to any IPv4 address of the host", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, tcp("0.0.0.0", 80));
    for (const ip of ["127.0.0.1", "127.1.2.3", "10.0.0.5"]) {
      const [, server] = await both(() => net.connect(sw, tcp(ip, 80)), () => listener.accept(sw));
      assertEquals(formatAddress(server.local), formatAddress(tcp(ip, 80)));
    }
    await assertNetError(() => net.connect(sw, tcp("::1", 80)), "connection_refused");
  }, { hosts: { a: ["10.0.0.5"] } }));

test("memoryNet(): listen() on :: accepts IPv4 too, with plain IPv4 addresses", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, tcp("::", 80));
    const peers: string[] = [];
    for (const ip of ["::1", "127.0.0.1", "::ffff:127.0.0.1"]) {
      const [, server] = await both(() => net.connect(sw, tcp(ip, 80)), () => listener.accept(sw));
      assert(server.peer.transport === "tcp");
      peers.push(String(server.peer.ip));
    }
    assertEquals(peers, ["::1", "127.0.0.1", "127.0.0.1"]);
  }));

test("memoryNet(): listen() on :: with IPV6_V6ONLY keeps IPv4 out, and leaves it to others", () =>
  inMemory(async (net, sw) => {
    await net.listen(sw, tcp("::", 80), { socketOptions: { IPV6_V6ONLY: true } });
    await assertNetError(() => net.connect(sw, at), "connection_refused");
    await net.listen(sw, tcp("0.0.0.0", 80));
    await net.connect(sw, at);
  }));

test("memoryNet(): connect() to 0.0.0.0 and :: leads to the host itself", () =>
  inMemory(async (net, sw) => {
    await net.listen(sw, tcp("::", 80));
    assertEquals(formatAddress((await net.connect(sw, tcp("0.0.0.0", 80))).peer), "tcp:127.0.0.1:80");
    assertEquals(formatAddress((await net.connect(sw, tcp("::", 80))).peer), "tcp:[::1]:80");
  }));

test("memoryNet(): listen() where a listener on all addresses is, is address_in_use, and the other way round", () =>
  inMemory(async (net, sw) => {
    for (const [i, [one, other]] of [["0.0.0.0", "127.0.0.1"], ["::", "127.0.0.1"], ["::1", "::"]].entries()) {
      await net.listen(sw, tcp(one, i + 1));
      await assertNetError(() => net.listen(sw, tcp(other, i + 1)), "address_in_use");
    }
  }));

test("memoryNet(): listen() on another address of the host can have the same port", () =>
  inMemory(async (net, sw) => {
    for (const ip of ["127.0.0.1", "127.0.0.2", "::1"]) {
      const listener = await net.listen(sw, tcp(ip, 80));
      const [client] = await connected(net, sw, listener);
      assertEquals(formatAddress(client.peer), formatAddress(tcp(ip, 80)));
    }
  }));

test("memoryNet(): listeners that share a port alternate", () =>
  inMemory(async (net, sw) => {
    const listeners = [
      await net.listen(sw, at, { reusePort: true }),
      await net.listen(sw, at, { reusePort: true }),
    ];
    await assertNetError(() => net.listen(sw, at), "address_in_use");
    for (let i = 0; i < 4; i++) await net.connect(sw, at);
    for (const listener of listeners) {
      for (let i = 0; i < 2; i++) await listener.accept(sw);
      assertEquals(await stateOf(first(() => listener.accept(sw), turn)), "done"); // there is no third one
    }
    await listeners[0].close();
    await both(() => net.connect(sw, at), () => listeners[1].accept(sw));
  }));

test("memoryNet(): of listeners that share a port, the one on the exact address is preferred", () =>
  inMemory(async (net, sw) => {
    const [all, one] = [
      await net.listen(sw, tcp("0.0.0.0", 80), { reusePort: true }),
      await net.listen(sw, at, { reusePort: true }),
    ];
    for (let i = 0; i < 3; i++) await connected(net, sw, one);
    await both(() => net.connect(sw, tcp("127.0.0.2", 80)), () => all.accept(sw));
  }));

test("memoryNet(): bindTo is taken while its client lives, and free as soon as it has closed", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, at);
    const bindTo = tcp("127.0.0.2", 5000);
    const client = await net.connect(sw, at, { bindTo });
    assertEquals(formatAddress((await listener.accept(sw)).peer), "tcp:127.0.0.2:5000");
    await assertNetError(() => net.connect(sw, at, { bindTo }), "address_in_use");
    await assertNetError(() => net.listen(sw, bindTo), "address_in_use");
    client.abort();
    const nobody = () => net.connect(sw, tcp("127.0.0.1", 81), { bindTo });
    for (let i = 0; i < 2; i++) await assertNetError(nobody, "connection_refused");
    await net.connect(sw, at, { bindTo });
  }));

test("memoryNet(): a full backlog lets TCP clients wait, and takes them in order", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, at, { backlog: 2 });
    const clients = [1, 2, 3, 4].map((port) => net.connect(sw, at, { bindTo: tcp("127.0.0.1", port) }));
    assertEquals(await Promise.all(clients.map(stateOf)), ["done", "done", undefined, undefined]);
    for (let port = 1; port <= 4; port++) {
      assertEquals(formatAddress((await listener.accept(sw)).peer), `tcp:127.0.0.1:${port}`);
      await clients[Math.min(port + 1, 3)];
    }
  }));

test("memoryNet(): a client that waits for a full backlog is refused when the listener closes", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, at, { backlog: 1 });
    const inside = await net.connect(sw, at);
    const outside = net.connect(sw, at);
    assertEquals(await stateOf(outside), undefined);
    await both(() => assertNetError(() => outside, "connection_refused"), () => listener.close());
    await assertNetError(() => inside.read(new Uint8Array(1)), "connection_reset");
  }));

test("memoryNet(): a client that waits for a full backlog can time out, and leaves nothing behind", () =>
  inMemory(async (net, sw, clock) => {
    const listener = await net.listen(sw, at, { backlog: 1 });
    await net.connect(sw, at);
    const timedOut = assertNetError(() => net.connect(sw, at, { timeout: 5000 }), "connection_timeout");
    await turn();
    assertEquals(openCounts().sockets, 1); // a pending connection is an attempt
    clock.advance();
    await timedOut;
    assertEquals([clock.now(), openCounts().sockets], [5000, 1]);
    await listener.accept(sw);
    assertEquals(await stateOf(first(() => listener.accept(sw), turn)), "done");
  }));

test("memoryNet(): a client that resets its connection makes room in the backlog, and is not accepted", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, at, { backlog: 1 });
    const one = await net.connect(sw, at);
    const other = net.connect(sw, at);
    assertEquals(await stateOf(other), undefined);
    one.abort();
    assertEquals((await listener.accept(sw)).peer, (await other).local);
  }));

test("memoryNet(): a full backlog refuses Unix clients", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, unix("/run/x"), { backlog: 1 });
    await net.connect(sw, listener.address);
    const error = await assertNetError(() => net.connect(sw, listener.address), "connection_refused");
    assertEquals((error.cause as { code?: unknown }).code, "EAGAIN");
  }));

test("memoryNet(): a Unix path is a name that is gone with its listener, whatever its mode", () =>
  inMemory(async (net, sw) => {
    for (const path of ["/no/such/folder/x", "x", "\0x"]) {
      for (const reuseAddr of [false, true]) {
        const mode = path.startsWith("\0") ? undefined : 0o600;
        const listener = await net.listen(sw, unix(path), { reuseAddr, mode });
        await assertNetError(() => net.listen(sw, unix(path), { reuseAddr }), "address_in_use");
        await connected(net, sw, listener);
        await listener.close();
      }
    }
    await assertNetError(() => net.connect(sw, unix("x")), "not_found");
    await assertNetError(() => net.connect(sw, unix("\0x")), "connection_refused");
  }));

test("memoryNet(): a write can be read in the same turn", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    client.write(new Uint8Array(3));
    const reading = server.read(new Uint8Array(9));
    let turned = false;
    setTimeout(() => turned = true, 0);
    assertEquals(await reading, 3);
    assert(!turned);
  }));

test("memoryNet(): one direction ends while the other continues", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    await copyString("question", client);
    await client.shutdown("send");
    assertEquals(textOf(await readAll(server)), "question");
    await copyString("answer", server);
    await server.shutdown("send");
    assertEquals(textOf(await readAll(client)), "answer");
  }));

test("memoryNet(): a connection is no longer open once both sides have ended", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    await copyString("last words", server);
    await both(() => client.shutdown("send"), () => server.shutdown("send"));
    assertEquals(openCounts().sockets, 1); // the client has not read yet
    assertEquals(textOf(await readAll(client)), "last words");
    assertEquals(openCounts().sockets, 0);
    assertEquals(await client.read(new Uint8Array(1)), null);
    await assertRejects(() => client.write(new Uint8Array(1)), ClosedError);
  }));

test("memoryNet(): abort() destroys bytes in transit in both directions", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    await copyString("lost", client);
    await copyString("lost too", server);
    client.abort();
    for (let i = 0; i < 2; i++) {
      const reading = await assertNetError(() => server.read(new Uint8Array(1)), "connection_reset");
      assertEquals((reading.cause as { code?: unknown }).code, "ECONNRESET");
      await assertNetError(() => server.write(new Uint8Array(1)), "connection_reset");
    }
    assertEquals(openCounts().sockets, 0);
  }));

test("memoryNet(): abort() destroys the end too, where something is unread before it", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    await copyString("lost", client);
    await client.shutdown("send");
    client.abort();
    await assertNetError(() => readAll(server), "connection_reset");
  }));

test("memoryNet(): a connection that is reset before it is used can be closed", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, at);
    const connecting = net.connect(sw, at);
    await listener.close();
    const client = await connecting;
    await assertNetError(() => client.read(new Uint8Array(1)), "connection_reset");
    await client.close();
  }));

test("memoryNet(): shutdown() of receiving resumes a blocked writer, and ends a half-closed connection", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    const writing = writeAll(client, new Uint8Array(1_000_000));
    assertEquals(await stateOf(writing), undefined);
    await server.shutdown("receive");
    await writing;
    await both(() => client.shutdown("send"), () => server.shutdown("send"));
    assertEquals(openCounts().sockets, 0);
    const [other, unread] = await connected(net, sw, await net.listen(sw, tcp("127.0.0.1", 81)));
    await copyString("unread", other);
    await both(() => other.shutdown("send"), () => unread.shutdown("send"));
    assertEquals(openCounts().sockets, 1);
    await unread.shutdown("receive");
    assertEquals(openCounts().sockets, 0);
  }));

test("memoryNet(): abort() wakes a peer that reads and one that writes", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    const waiting = [
      assertNetError(() => readExact(server, new Uint8Array(1)), "connection_reset"),
      assertNetError(() => writeAll(server, new Uint8Array(1 << 20)), "connection_reset"),
    ];
    await turn();
    client.abort();
    await Promise.all(waiting);
  }));

test("memoryNet(): a write to a closed peer is connection_reset, and reading reaches the end", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    await copyString("bye", server);
    await both(() => server.close(), async () => {
      assertEquals(textOf(await readAll(client)), "bye");
      await client.shutdown("receive");
      await client.shutdown("send");
    });
    const [other, ended] = await connected(net, sw, await net.listen(sw, tcp("127.0.0.1", 81)));
    await ended.close(); // it has written nothing, so it does not linger
    const error = await assertNetError(() => other.write(new Uint8Array(1)), "connection_reset");
    assertEquals((error.cause as { code?: unknown }).code, "EPIPE");
    assertEquals(await other.read(new Uint8Array(1)), null);
  }));

test("memoryNet(): a direction holds 64 KiB, and its writer waits until half of that is read", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    assertEquals(await client.write(new Uint8Array(100_000)), 65_536);
    await readExact(server, new Uint8Array(1000));
    assertEquals(await client.write(new Uint8Array(1000)), 1000); // all of it fits
    const writing = client.write(new Uint8Array(40_000));
    await readExact(server, new Uint8Array(32_000));
    assertEquals(await stateOf(writing), undefined);
    await readExact(server, new Uint8Array(768));
    assertEquals(await writing, 32_768);
  }));

test("memoryNet(): close() loses nothing that was written, however slowly it is read", () =>
  inMemory(async (net, sw) => {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    await both(async () => {
      await writeAll(client, new Uint8Array(1_000_000).fill(7));
      await client.close();
    }, async () => {
      const buffer = new Uint8Array(5000);
      let size = 0;
      for (let count: number | null = 0; count !== null; count = await server.read(buffer)) {
        size += count;
        if (size % 3 === 0) await turn();
        assert(buffer.subarray(0, count).every((byte) => byte === 7));
      }
      assertEquals(size, 1_000_000);
      await server.close();
    });
  }));

test("memoryNet(): the time of close() is that of the clock", () =>
  inMemory(async (net, sw, clock) => {
    const listener = await net.listen(sw, at);
    const [client] = await both(() => net.connect(sw, at, { linger: 700 }), () => listener.accept(sw));
    await copyString("hello", client);
    const closing = client.close();
    if (await stateOf(closing) === undefined) { // it waits for the peer's end
      clock.advance();
      assertEquals(clock.now(), 700);
    }
    await closing;
  }));

test("memoryNet(): options are kept, those of a listener by its connections too, and others are not_supported", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, at, { socketOptions: { SO_KEEPALIVE: true, TCP_KEEPIDLE: 9 } });
    const [client, server] = await connected(net, sw, listener);
    assertEquals([server.getOption("SO_KEEPALIVE"), server.getOption("TCP_KEEPIDLE")], [true, 9]);
    assertEquals([client, server].map((socket) => socket.getOption("TCP_NODELAY")), [true, true]);
    client.setOption("TCP_NODELAY", false);
    client.setOption("IP_TOS", 8);
    assertEquals([client.getOption("TCP_NODELAY"), client.getOption("IP_TOS")], [false, 8]);
    await assertNetError(() => Promise.try(() => client.getOption("SO_KEEPALIVE")), "not_supported");
    await assertNetError(() => Promise.try(() => client.setOption("TCP_CONGESTION", "cubic")), "not_supported");
  }));

test("memoryNet(): a socket that is not closed is seen by openCounts()", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, at);
    const program = async (net: Net, owner: Switch) => {
      await net.connect(owner, at); // not closed
    };
    await program(net, sw);
    assertEquals([openCounts().sockets, openCounts().listeners], [1, 1]);
    await listener.accept(sw);
    assertEquals(openCounts().sockets, 2);
    await Switch.run((inner) => program(net, inner));
    assertEquals(openCounts().sockets, 2);
    await listener.close();
    assertEquals(openCounts().listeners, 0);
  }));

test("memoryNet(): a client that is cancelled while it waits is gone at once, and never accepted", () =>
  inMemory(async (net, sw) => {
    const listener = await net.listen(sw, at, { backlog: 1 });
    const inside = await net.connect(sw, at);
    await first(() => net.connect(sw, at), turn);
    assertEquals(openCounts().sockets, 1);
    assertEquals((await listener.accept(sw)).peer, inside.local);
    assertEquals(await stateOf(first(() => listener.accept(sw), turn)), "done");
    assertEquals(openCounts().sockets, 2);
  }));

/** Ways to keep the event loop busy forever. */
const busy: Record<string, (net: Net, sw: Switch) => Promise<unknown>> = {
  async "a conversation"(net, sw) {
    const [client, server] = await connected(net, sw, await net.listen(sw, at));
    const echo = async (flow: StreamSocket) => {
      for (const buffer = new Uint8Array(1);;) await writeAll(flow, buffer.subarray(0, await flow.read(buffer) ?? 0));
    };
    await client.write(new Uint8Array(1));
    return await both(() => echo(client), () => echo(server));
  },
  async "a flood of connections"(net, sw) {
    const listener = await net.listen(sw, at);
    for (;;) {
      const [client] = await connected(net, sw, listener);
      client.abort();
    }
  },
};

for (const [what, run] of Object.entries(busy)) {
  test(`memoryNet(): ${what} without an end does not stop the time of the process`, async () => {
    const net = memoryNet();
    await assertRejects(() => withTimeout(net.clock, 20, () => Switch.run((sw) => run(net, sw))));
  });
}

test("memoryNet(): the addresses of a connection are those of a connection over the system", () =>
  inMemory(async (net, sw) => {
    const show = async (address: StreamAddress) => {
      const [client, server] = await connected(net, sw, await net.listen(sw, address));
      return [client.local, client.peer, server.local, server.peer].map(formatAddress).join();
    };
    assertEquals(await show(unix("/x")), "unix:,unix:/x,unix:/x,unix:");
    assertEquals(await show(unix("\0x")), "unix:,unix:@x,unix:@x,unix:");
    assertEquals(
      await show(tcp("127.0.0.9", 9)),
      "tcp:127.0.0.1:32768,tcp:127.0.0.9:9,tcp:127.0.0.9:9,tcp:127.0.0.1:32768",
    );
  }));
