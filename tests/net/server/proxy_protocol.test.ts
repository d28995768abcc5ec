// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import {
  acceptFork,
  BufReader,
  type Clock,
  type Connection,
  type ConnectionHandler,
  type ConnectionInfo,
  copy,
  copyString,
  EndOfFlow,
  formatAddress,
  hostAddress,
  type Net,
  NetError,
  ParseError,
  readAll,
  runServer,
  type StreamAddress,
  type StreamSocket,
  Switch,
  tcp,
  unix,
  writeAll,
  yieldNow,
} from "../../../mod.ts";
import { gives, lends } from "../../../flow/internal.ts";
import { proxyHeaderOf, proxyProtocol, serverMonitor } from "../../../net/server/mod.ts";
import { checkFlow, memoryNet, mockClock, simulate, socketPair } from "../../../net/testing/mod.ts";
import { tlsClient, type TlsConnection, tlsHandler, tlsServer } from "../../../net/tls/mod.ts";
import { systemClock } from "../../../switch/internal.ts";
import { wrapConnection } from "../../../net/wrap/mod.ts";
import { bytesOf, readText, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, signal, withNet } from "../_helpers.ts";
import { clientOptions, serverOptions } from "../tls/_helpers.ts";
import { binary, ip4, line4, line6, path, tlv } from "./_proxy_headers.ts";

const address = tcp("127.0.0.1", 80);
const trusted = ["127.0.0.0/8"];

/** An error that a server has reported. */
type Report = readonly [error: unknown, info: ConnectionInfo];

/** Runs `fn` with a server on `net`, and returns the errors that it reported. */
async function withServer(
  net: Net,
  handler: ConnectionHandler,
  fn: (connect: (sw: Switch) => Promise<StreamSocket>, sw: Switch) => Promise<unknown>,
  at: StreamAddress = address,
): Promise<Report[]> {
  const reports: Report[] = [];
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, at);
    const stop = new AbortController();
    const onError = (error: unknown, info: ConnectionInfo) => reports.push([error, info]);
    const server = sw.forkPromise(() => runServer(listener, handler, { onError, stop: stop.signal }));
    await Switch.run((sw) => fn((sw) => net.connect(sw, listener.address), sw));
    stop.abort();
    await server;
  });
  return reports;
}

/** Sends `bytes` to a server that answers with what `say` returns, and returns the answer. */
async function answerTo(
  bytes: string | Uint8Array,
  say: (connection: Connection, peer: StreamAddress) => string | Promise<string>,
  options: { rules?: readonly string[]; net?: Net; at?: StreamAddress } = {},
): Promise<string> {
  const { rules = trusted, net = memoryNet(), at } = options;
  let answer = "";
  const handler = proxyProtocol(net.clock, { trusted: rules }, async (connection: Connection, peer) => {
    await copyString(await say(connection, peer), connection);
  });
  const reports = await withServer(net, handler, async (connect, sw) => {
    const flow = await connect(sw);
    await writeAll(flow, typeof bytes === "string" ? bytesOf(bytes) : bytes);
    await flow.shutdown("send");
    answer = await readText(flow);
  }, at);
  assertEquals(reports, []);
  return answer;
}

const addressesOf = ({ peer, local }: Connection, given: StreamAddress) =>
  [given, peer, local].map(formatAddress).join(" ");

const named4 = "tcp:192.0.2.1:50000 tcp:192.0.2.1:50000 tcp:192.0.2.9:443";
const mapped = "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.9 50000 443\r\n";
const replacing: readonly (readonly [name: string, header: string | Uint8Array, expected: string])[] = [
  ["of version 1", line4, named4],
  ["of version 2", binary(0x21, 0x11, ip4), named4],
  ["with IPv6", line6, "tcp:[2001:db8::1]:50000 tcp:[2001:db8::1]:50000 tcp:[2001:db8::9]:443"],
  ["with IPv4-mapped addresses, as IPv4", mapped, named4],
  ["with Unix addresses", binary(0x21, 0x31, [...path("/c"), ...path("\0s")]), "unix:/c unix:/c unix:@s"],
];

for (const [name, header, expected] of replacing) {
  test(`proxyProtocol() replaces the addresses by those of a header ${name}`, async () => {
    assertEquals(await answerTo(header, addressesOf), expected);
  });
}

