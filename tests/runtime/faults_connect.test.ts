// Copyright 2026 the Sluice authors. MIT license.

/** Connecting, and what the system and the network do to it. */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { first, type NetErrorCode, tcp } from "../../mod.ts";
import { turn, until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, ownHost, ownPort, withNet } from "../net/_helpers.ts";
import { faultProgram, leavesNoDescriptor } from "./_helpers.ts";
import { netnsPeers, OtherHost } from "./_netns.ts";
import { Peer, runThis, thisCommand } from "./_peers.ts";

/** Bun's `node:net` has one word for nearly every failure to connect. */
const onBun = process.versions.bun !== undefined;

/** What the program says to the end. */
async function outcomes(command: string, args: readonly string[]): Promise<string[]> {
  await using peer = new Peer(command, args);
  const { code } = await peer.ended;
  assertEquals(code, 0, peer.errors);
  return peer.output.trimEnd().split("\n");
}

test("connect() whose packets are dropped is connection_timeout in its time, and leaves no descriptor", async () => {
  using other = new OtherHost();
  other.rule("tcp dport 80 drop");
  await withNet(async (sw, net) => {
    await leavesNoDescriptor(() =>
      assertNetError(() => net.connect(sw, tcp(other.there, 80), { timeout: 40 }), "connection_timeout")
    );
  });
}, { peers: netnsPeers });

test("connect() whose packets are dropped is Cancelled at once, and leaves no descriptor", async () => {
  using other = new OtherHost();
  other.rule("tcp dport 80 drop");
  await withNet(async (sw, net) => {
    await leavesNoDescriptor(() => first(() => net.connect(sw, tcp(other.there, 80)), turn));
  });
}, { peers: netnsPeers });

test(
  "connect() whose packets are dropped is connection_timeout at the system's own time limit, and no sooner",
  async () => {
    using other = new OtherHost();
    other.rule("tcp dport 80 drop");
    other.sysctl("net.ipv4.tcp_syn_retries", "1");
    const command = other.command(...thisCommand(faultProgram, "connect", "127.0.0.1", "80"));
    const code = onBun ? "connection_refused" : "connection_timeout";
    assertEquals(await outcomes(...command), [code, code, "back"]);
  },
  { peers: netnsPeers },
);

const rejections: [answer: string, code: NetErrorCode][] = [
  ["tcp reset", "connection_refused"],
  ["icmp type port-unreachable", "connection_refused"],
  ["icmp type host-unreachable", "host_unreachable"],
  ["icmp type admin-prohibited", "host_unreachable"],
  ["icmp type net-unreachable", "network_unreachable"],
];
for (const [answer, code] of rejections) {
  test(`connect() that is answered by ${answer} is ${code}`, async () => {
    using other = new OtherHost();
    other.rule(`tcp dport 80 reject with ${answer}`);
    await withNet(async (sw, net) => {
      const expected = onBun ? "connection_refused" : code;
      await leavesNoDescriptor(() => assertNetError(() => net.connect(sw, tcp(other.there, 80)), expected));
    });
  }, { peers: netnsPeers });
}

const routes: [kind: string, code: NetErrorCode, bun: NetErrorCode][] = [
  ["unreachable", "host_unreachable", "connection_refused"],
  ["prohibit", "permission_denied", "permission_denied"],
  ["blackhole", "address_not_available", "address_not_available"],
];
for (const [kind, code, bun] of routes) {
  test(`connect() along a route of type ${kind} is ${code}`, async () => {
    using other = new OtherHost();
    other.ip("route", "add", kind, "203.0.113.0/24");
    const command = other.command(...thisCommand(faultProgram, "connect", "203.0.113.1", "80"));
    const expected = onBun ? bun : code;
    assertEquals(await outcomes(...command), [expected, expected, "back"]);
  }, { peers: netnsPeers });
}

test("connect() to where no route leads is network_unreachable, and reaches it once there is one", async () => {
  using other = new OtherHost();
  const connect = thisCommand(faultProgram, "connect", "203.0.113.1", "80");
  const code = onBun ? "connection_refused" : "network_unreachable";
  assertEquals(await outcomes(...other.command(...connect)), [code, code, "back"]);
  other.ip("addr", "add", "203.0.113.1/32", "dev", "lo");
  await using _server = new Peer(...other.command("socat", "tcp-listen:80,bind=203.0.113.1,fork", "exec:cat"));
  await until(() => listens(other, 80));
  assertEquals(await outcomes(...other.command(...connect)), ["ok", "ok", "back"]);
}, { peers: [...netnsPeers, "socat"] });

