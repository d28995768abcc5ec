// Copyright 2026 the Sluice authors. MIT license.

/** Datagram sockets of the system, and foreign programs that talk to them. */
import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import {
  ClosedError,
  type DatagramOptions,
  type DatagramSocket,
  first,
  formatAddress,
  type Net,
  Switch,
  TimeoutError,
  udp,
  type UdpAddress,
  withTimeout,
} from "../../mod.ts";
import { bytesOf, textOf, turn, until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { assertNetError, nextDatagram, ownHost, ownPort, withNet } from "../net/_helpers.ts";
import { descriptors } from "./_helpers.ts";
import { netnsPeers, OtherHost } from "./_netns.ts";
import { Peer } from "./_peers.ts";

const any4 = udp("127.0.0.1", 0);

/** An address without a receiver, now and later. */
const ownAddress = () => udp(ownHost, ownPort());

/** The end of groups that no other process joins: this file runs on several runtimes at once. */
const groupEnd = [16, 8, 0].map((shift) => process.pid >> shift & 255).join(".");
const group = `239.${groupEnd}`;

/** Runs `fn` with two sockets on loopback. */
function withPair(
  fn: (a: DatagramSocket<UdpAddress>, b: DatagramSocket<UdpAddress>, sw: Switch, net: Net) => Promise<unknown>,
): Promise<unknown> {
  return withNet(async (sw, net) =>
    await fn(await net.datagramSocket(sw, any4), await net.datagramSocket(sw, any4), sw, net)
  );
}

for (const family of ["udp4", "udp6"] as const) {
  test(`datagramSocket("${family}") sends from a port that the system chose`, async () => {
    await withNet(async (sw, net) => {
      const ip = family === "udp4" ? "127.0.0.1" : "::1";
      const receiver = await net.datagramSocket(sw, udp(ip, 0));
      const sender = await net.datagramSocket<UdpAddress>(sw, family);
      assert(sender.local.port > 0);
      await sender.send(bytesOf("hello"), receiver.local);
      assertEquals(await nextDatagram(receiver), `hello from ${formatAddress(udp(ip, sender.local.port))}`);
    });
  });
}

test("recv() keeps the boundaries of datagrams, and the empty ones", async () => {
  await withPair(async (a, b) => {
    for (const content of ["foo", "bar", "foobar", "cellar door", ""]) {
      await b.send(bytesOf(content), a.local);
      assertEquals(await nextDatagram(a), `${content} from ${formatAddress(b.local)}`);
    }
    await b.send([], a.local);
    await b.send([bytesOf("fo"), new Uint8Array(0), bytesOf("o")], a.local);
    assertEquals(await nextDatagram(a), ` from ${formatAddress(b.local)}`);
    assertEquals(await nextDatagram(a), `foo from ${formatAddress(b.local)}`);
  });
});

test("recv() cuts off what does not fit, and the next call gets the next datagram", async () => {
  await withPair(async (a, b) => {
    await b.send(bytesOf("foobar"), a.local);
    await b.send(bytesOf("next"), a.local);
    const buffer = new Uint8Array(3);
    assertEquals(await a.recv(buffer), { size: 3, from: b.local, truncated: true });
    assertEquals(textOf(buffer), "foo");
    assertEquals(await nextDatagram(a), `next from ${formatAddress(b.local)}`);
  });
});

test("send() takes 65507 bytes over IPv4, and refuses 65508", async () => {
  await withPair(async (a, b) => {
    const big = new Uint8Array(65_507).map((_, i) => i % 251);
    await b.send([big.subarray(0, 1000), big.subarray(1000)], a.local);
    const [{ data }] = await a.recvMany();
    assertEquals(data, big);
    assertEquals(data.buffer.byteLength, big.length); // it pins no more memory
    await assertNetError(() => b.send(new Uint8Array(65_508), a.local), "message_too_large");
    await b.send(bytesOf("on"), a.local);
    assertEquals(await nextDatagram(a), `on from ${formatAddress(b.local)}`);
  });
});

test("recvMany() gives plain bytes that pin no more memory, and come from memory of any kind", async () => {
  await withPair(async (a, b) => {
    for (const size of [0, 1, 64, 65, 1500]) {
      const content = new Uint8Array(size + 2).fill(size);
      const shared = new Uint8Array(new SharedArrayBuffer(size + 2)).fill(size);
      for (const sent of [content.subarray(1, size + 1), Buffer.from(content.buffer, 1, size), shared.subarray(2)]) {
        await b.send(sent, a.local);
        const [{ data }] = await a.recvMany();
        assertEquals(data, content.subarray(2));
        assertStrictEquals(data.constructor, Uint8Array);
        assertEquals(data.buffer.byteLength, size);
      }
    }
  });
});

test("recvMany() tells senders on one host apart", async () => {
  await withPair(async (a, b, sw, net) => {
    const senders = [a, b, await net.datagramSocket(sw, any4)];
    const receiver = await net.datagramSocket(sw, any4);
    for (let i = 0; i < 12; i++) {
      const sender = senders[i % 5 % 3];
      await sender.send(new Uint8Array([i]), receiver.local);
      assertEquals(await receiver.recvMany(), [{ data: new Uint8Array([i]), from: sender.local }]);
    }
  });
});

test("recvMany() tells senders apart that have one port on two hosts", async () => {
  await withPair(async (a, b, sw, net) => {
    const twin = await net.datagramSocket(sw, udp("127.0.0.2", b.local.port));
    for (const sender of [b, twin, twin, b, twin]) {
      await sender.send(new Uint8Array(1), a.local);
      assertEquals((await a.recvMany())[0].from, sender.local);
    }
  });
});

test("recvMany() tells more senders apart than it keeps addresses of", async () => {
  await withPair(async (a, _, sw, net) => {
    const senders = await Promise.all(Array.from({ length: 300 }, () => net.datagramSocket(sw, any4)));
    for (const sender of [...senders, ...senders]) {
      await sender.send(new Uint8Array(1), a.local);
      assertEquals((await a.recvMany())[0].from, sender.local);
    }
  });
});

test("send() takes 65527 bytes over IPv6, and refuses 65528", async () => {
  await withNet(async (sw, net) => {
    const a = await net.datagramSocket(sw, udp("::1", 0));
    const b = await net.datagramSocket(sw, udp("::1", 0));
    await assertNetError(() => b.send(new Uint8Array(65_528), a.local), "message_too_large");
    await b.send(new Uint8Array(65_527), a.local);
    assertEquals((await a.recvMany())[0].data.length, 65_527);
  });
});

test("send() takes a datagram of any number of pieces", async () => {
  await withPair(async (a, b) => {
    for (const count of [1024, 1025, 3000]) {
      await a.send(Array.from({ length: count }, (_, i) => Uint8Array.of(i)), b.local);
      const buffer = new Uint8Array(4000);
      const { size } = await b.recv(buffer);
      assertEquals(buffer.subarray(0, size), Uint8Array.from({ length: count }, (_, i) => i));
    }
  });
});

test("recv() that is cancelled again and again loses no datagram", async () => {
  await withPair(async (a, b) => {
    const buffer = new Uint8Array(1);
    for (let i = 0; i < 300; i++) {
      await first(() => a.recv(buffer), () => Promise.resolve());
      await b.send(new Uint8Array([i % 256]), a.local);
      await first(() => a.recv(buffer), turn, { combine: (taken) => taken }) ?? await a.recv(buffer);
      assertEquals(buffer[0], i % 256);
    }
  });
});

test("recvMany() takes what came in one turn", async () => {
  await withPair(async (a, b) => {
    for (let i = 0; i < 20; i++) await b.send(new Uint8Array([i]), a.local);
    const seen: number[] = [];
    let calls = 0;
    for (; seen.length < 20; calls++) seen.push(...(await a.recvMany()).map(({ data }) => data[0]));
    assertEquals(seen, Array.from({ length: 20 }, (_, i) => i));
    assert(calls < 20, `${calls} calls for 20 datagrams`);
  });
});

test("a datagram socket keeps at most 1024 datagrams, and counts what it drops", async () => {
  await withPair(async (a, b) => {
    while (a.dropped === 0) {
      for (let i = 0; i < 32; i++) await b.send(bytesOf("x"), a.local);
      await turn();
    }
    const kept = await a.recvMany();
    assertEquals(kept.length, 1024);
    await b.send(bytesOf("room"), a.local);
    let last = kept;
    while (textOf(last.at(-1)!.data) !== "room") last = await a.recvMany();
  });
});

test("a datagram socket keeps at most 1 MiB", async () => {
  await withPair(async (a, b) => {
    const big = new Uint8Array(60_000);
    while (a.dropped === 0) {
      await b.send(big, a.local);
      await turn();
    }
    const kept = await a.recvMany();
    assertEquals(kept.length, 17);
  });
});

test("send() without end leaves others their turn", async () => {
  await withPair(async (a, b, _, net) => {
    await assertRejects(() =>
      withTimeout(net.clock, 30, async () => {
        for (;;) await b.send(bytesOf("x"), a.local);
      }), TimeoutError);
  });
});

test("send() many at once sends each, in order", async () => {
  await withPair(async (a, b) => {
    const sendings = Promise.all(Array.from({ length: 150 }, (_, i) => b.send(new Uint8Array([i]), a.local)));
    const seen: number[] = [];
    while (seen.length < 150) seen.push(...(await a.recvMany()).map(({ data }) => data[0]));
    await sendings;
    assertEquals(seen, Array.from({ length: 150 }, (_, i) => i));
  });
});

test("remote makes a socket that receives from no other sender", async () => {
  await withPair(async (peer, stranger, sw, net) => {
    const opening = net.datagramSocket(sw, any4, { remote: peer.local });
    const socket = await opening;
    assertEquals(socket.remote, peer.local);
    await stranger.send(bytesOf("strange"), socket.local);
    await peer.send(bytesOf("familiar"), socket.local);
    assertEquals(await nextDatagram(socket), `familiar from ${formatAddress(peer.local)}`);
    await socket.send(bytesOf("answer"));
    await socket.send(bytesOf("again"), peer.local);
    assertEquals(await nextDatagram(peer), `answer from ${formatAddress(socket.local)}`);
    assertEquals(await nextDatagram(peer), `again from ${formatAddress(socket.local)}`);
    await assertRejects(() => socket.send(bytesOf("x"), stranger.local), TypeError, "connected");
  });
});

test("remote with a zone hears the answers of its peer", async () => {
  using other = new OtherHost();
  const zone = other.cable;
  spawnSync("ip", ["addr", "add", "fe80::51:1/64", "dev", zone, "nodad"]);
  await until(() => isLocal("fe80::51:1", zone)); // until then it is looked for at the other end of the cable
  await withNet(async (sw, net) => {
    const server = await net.datagramSocket(sw, udp(`fe80::51:1%${zone}`, 0));
    const remote = udp(`fe80::51:1%${zone}`, server.local.port);
    const client = await net.datagramSocket(sw, udp("::", 0), { remote });
    await client.send(bytesOf("hello"));
    assertMatch(await nextDatagram(server), /^hello from udp:\[fe80::51:1/);
    await server.send(bytesOf("answer"), udp(`fe80::51:1%${zone}`, client.local.port));
    assertMatch(await nextDatagram(client), /^answer from udp:\[fe80::51:1/);
  });
}, { peers: netnsPeers });

/** Whether the system takes what is sent to an IPv6 address on a link, which it does some time after the address is there. */
function isLocal(address: string, link: string): boolean {
  const { stdout } = spawnSync("ip", ["-6", "route", "show", "table", "local", "dev", link], { encoding: "utf8" });
  return stdout.includes(`local ${address} `);
}

test("remote drops datagrams of other senders that came before it was connected", async () => {
  await withPair(async (peer, stranger, sw, net) => {
    const address = ownAddress();
    let over = false;
    const flood = sw.forkPromise(async () => {
      while (!over) {
        await stranger.send(bytesOf("strange"), address);
        await turn();
      }
    });
    for (let i = 0; i < 20; i++) {
      const socket = await net.datagramSocket(sw, address, { remote: peer.local });
      await peer.send(bytesOf("familiar"), socket.local);
      assertEquals(await nextDatagram(socket), `familiar from ${formatAddress(peer.local)}`);
      await socket.close();
    }
    over = true;
    await flood;
  });
});

test("a datagram to a dead port fails no other one of the same socket", async () => {
  await withPair(async (a, b) => {
    const dead = ownAddress();
    for (let i = 0; i < 50; i++) {
      await b.send(bytesOf("lost"), dead);
      if (i % 2 === 0) await turn();
      await b.send(bytesOf(`${i}`), a.local);
      assertEquals(await nextDatagram(a), `${i} from ${formatAddress(b.local)}`);
    }
    await a.send(bytesOf("answer"), b.local);
    assertEquals(await nextDatagram(b), `answer from ${formatAddress(a.local)}`);
  });
});

test("a socket on :: takes IPv4, shows it plain, and answers it", async () => {
  await withNet(async (sw, net) => {
    const dual = await net.datagramSocket<UdpAddress>(sw, "udp6");
    const four = await net.datagramSocket(sw, any4);
    await four.send(bytesOf("ping"), udp("127.0.0.1", dual.local.port));
    const buffer = new Uint8Array(9);
    const { from } = await dual.recv(buffer);
    assertEquals(from, four.local);
    await dual.send(bytesOf("pong"), from);
    assertEquals(await nextDatagram(four), `pong from ${formatAddress(udp("127.0.0.1", dual.local.port))}`);
    const connected = await net.datagramSocket<UdpAddress>(sw, "udp6", { remote: four.local });
    await connected.send(bytesOf("over IPv6"));
    await four.send(bytesOf("back"), udp("127.0.0.1", connected.local.port));
    assertEquals(await nextDatagram(connected), `back from ${formatAddress(four.local)}`);
  });
});

test("IPV6_V6ONLY keeps IPv4 out", async () => {
  await withNet(async (sw, net) => {
    const port = ownPort();
    const six = await net.datagramSocket(sw, udp("::", port), { socketOptions: { IPV6_V6ONLY: true } });
    const four = await net.datagramSocket(sw, udp(ownHost, port)); // which is free for IPv4
    assertEquals(six.getOption("IPV6_V6ONLY"), true);
    const sender = await net.datagramSocket(sw, "udp4");
    await sender.send(bytesOf("four"), four.local);
    await (await net.datagramSocket(sw, "udp6")).send(bytesOf("six"), udp("::1", port));
    assert((await nextDatagram(six)).startsWith("six"));
    assert((await nextDatagram(four)).startsWith("four"));
  });
});

test("datagramSocket() at an address in use is address_in_use, and reuseAddr lets those share it who agree", async () => {
  await withPair(async (a, _, sw, net) => {
    await assertNetError(() => net.datagramSocket(sw, a.local), "address_in_use");
    await assertNetError(() => net.datagramSocket(sw, a.local, { reuseAddr: true }), "address_in_use");
    const first = await net.datagramSocket(sw, any4, { reuseAddr: true });
    const second = await net.datagramSocket(sw, first.local, { reuseAddr: true });
    assertEquals(first.local, second.local);
  });
});

test("datagramSocket() at an address of another host is address_not_available", async () => {
  await withNet(async (sw, net) => {
    const error = await assertNetError(() => net.datagramSocket(sw, udp("192.0.2.1", 0)), "address_not_available");
    assertEquals(error.message, "Cannot bind to udp:192.0.2.1:0: address not available");
  });
});

test("datagramSocket() that fails or is cancelled leaves no descriptor", async () => {
  await withNet(async (sw, net) => {
    const taken = (await net.datagramSocket(sw, any4)).local;
    const remote = taken;
    const attempts: [UdpAddress, DatagramOptions][] = [
      [taken, {}],
      [any4, { socketOptions: { IP_MULTICAST_IF: "192.0.2.1" } }],
      [any4, { remote }],
    ];
    const round = async () => {
      for (const [address, options] of attempts) {
        await Switch.run((inner) => net.datagramSocket(inner, address, options)).catch(() => {});
        await first(() => net.datagramSocket(sw, address, options).catch(() => {}), () => Promise.resolve());
      }
      await turn();
    };
    await round();
    const before = descriptors();
    for (let i = 0; i < 100; i++) await round();
    await until(() => descriptors() <= before + 3);
  });
});

test("close() wakes what waits, frees the port at once, and is done when the system is", async () => {
  await withPair(async (a, _, sw, net) => {
    for (let i = 0; i < 100; i++) {
      const socket = await net.datagramSocket(sw, ownAddress());
      const waiting = assertRejects(() => socket.recv(new Uint8Array(1)), ClosedError);
      const sending = socket.send(bytesOf("x"), a.local).catch((error) => assert(error instanceof ClosedError));
      await socket.close();
      await Promise.all([waiting, sending]);
      await (await net.datagramSocket(sw, socket.local)).close();
    }
  });
});

test("a broadcast needs SO_BROADCAST", async () => {
  await withNet(async (sw, net) => {
    const receiver = await net.datagramSocket<UdpAddress>(sw, "udp4");
    const to = udp("127.255.255.255", receiver.local.port);
    const sender = await net.datagramSocket(sw, "udp4");
    const error = await assertNetErrorOf(() => sender.send(bytesOf("x"), to));
    // Deno's node:dgram has one code for most failures of a send.
    assert(error === "permission_denied" || (isDeno && error === "unknown"), error);
    sender.setOption("SO_BROADCAST", true);
    await sender.send(bytesOf("to all"), to);
    assert((await nextDatagram(receiver)).startsWith("to all from udp:127.0.0.1"));
  });
});

const isDeno = "Deno" in globalThis;

async function assertNetErrorOf(fn: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(fn) as { code?: string }).code ?? "none";
}

/** Two sockets that send multicast over loopback. */
async function onLoopback(sw: Switch, net: Net): Promise<[DatagramSocket<UdpAddress>, DatagramSocket]> {
  const socketOptions = { IP_MULTICAST_IF: "127.0.0.1", IP_MULTICAST_LOOP: true };
  return [await net.datagramSocket<UdpAddress>(sw, "udp4"), await net.datagramSocket(sw, "udp4", { socketOptions })];
}

/** Whether the system has joined the group on the loopback interface. */
function isJoined(): boolean {
  const hex = group.split(".").reverse().map((part) => Number(part).toString(16).padStart(2, "0")).join("");
  return readFileSync("/proc/net/igmp", "utf8").toUpperCase().includes(hex.toUpperCase());
}

test("IP_ADD_MEMBERSHIP joins a group, and IP_DROP_MEMBERSHIP leaves it", async () => {
  await withNet(async (sw, net) => {
    const [member, sender] = await onLoopback(sw, net);
    const to = udp(group, member.local.port);
    const marker = udp("127.0.0.1", member.local.port);
    const membership = { group, interface: "127.0.0.1" };
    member.setOption("IP_ADD_MEMBERSHIP", membership);
    assert(isJoined());
    await sender.send(bytesOf("to the group"), to);
    assert((await nextDatagram(member)).startsWith("to the group"));
    // A second time is refused, and so is leaving twice; Deno has one code for both.
    await assertNetErrorIn(() => member.setOption("IP_ADD_MEMBERSHIP", membership), [
      "address_in_use",
      "invalid_option",
    ]);
    member.setOption("IP_DROP_MEMBERSHIP", membership);
    assert(!isJoined());
    await sender.send(bytesOf("to nobody"), to);
    await sender.send(bytesOf("to the member"), marker);
    assert((await nextDatagram(member)).startsWith("to the member"));
    await assertNetErrorIn(() => member.setOption("IP_DROP_MEMBERSHIP", membership), [
      "address_not_available",
      "invalid_option",
    ]);
  });
});

async function assertNetErrorIn(fn: () => unknown, codes: readonly string[]): Promise<void> {
  const code = await assertNetErrorOf(() => Promise.try(fn));
  assert(codes.includes(code), code);
}

test("a group is left when the socket closes", async () => {
  await withNet(async (sw, net) => {
    const [member] = await onLoopback(sw, net);
    member.setOption("IP_ADD_MEMBERSHIP", { group, interface: "127.0.0.1" });
    assert(isJoined());
    await member.close();
    await until(() => !isJoined());
  });
});

test("IP_ADD_SOURCE_MEMBERSHIP joins a group for one sender", async () => {
  await withNet(async (sw, net) => {
    const [member, sender] = await onLoopback(sw, net);
    const to = udp(`232.${groupEnd}`, member.local.port);
    const from = (source: string) => ({ group: to.ip, source, interface: "127.0.0.1" });
    member.setOption("IP_ADD_SOURCE_MEMBERSHIP", from("127.0.0.9"));
    await sender.send(bytesOf("not from there"), to);
    member.setOption("IP_DROP_SOURCE_MEMBERSHIP", from("127.0.0.9"));
    member.setOption("IP_ADD_SOURCE_MEMBERSHIP", from("127.0.0.1"));
    await sender.send(bytesOf("from here"), to);
    assert((await nextDatagram(member)).startsWith("from here"));
  });
});

test("IPV6_JOIN_GROUP joins a group on an interface, and IPV6_LEAVE_GROUP leaves it", async () => {
  await withNet(async (sw, net) => {
    const member = await net.datagramSocket(sw, "udp6");
    const end = process.pid.toString(16).padStart(8, "0");
    const joined = () => readFileSync("/proc/net/igmp6", "utf8").includes(`ff02${"0".repeat(16)}534c${end}`);
    const membership = { group: `ff02::534c:${end.slice(0, 4)}:${end.slice(4)}`, interface: "lo" };
    member.setOption("IPV6_JOIN_GROUP", membership);
    assert(joined());
    member.setOption("IPV6_LEAVE_GROUP", membership);
    assert(!joined());
  });
});

const clients: [name: string, program: string, args: (port: number) => string[]][] = [
  ["nc", "nc", (port) => ["-u", "127.0.0.1", String(port)]],
  ["socat", "socat", (port) => ["-", `UDP4:127.0.0.1:${port}`]],
];

for (const [name, program, args] of clients) {
  test(`recv() hears ${name}, which hears the answer`, async () => {
    await withNet(async (sw, net) => {
      const socket = await net.datagramSocket(sw, any4);
      await using peer = new Peer(program, args(socket.local.port));
      peer.say("hello\n");
      const buffer = new Uint8Array(100);
      const { size, from } = await socket.recv(buffer);
      assertEquals(textOf(buffer.subarray(0, size)), "hello\n");
      await socket.send([bytesOf("you said "), buffer.subarray(0, size)], from);
      assertEquals(await peer.line(), "you said hello");
    });
  }, { peers: [program] });
}

test("recv() hears socat over IPv6, which hears the answer", async () => {
  await withNet(async (sw, net) => {
    const socket = await net.datagramSocket(sw, udp("::1", 0));
    await using peer = new Peer("socat", ["-", `UDP6:[::1]:${socket.local.port}`]);
    peer.say("hello\n");
    const { from } = await socket.recv(new Uint8Array(1));
    await socket.send(bytesOf("answer\n"), from);
    assertEquals(await peer.line(), "answer");
  });
}, { peers: ["socat"] });

test("a connected socket talks to a foreign server, and hears that it has gone where that can be heard", async () => {
  await withNet(async (sw, net) => {
    const remote = ownAddress();
    await using peer = Peer.node(
      `
      const server = require("node:dgram").createSocket("udp4");
      server.on("message", (bytes, from) => server.send(bytes, from.port, from.address, () => bytes.length === 0 && server.close()));
      server.bind(+args[0], args[1], () => say("bound"));`,
      remote.port,
      ownHost,
    );
    assertEquals(await peer.line(), "bound");
    const socket = await net.datagramSocket(sw, "udp4", { remote });
    for (const content of ["hello", "x".repeat(1400), ""]) {
      await socket.send(bytesOf(content));
      assertEquals(await nextDatagram(socket), `${content} from ${formatAddress(remote)}`);
    }
    await peer.ended;
    if (!net.features.has("datagramErrors")) return;
    const receiving = assertNetError(() => socket.recv(new Uint8Array(1)), "connection_refused");
    await socket.send(bytesOf("anybody there?"));
    await receiving;
    // The socket stays usable. Each answer is reported once, to the first call.
    await socket.send(bytesOf("again"));
    await assertNetError(() => socket.recv(new Uint8Array(1)), "connection_refused");
  });
});