const keeping: readonly (readonly [name: string, header: string | Uint8Array, command: string])[] = [
  ["of version 1 that is unknown", "PROXY UNKNOWN ::1 ::1 1 2\r\n", "proxy"],
  ["that is local", binary(0x20, 0x11, ip4), "local"],
  ["of an unspecified family", binary(0x21, 0, []), "proxy"],
  ["of an unspecified transport", binary(0x21, 0x10, ip4), "proxy"],
  ["about UDP", binary(0x21, 0x12, ip4), "proxy"],
  ["about Unix datagrams", binary(0x21, 0x32, [...path("/c"), ...path("/s")]), "proxy"],
];

for (const [name, header, command] of keeping) {
  test(`proxyProtocol() keeps the socket's addresses with a header ${name}`, async () => {
    const net = memoryNet();
    const answer = await answerTo(header, (connection, peer) => {
      assertEquals(connection.peer, peer);
      assertEquals(connection.local, address);
      assert(peer.transport === "tcp" && peer.ip.text === "127.0.0.1", formatAddress(peer));
      return proxyHeaderOf(connection)?.command ?? "none";
    }, { net });
    assertEquals(answer, command);
  });
}

test("proxyProtocol() leaves what follows the header to the handler, however it arrives", async () => {
  for (const header of [bytesOf(line4), binary(0x21, 0x11, ip4)]) {
    for (const rest of ["", "x", "hello".repeat(20_000)]) {
      const bytes = Uint8Array.from([...header, ...bytesOf(rest)]);
      assertEquals(await answerTo(bytes, (connection) => readText(connection)), rest);
    }
  }
});

test("proxyProtocol() waits for no more than the header", async () => {
  const net = memoryNet();
  const handler = proxyProtocol(net.clock, { trusted }, (connection) => copyString("220 ready\r\n", connection));
  const reports = await withServer(net, handler, async (connect, sw) => {
    const flow = await connect(sw);
    for (const byte of bytesOf(line4)) await writeAll(flow, Uint8Array.of(byte));
    assertEquals(await new BufReader(flow).line(), "220 ready"); // the server speaks first
  });
  assertEquals(reports, []);
});

const rules: readonly (readonly [rule: string, from: string, trusts: boolean])[] = [
  ["127.0.0.1", "127.0.0.1", true],
  ["127.0.0.2", "127.0.0.1", false],
  ["127.0.0.0/8", "127.0.0.1", true],
  ["0.0.0.0/0", "10.1.2.3", true],
  ["10.0.0.0/9", "10.128.0.1", false],
  ["::/0", "10.128.0.1", false],
  ["::ffff:10.0.0.0/104", "10.128.0.1", true],
  ["::1", "::1", true],
  ["fd00::/8", "fd12::1", true],
  ["fd00::/8", "fe12::1", false],
  ["unix", "127.0.0.1", false],
];

for (const [rule, from, trusts] of rules) {
  test(`proxyProtocol() that trusts ${rule} ${trusts ? "reads" : "does not look for"} a header of ${from}`, async () => {
    const [client, server] = socketPair();
    const connection = wrapConnection(server, { peer: tcp(from, 7) });
    const handler = proxyProtocol(systemClock, { trusted: [rule] }, async (seen: Connection) => {
      assertEquals(await readText(seen), trusts ? "" : line4);
      assertEquals(seen === connection, !trusts);
      assertEquals(proxyHeaderOf(seen)?.version, trusts ? 1 : undefined);
    });
    await copyString(line4, client);
    await client.close();
    await handler(connection, connection.peer, undefined as never);
    await server.close();
  });
}

test('proxyProtocol() that trusts "unix" reads the header of a client on a Unix socket', async () => {
  const at = unix("/run/app");
  assertEquals(await answerTo(line4, addressesOf, { rules: ["unix"], at }), named4);
});

test("proxyProtocol() does not look at what another peer sends, header or not", async () => {
  for (const text of [line4, "", "GET / HTTP/1.1\r\n"]) {
    const answer = await answerTo(text, async (connection) => {
      assertEquals(proxyHeaderOf(connection), undefined);
      return `${addressesOf(connection, connection.peer).includes("192.0.2.1")} ${await readText(connection)}`;
    }, { rules: ["10.0.0.0/8", "unix"] });
    assertEquals(answer, `false ${text}`);
  }
});

const broken: readonly (readonly [name: string, bytes: string])[] = [
  ["missing", "GET / HTTP/1.1\r\n\r\n"],
  ["malformed", line4.replace("443", "0443")],
  ["cut off", line4.slice(0, 20)],
  ["not there at all", ""],
];