/** Reports whether a port of the other host has a listener. */
function listens(other: OtherHost, port: number): boolean {
  return other.output("cat", "/proc/net/tcp").includes(`:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000`);
}

test("connect() that the system connects to itself is connection_refused", async () => {
  using other = new OtherHost();
  other.sysctl("net.ipv4.ip_local_port_range", "40000 40000"); // the only port is the one that is connected to
  const command = other.command(...thisCommand(faultProgram, "connect", "127.0.0.1", "40000"));
  const refused = "connection_refused";
  const resets = await withNet((_, net) => Promise.resolve(net.features.has("reset")));
  // Without a reset, the system keeps the port for a minute.
  assertEquals(await outcomes(...command), [refused, resets ? refused : "address_not_available", "back"]);
}, { peers: netnsPeers });

test("connect() without a free port left is address_not_available", async () => {
  using other = new OtherHost();
  other.sysctl("net.ipv4.ip_local_port_range", "40000 40001");
  await using _server = new Peer(...other.command("socat", "tcp-listen:80,fork", "exec:cat"));
  await until(() => listens(other, 80));
  const command = other.command(...thisCommand(faultProgram, "keep", "127.0.0.1", "80", "4"));
  const none = "address_not_available";
  assertEquals(await outcomes(...command), ["ok", "ok", none, none]);
}, { peers: [...netnsPeers, "socat"] });

const errnos: [errno: string, code: NetErrorCode, bun?: NetErrorCode][] = [
  ["ECONNREFUSED", "connection_refused"],
  ["ETIMEDOUT", "connection_timeout", "connection_refused"],
  ["EHOSTUNREACH", "host_unreachable", "connection_refused"],
  ["ENETUNREACH", "network_unreachable", "connection_refused"],
  ["ECONNRESET", "connection_reset", "connection_refused"],
  ["EACCES", "permission_denied"],
  ["EPERM", "permission_denied", "connection_refused"],
  ["EADDRNOTAVAIL", "address_not_available"],
  ["EADDRINUSE", "address_in_use"],
  ["EINVAL", "address_not_available"],
];
for (const [errno, code, bun] of errnos) {
  test(`connect() to which the system says ${errno} is ${code}`, async () => {
    const args = ["-f", "-qq", "-e", "trace=connect", "-e", `inject=connect:error=${errno}`, "-o", "/dev/null"];
    const command = thisCommand(faultProgram, "connect", "127.0.0.1", "9");
    const expected = onBun ? bun ?? code : code;
    assertEquals(await outcomes("strace", [...args, ...command]), [expected, expected, "back"]);
  }, { peers: ["strace"] });
}

test("connect() without a descriptor left is too_many_open_files, and works again when there are some", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const limit = ["--nofile=256:256"];
    await using peer = new Peer("prlimit", [
      ...limit,
      ...thisCommand(faultProgram, "exhausted", `${listener.address.port}`),
    ]);
    assertEquals(await peer.line(), "ok");
    const none = await peer.line();
    assertEquals(none, "too_many_open_files");
    assertEquals(await peer.line(), "ok");
    assertEquals((await peer.ended).code, 0, peer.errors);
  });
}, { peers: ["prlimit"] });

test("connect() to the unspecified address reaches this host, as the system does it", async () => {
  await withNet(async (sw, net) => {
    for (const [any, loopback] of [["0.0.0.0", "127.0.0.1"], ["::", "::1"]]) {
      const listener = await net.listen(sw, tcp(loopback, 0));
      const socket = await net.connect(sw, tcp(any, listener.address.port));
      const accepted = await listener.accept(sw);
      assertEquals(accepted.local, tcp(loopback, listener.address.port));
      await socket.close();
    }
  });
});

test("connect() to a listener of a killed process is connection_refused, and its port is free at once", async () => {
  await withNet(async (sw, net) => {
    const address = tcp(ownHost, ownPort());
    await using server = runThis(faultProgram, "serve", ownHost, `${address.port}`);
    assertEquals(await server.line(), `${address.port}`);
    const client = await net.connect(sw, address);
    server.kill("SIGKILL");
    await server.ended;
    assert(
      await client.read(new Uint8Array(1)).then((size) => size === null, (error) => error.code === "connection_reset"),
    );
    await assertNetError(() => net.connect(sw, address), "connection_refused");
    await net.listen(sw, address);
  });
});
