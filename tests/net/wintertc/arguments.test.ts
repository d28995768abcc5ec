// Copyright 2026 the Sluice authors. MIT license.

/** What `toConnect` and its `connect` take and refuse. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { NetError, Switch } from "../../../mod.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { SocketError, toConnect, type WinterConnect } from "../../../net/wintertc/mod.ts";
import { outcomeOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, finishedSwitch } from "../_helpers.ts";
import { dial, hostAndPort, testOnNets } from "./_helpers.ts";

/** Runs `fn` with a `connect` that reaches nothing. */
function withConnect(fn: (connect: WinterConnect) => unknown): Promise<void> {
  return Switch.run(async (sw) => void await fn(toConnect(memoryNet(), sw)));
}

testOnNets("connect()", "takes an address as text or as an object", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  const connect = toConnect(net, sw);
  const { port } = listener.address;
  for (
    const address of [`127.0.0.1:${port}`, { hostname: "127.0.0.1", port }, { hostname: "127.0.0.1", port: `${port}` }]
  ) {
    const socket = connect(address);
    const server = await listener.accept(sw);
    assertEquals((await socket.opened).remoteAddress, hostAndPort(listener.address));
    await Promise.all([socket.close(), server.close()]);
  }
});

test("connect() takes IPv6 addresses in brackets, and in an object without them", () =>
  withConnect(async (connect) => {
    for (const address of ["[::1]:7000", { hostname: "::1", port: 7000 }, { hostname: "[::1]", port: 7000 }]) {
      const error = await outcomeOf(() => connect(address).opened) as SocketError;
      assertEquals(error.message, "SocketError: Cannot connect to tcp:[::1]:7000: connection refused");
    }
  }));

const malformed = [
  "",
  "localhost",
  ":80",
  "localhost:",
  "localhost:0",
  "localhost:65536",
  "localhost:http",
  "localhost:80/",
  "http://localhost:80",
  "::1:80",
  "[::1]",
  "user@localhost:80",
  "a b:80",
  "0x7f.1:80",
  { hostname: "", port: 80 },
  { hostname: "localhost:80", port: 80 },
  { hostname: "localhost", port: 0 },
  { hostname: "localhost", port: 65536 },
  { hostname: "localhost", port: -1 },
  { hostname: "2130706433", port: 80 },
];

for (const address of malformed) {
  test(`connect() to ${JSON.stringify(address)} throws a SocketError`, () =>
    withConnect((connect) => {
      const error = assertThrows(() => connect(address), SocketError);
      assert(error instanceof TypeError);
      assert(error.message.startsWith("SocketError: Cannot connect to "), error.message);
    }));
}

test("connect() with an argument of the wrong kind throws a TypeError", () =>
  withConnect((connect) => {
    const address = "127.0.0.1:7000";
    const wrong: unknown[][] = [
      [],
      [null],
      [7000],
      [{ hostname: "localhost" }],
      [{ hostname: "localhost", port: 1.5 }],
      [{ hostname: "localhost", port: "80a" }],
      [{ hostname: 1, port: 80 }],
      [address, "on"],
      [address, { secureTransport: "tls" }],
      [address, { secureTransport: null }],
      [address, { secureTransport: "on", alpn: "h2" }],
      [address, { secureTransport: "on", alpn: [1] }],
      [address, { secureTransport: "on", sni: 1 }],
      [address, { sni: "localhost" }],
      [address, { alpn: ["h2"] }],
    ];
    for (const args of wrong) {
      const error = assertThrows(() => Reflect.apply(connect, undefined, args), TypeError, "Cannot connect");
      assert(!(error instanceof SocketError), error.message);
    }
  }));

test("connect() with an sni that is not a host name throws a SocketError", () =>
  withConnect((connect) => {
    assertThrows(() => connect("127.0.0.1:7000", { secureTransport: "on", sni: "a b" }), SocketError, "with sni");
  }));

testOnNets("connect()", "takes null, and ignores options that it does not know", async (sw, net) => {
  const options = { highWaterMark: 1, sni: null, allowHalfOpen: undefined };
  const { socket, connect, address } = await dial(sw, net, options);
  await socket.close();
  await connect(hostAndPort(address), null).close();
});

test("connect() reads each field once, so that what was checked is what is used", () =>
  withConnect(async (connect) => {
    const reads: string[] = [];
    const address = {
      get hostname() {
        reads.push("hostname");
        return reads.length === 1 ? "127.0.0.1" : "127.0.0.2";
      },
      get port() {
        reads.push("port");
        return 7000;
      },
    };
    const error = await outcomeOf(() => connect(address).opened) as SocketError;
    assertEquals(reads, ["hostname", "port"]);
    assertEquals(error.message, "SocketError: Cannot connect to tcp:127.0.0.1:7000: connection refused");
  }));

test("connect() of a switch that has ended throws a SocketError", async () => {
  const connect = toConnect(memoryNet(), await finishedSwitch());
  assertThrows(() => connect("127.0.0.1:7000"), SocketError, "Cannot connect: the switch is finished");
});

test("toConnect() with an argument of the wrong kind throws a TypeError", () =>
  Switch.run((sw) => {
    const wrong: unknown[][] = [[], [{}, sw], [memoryNet()], [memoryNet(), {}], [memoryNet(), sw, 1], [
      memoryNet(),
      sw,
      { tls: 1 },
    ]];
    for (const args of wrong) {
      assertThrows(() => Reflect.apply(toConnect, undefined, args), TypeError, "Cannot make a connect function");
    }
  }));

test("new SocketError() is a TypeError as the proposal words it", () => {
  const cause = new NetError("unknown", { operation: "connect" });
  const error = new SocketError("connection failed", { cause });
  assert(error instanceof TypeError);
  assertEquals(String(error), "TypeError: SocketError: connection failed");
  assertEquals(error.cause, cause);
});