for (const [name, bytes] of broken) {
  test(`proxyProtocol() closes a connection whose header is ${name}, and reports a ParseError`, async () => {
    const net = memoryNet();
    let calls = 0;
    const handler = proxyProtocol(net.clock, { trusted }, () => calls++);
    const reports = await withServer(net, handler, async (connect, sw) => {
      const flow = await connect(sw);
      await copyString(bytes, flow);
      await flow.shutdown("send");
      // What it has not read makes the system reset the connection.
      await readAll(flow).catch((error) => assertEquals(error.code, "connection_reset"));
    });
    const [[error, { peer, local }]] = reports;
    assertInstanceOf(error, ParseError);
    assertEquals(bytes === "" ? error.cause instanceof EndOfFlow : true, true);
    assertEquals([reports.length, calls, local, (peer as { ip: unknown }).ip], [1, 0, address, address.ip]);
  });
}

/** Runs a client that sends `bytes` and then waits, and returns the error of the server. */
async function slowly(bytes: string, ms: number, timeout?: number): Promise<unknown> {
  const clock = mockClock();
  const net = memoryNet({ clock });
  const reported = signal();
  const handler = proxyProtocol(clock, { trusted, timeout }, (flow) => copy(flow, flow));
  const watched: ConnectionHandler = async (connection, peer, scope) => {
    const serving = Promise.resolve(handler(connection, peer, scope));
    serving.catch(() => reported.resolve());
    await serving;
  };
  const reports = await withServer(net, watched, async (connect, sw) => {
    const flow = await connect(sw);
    await copyString(bytes, flow);
    while (!clock.tryAdvance()) await Promise.resolve();
    await reported.promise;
    assertEquals(clock.now(), ms);
  });
  return reports[0][0];
}

test("proxyProtocol() names the client to onError and to a monitor", async () => {
  const clock = mockClock();
  const net = memoryNet({ clock });
  const monitor = serverMonitor();
  const serving = signal();
  const end = signal();
  const handler = proxyProtocol(clock, { trusted }, async () => {
    serving.resolve();
    await end.promise; // despite its cancellation
    throw new NetError("connection_refused", { operation: "connect", address });
  });
  const reports: Report[] = [];
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, address);
    const stop = new AbortController();
    const onError = (error: unknown, info: ConnectionInfo) => {
      reports.push([error, info]);
      end.resolve();
    };
    const server = sw.forkPromise(() =>
      runServer(listener, handler, { onError, monitor, stop: stop.signal, grace: 100 })
    );
    await copyString(line4, await net.connect(sw, address));
    await serving.promise;
    const seen = monitor.connections().map(({ peer, local }) => ({ peer, local }));
    stop.abort();
    while (reports.length === 0) {
      clock.tryAdvance();
      await yieldNow();
    }
    await server;
    const client = { peer: tcp("192.0.2.1", 50000), local: tcp("192.0.2.9", 443) };
    assertEquals([seen, reports.map(([, info]) => info)], [[client], [client, client]]);
    assertMatch(String(reports[0][0]), /Handler of tcp:192\.0\.2\.1:50000 is still running/);
    assertMatch(String(reports[1][0]), /handling connection from tcp:192\.0\.2\.1:50000/);
  });
});

test("proxyProtocol() reports connection_timeout when the header takes longer than 3 s", async () => {
  const error = await slowly("PROXY", 3000);
  assertInstanceOf(error, NetError);
  assertEquals(error.code, "connection_timeout");
  assertMatch(error.message, /^Cannot read from tcp:127.0.0.1:\d+: .*no PROXY header within 3000 ms/);
});

test("proxyProtocol() has its timeout as it is told", async () => {
  assertInstanceOf(await slowly("", 250, 250), NetError);
});

test("proxyProtocol() stops its timer when the header is there", async () => {
  const clock = mockClock();
  const net = memoryNet({ clock });
  const handler = proxyProtocol(clock, { trusted }, (flow) => copy(flow, flow));
  const reports = await withServer(net, handler, async (connect, sw) => {
    const flow = await connect(sw);
    await copyString(`${line4}hello`, flow);
    const reader = new BufReader(flow);
    assertEquals(textOf(await reader.take(5)), "hello");
    assertEquals(clock.tryAdvance(), false);
  });
  assertEquals(reports, []);
});

test("proxyProtocol() with a timeout of Infinity sets no timer", async () => {
  const clock: Clock = { ...mockClock(), sleep: () => Promise.reject(new Error("Cannot sleep")) };
  const net = memoryNet();
  const handler = proxyProtocol(clock, { trusted, timeout: Infinity }, (flow) => copyString("hello", flow));
  const reports = await withServer(net, handler, async (connect, sw) => {
    const flow = await connect(sw);
    await copyString(line4, flow);
    assertEquals(await readText(flow), "hello");
  });
  assertEquals(reports, []);
});

test("proxyProtocol() composes: a header of an inner balancer replaces that of an outer one", async () => {
  const net = memoryNet();
  const inner = proxyProtocol(
    net.clock,
    { trusted: ["192.0.2.1"] },
    (connection: Connection, peer) =>
      copyString(`${formatAddress(peer)} ${proxyHeaderOf(connection)?.version}`, connection),
  );
  const reports = await withServer(net, proxyProtocol(net.clock, { trusted }, inner), async (connect, sw) => {
    const flow = await connect(sw);
    await writeAll(flow, bytesOf(line4), binary(0x21, 0x11, [1, 2, 3, 4, ...ip4.slice(4)]));
    assertEquals(await readText(flow), "tcp:1.2.3.4:50000 2");
  });
  assertEquals(reports, []);
});

test("proxyHeaderOf() finds the header through TLS, and TLS has the client's address", async () => {
  const net = memoryNet();
  const header = binary(0x21, 0x11, [...ip4, ...tlv(2, [...bytesOf("a.example")])]);
  const serve = async (tls: TlsConnection, peer: StreamAddress) => {
    const [{ value }] = proxyHeaderOf(tls)?.tlvs ?? [];
    await copyString([formatAddress(peer), formatAddress(tls.peer), textOf(value)].join(" "), tls);
  };
  const handler = proxyProtocol(net.clock, { trusted }, tlsHandler(serverOptions, serve));
  const reports = await withServer(net, handler, async (connect, sw) => {
    const flow = await connect(sw);
    await writeAll(flow, header);
    const tls = await tlsClient(sw, flow, clientOptions);
    assertEquals(await readText(tls), "tcp:192.0.2.1:50000 tcp:192.0.2.1:50000 a.example");
  });
  assertEquals(reports, []);
});

test("proxyProtocol() reads a header within TLS, too", async () => {
  const net = memoryNet();
  const inner = proxyProtocol(
    net.clock,
    { trusted },
    (connection: Connection, peer) => copyString(formatAddress(peer), connection),
  );
  const reports = await withServer(net, tlsHandler(serverOptions, inner), async (connect, sw) => {
    const tls = await tlsClient(sw, await connect(sw), clientOptions);
    await copyString(line4, tls);
    assertEquals(await readText(tls), "tcp:192.0.2.1:50000");
  });
  assertEquals(reports, []);
});

test("proxyHeaderOf() finds the header through wrappers, unread(), and TLS within TLS", async () => {
  const answer = await answerTo(`${line4}first line\nrest`, async (connection) => {
    const counted = wrapConnection(wrapConnection(connection, {}), { sent() {} });
    const reader = new BufReader(counted);
    await reader.line();
    const unread = reader.unread(counted);
    assert(unread !== counted);
    return [counted, unread, wrapConnection(unread, {})].map((each) => proxyHeaderOf(each)?.version).join(" ");
  });
  assertEquals(answer, "1 1 1");

  await Switch.run(async (sw) => {
    const [client, server] = socketPair();
    const seen = signal<Connection>();
    const handler = proxyProtocol(systemClock, { trusted: ["unix", "0.0.0.0/0"] }, async (connection: Connection) => {
      const outer = await tlsServer(sw, connection, serverOptions);
      seen.resolve(await tlsServer(sw, outer, serverOptions));
    });
    sw.fork(() => handler(server, server.peer, undefined as never));
    await copyString(line4, client);
    await tlsClient(sw, await tlsClient(sw, client, clientOptions), clientOptions);
    assertEquals(proxyHeaderOf(await seen.promise)?.version, 1);
  });
});

test("proxyHeaderOf() of anything else is undefined", () => {
  const [client] = socketPair();
  for (const value of [client, wrapConnection(client, {}), {}, undefined, 1]) {
    assertEquals(proxyHeaderOf(value as never), undefined);
  }
});

test("proxyProtocol() keeps socket options and fast paths", async () => {
  await withNet(async (sw, net) => {
    const seen = signal<StreamSocket>();
    const done = signal();
    const handler = proxyProtocol(net.clock, { trusted }, async (connection: StreamSocket) => {
      seen.resolve(connection);
      await done.promise;
    });
    const listener = await net.listen(sw, anyPort);
    sw.forkDaemon(() => acceptFork(sw, listener, handler, { onError: (error) => sw.fail(error) }));
    const flow = await net.connect(sw, listener.address);
    await copyString(`${line4}x`, flow);
    const connection = await seen.promise;
    connection.setOption("TCP_NODELAY", false);
    assertEquals(connection.getOption("TCP_NODELAY"), false);
    assertEquals([lends(connection), gives(connection)], [true, true]);
    done.resolve();
  });
});

const invalid: readonly (readonly [name: string, trusted: unknown, problem: typeof SyntaxError | typeof TypeError])[] =
  [
    ["a name", ["localhost"], SyntaxError],
    ["a port", ["127.0.0.1:80"], SyntaxError],
    ["a legacy spelling", ["127.1"], SyntaxError],
    ["host bits", ["10.0.0.1/8"], SyntaxError],
    ["a prefix that is too long", ["10.0.0.0/33"], SyntaxError],
    ["a prefix with a leading zero", ["10.0.0.0/08"], SyntaxError],
    ["an empty rule", [""], SyntaxError],
    ["an asterisk", ["*"], SyntaxError],
    ["a zone", ["fe80::1%eth0"], SyntaxError],
    ["a Unix path", ["unix:/run/x"], SyntaxError],
    ["a space", [" 10.0.0.0/8"], SyntaxError],
    ["a rule after a good one", ["10.0.0.0/8", "x"], SyntaxError],
    ["a number", [1], TypeError],
    ["no list", "10.0.0.0/8", TypeError],
    ["nothing", undefined, TypeError],
  ];

for (const [name, rules, problem] of invalid) {
  test(`proxyProtocol() refuses to trust ${name}, when the handler is made`, () => {
    assertThrows(() => proxyProtocol(systemClock, { trusted: rules as never }, () => {}), problem);
  });
}

test("proxyProtocol() refuses other arguments that make no sense, when the handler is made", () => {
  const make = (clock: unknown, options: unknown, handler: unknown = () => {}) => () =>
    proxyProtocol(clock as never, options as never, handler as never);
  assertThrows(make(undefined, { trusted }), TypeError, "Clock");
  assertThrows(make(systemClock, undefined), TypeError, "trusted");
  assertThrows(make(systemClock, null), TypeError, "options");
  assertThrows(make(systemClock, { trusted }, 7), TypeError, "function");
  for (const timeout of [-1, NaN]) assertThrows(make(systemClock, { trusted, timeout }), RangeError, "timeout");
  assertThrows(make(systemClock, { trusted, timeout: "3s" }), TypeError, "timeout");
});

test("proxyProtocol() reads its options once", async () => {
  const rules = ["10.0.0.0/8"];
  const handler = proxyProtocol(systemClock, { trusted: rules }, async (connection: Connection) => {
    assertEquals(await readText(connection), line4);
  });
  rules.push("0.0.0.0/0", "unix");
  const [client, server] = socketPair();
  await copyString(line4, client);
  await client.close();
  await handler(server, server.peer, undefined as never);
  await server.close();
});

test("proxyProtocol() serves clients over a slow, lossy simulated network", () =>
  simulate({ seed: 7, link: { latency: 40, jitter: 30, loss: 0.05 } }, async (sim) => {
    const answers: string[] = [];
    sim.host("server", {
      main: (host) =>
        Switch.run(async (sw) => {
          const listener = await host.net.listen(sw, tcp("0.0.0.0", 80));
          const handler = proxyProtocol(host.clock, { trusted: ["10.0.0.0/8"] }, (flow: Connection, peer) =>
            copyString(formatAddress(peer), flow));
          await runServer(listener, handler, {
            onError: (error) =>
              answers.push(String(error)),
          });
        }),
    });
    const balancer = sim.host("balancer");
    for (let i = 0; i < 10; i++) {
      await balancer.fork(() =>
        Switch.run(async (sw) => {
          const flow = await balancer.net.connect(sw, hostAddress("server", 80));
          for (const byte of bytesOf(line4)) await writeAll(flow, Uint8Array.of(byte));
          answers.push(await readText(flow));
        })
      );
    }
    assertEquals(answers, Array(10).fill("tcp:192.0.2.1:50000"));
  }));

/** Two connected flows, the second of which has had a header before it. */
async function proxied(sw: Switch): Promise<readonly [Connection, Connection]> {
  const [client, server] = socketPair();
  const seen = signal<Connection>();
  const handler = proxyProtocol(systemClock, { trusted }, (connection: Connection) => seen.resolve(connection));
  sw.fork(() => handler(server, server.peer, undefined as never));
  await copyString(line4, client);
  return [client, await seen.promise];
}

for (const check of checkFlow(proxied, { clogged: proxied })) {
  test(`proxyProtocol() connection: ${check.name}`, check.run);
}
