// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ClosedError,
  IpAddress,
  NetError,
  type NetErrorCode,
  type SocketOptionName,
  socketOptionNames,
  type SocketOptions,
  Switch,
  tcp,
} from "../../mod.ts";
import { refuse } from "../_lies.ts";
import { test } from "../_test.ts";
import { FakeListener, fakeListener, fakeNet, fakeSocket, FakeStream } from "./_fake_provider.ts";
import { fakeDatagramSocket } from "./_fake_datagram.ts";
import { assertNetError, called } from "./_helpers.ts";

/** Sets an option without type checks, as a program in JavaScript may. */
function setAny(socket: { setOption(name: never, value: never): void }, name: string, value: unknown): void {
  socket.setOption(name as never, value as never);
}

function assertCode(fn: () => unknown, code: NetErrorCode, message: string): void {
  const error = assertThrows(fn, NetError);
  assertEquals([error.code, error.message], [code, message]);
}

/** Valid and invalid values of each option. */
const values: Partial<Record<SocketOptionName, { good: unknown[]; wrong?: unknown[]; out?: unknown[] }>> = {
  TCP_NODELAY: { good: [true, false], wrong: [1, 0, "true", null, undefined] },
  SO_KEEPALIVE: { good: [true], wrong: [1] },
  SO_RCVBUF: { good: [1, 65_536], wrong: ["1", true], out: [0, -1, 1.5, NaN, 2 ** 31] },
  SO_LINGER: { good: [null, 0, 10], wrong: [undefined, "1"], out: [-1, 65_536] },
  SO_RCVTIMEO: { good: [0, 5.5], wrong: ["5"], out: [-1, NaN, Infinity] },
  TCP_SYNCNT: { good: [1, 255], out: [0, 256, -1] },
  TCP_KEEPIDLE: { good: [1, 32_767], out: [-1, 0, 32_768] },
  TCP_KEEPCNT: { good: [1, 127], out: [0, 128] },
  TCP_WINDOW_CLAMP: { good: [0], out: [-100] },
  TCP_LINGER2: { good: [-1, 60], out: [-2] },
  TCP_CONGESTION: { good: ["reno"], wrong: ["", 1] },
  IP_TTL: { good: [1, 255], out: [0, 256] },
  IP_MULTICAST_TTL: { good: [0, 255], out: [-1, 256] },
  IP_LOCAL_PORT_RANGE: {
    good: [[1000, 2000], [0, 0]],
    wrong: [[1], 1000, [1, 2, 3], ["1", "2"]],
    out: [[2000, 1000], [40_000, 70_000], [-1, 5]],
  },
  IP_MTU: { good: [], wrong: [1500] },
  IP_MULTICAST_IF: { good: ["127.0.0.1", IpAddress.loopback4], wrong: ["::1", 1, ""] },
  IPV6_MULTICAST_IF: { good: ["lo"], wrong: ["", 1, "a/b", "::%lo", "x".repeat(16)] },
  IP_ADD_MEMBERSHIP: {
    good: [{ group: "239.1.2.3" }, { group: IpAddress.parse("224.0.0.251"), interface: "127.0.0.1" }],
    wrong: [null, "239.1.2.3", {}, { group: "ff02::1" }, { group: "239.1.2.3", interface: "::1" }],
    out: [{ group: "10.0.0.1" }],
  },
  IP_ADD_SOURCE_MEMBERSHIP: {
    good: [{ group: "232.1.2.3", source: "10.0.0.1" }],
    wrong: [{ group: "232.1.2.3" }, { group: "232.1.2.3", source: "::1" }],
  },
  IPV6_JOIN_GROUP: {
    good: [{ group: "ff02::1", interface: "lo" }],
    wrong: [{ group: "239.1.2.3" }, { group: "ff02::1", interface: "::1" }],
    out: [{ group: "fe80::1" }],
  },
};

for (const [name, { good, wrong = [], out = [] }] of Object.entries(values)) {
  test(`setOption() checks ${name} before any system call`, async () => {
    await Switch.run(async (sw) => {
      const { socket, system, provider } = await fakeDatagramSocket(sw);
      provider.socketOptions.udp.clear();
      for (const value of wrong) assertThrows(() => setAny(socket, name, value), TypeError, `Cannot set ${name}`);
      for (const value of out) assertThrows(() => setAny(socket, name, value), RangeError, `Cannot set ${name}`);
      for (const value of good) {
        const { code } = assertThrows(() => setAny(socket, name, value), NetError);
        assert(code === "not_supported" || code === "invalid_option");
      }
      assertEquals(system.settings.calls, []);
    });
  });
}

test("setOption() refuses values that cannot be made a text", async () => {
  await Switch.run(async (sw) => {
    const { socket, system } = await fakeDatagramSocket(sw);
    for (const value of [Object.create(null), { toString: refuse }, { [Symbol.toPrimitive]: refuse }, Symbol("odd")]) {
      for (const name of Object.keys(values)) {
        assertThrows(() => setAny(socket, name, value), TypeError, `Cannot set ${name}`);
      }
      assertThrows(() => setAny(socket, value as string, 1), NetError, "invalid option");
    }
    assertEquals(system.settings.calls, []);
  });
});

test("connect(), listen() and datagramSocket() refuse socketOptions that are not an object before any system call", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    for (const value of [null, 5, "TCP_NODELAY", true, Symbol("odd")]) {
      const options = { socketOptions: value as SocketOptions };
      const open: (() => Promise<unknown>)[] = [
        () => net.connect(sw, tcp("10.0.0.1", 80), options),
        () => net.listen(sw, tcp("127.0.0.1", 0), options),
        () => net.datagramSocket(sw, "udp4", options),
      ];
      for (const opening of open) {
        await assertRejects(opening, TypeError, "Cannot use socketOptions as they must be an object: current value is");
      }
    }
  });
  assertEquals(provider.calls, []);
});

test("setOption() names the address that it cannot parse", async () => {
  await Switch.run(async (sw) => {
    const { socket } = await fakeDatagramSocket(sw);
    assertThrows(() => setAny(socket, "IP_ADD_MEMBERSHIP", { group: "nonsense" }), SyntaxError, "nonsense");
  });
});

test("socketOptionNames has every option of Eio that a socket can have", () => {
  const eio =
    "SO_DEBUG SO_BROADCAST SO_REUSEADDR SO_KEEPALIVE SO_DONTROUTE SO_OOBINLINE TCP_NODELAY IPV6_V6ONLY SO_REUSEPORT " +
    "SO_SNDBUF SO_RCVBUF SO_RCVLOWAT SO_SNDLOWAT SO_LINGER SO_RCVTIMEO SO_SNDTIMEO TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT " +
    "TCP_CONGESTION TCP_CORK TCP_USER_TIMEOUT TCP_MAXSEG TCP_LINGER2 TCP_DEFER_ACCEPT TCP_SYNCNT TCP_WINDOW_CLAMP TCP_QUICKACK " +
    "TCP_FASTOPEN IP_FREEBIND IP_BIND_ADDRESS_NO_PORT IP_LOCAL_PORT_RANGE IP_TTL IP_MTU IP_MTU_DISCOVER";
  assertEquals(eio.split(" ").filter((name) => !socketOptionNames.includes(name as SocketOptionName)), []);
});

test("setOption() and getOption() of an unknown option are invalid_option", async () => {
  await Switch.run(async (sw) => {
    const { socket } = await fakeSocket(sw);
    const unknown = ["SO_NOTHING", "", "toString", "__proto__", "tcp_nodelay", 5];
    for (const name of unknown as string[]) {
      assertCode(() => setAny(socket, name, 1), "invalid_option", `Cannot set socket option ${name}: invalid option`);
      assertCode(
        () => socket.getOption(name as never),
        "invalid_option",
        `Cannot get socket option ${name}: invalid option`,
      );
    }
  });
});

test("setOption() of what does not fit the socket is invalid_option", async () => {
  await Switch.run(async (sw) => {
    const { socket: datagram } = await fakeDatagramSocket(sw);
    const { socket: stream } = await fakeSocket(sw);
    assertCode(
      () => datagram.setOption("TCP_NODELAY", true),
      "invalid_option",
      "Cannot set socket option TCP_NODELAY: invalid option",
    );
    assertCode(
      () => datagram.getOption("TCP_NODELAY"),
      "invalid_option",
      "Cannot get socket option TCP_NODELAY: invalid option",
    );
    assertCode(
      () => stream.setOption("IPV6_TCLASS", 1),
      "invalid_option",
      "Cannot set socket option IPV6_TCLASS: invalid option",
    );
  });
});

test("setOption() of what the backend does not reach is not_supported, and never silence", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    const { listener } = await fakeListener(sw);
    const message = "Cannot set socket option TCP_CORK: not supported";
    for (const thing of [socket, listener]) {
      assertCode(() => thing.setOption("TCP_CORK", true), "not_supported", message);
    }
    assertEquals(stream.settings.calls, []);
  });
});

test("setOption() of IPV6_V6ONLY on a bound socket is invalid_option", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const listening = net.listen(sw, tcp("::", 0), { socketOptions: { IPV6_V6ONLY: true } });
    await called(() => provider.listens.length === 1);
    assertEquals(provider.listenOptions?.ipv6Only, true);
    provider.listens[0].succeed(new FakeListener(tcp("::", 80)));
    const listener = await listening;
    assertCode(
      () => listener.setOption("IPV6_V6ONLY", false),
      "invalid_option",
      "Cannot set socket option IPV6_V6ONLY: invalid option",
    );
    assertEquals(listener.getOption("IPV6_V6ONLY"), true);
  });
});

test("setOption() reports the system's error", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.settings.error = Object.assign(new Error("setNoDelay EINVAL"), { code: "EINVAL" });
    assertCode(
      () => socket.setOption("TCP_NODELAY", true),
      "invalid_option",
      "Cannot set socket option TCP_NODELAY: invalid option",
    );
    assertCode(
      () => socket.getOption("TCP_NODELAY"),
      "not_supported",
      "Cannot get socket option TCP_NODELAY: not supported",
    );
  });
});

test("getOption() returns what was set, never a default", async () => {
  await Switch.run(async (sw) => {
    const { socket } = await fakeSocket(sw);
    assertCode(
      () => socket.getOption("TCP_NODELAY"),
      "not_supported",
      "Cannot get socket option TCP_NODELAY: not supported",
    );
    socket.setOption("TCP_NODELAY", false);
    assertEquals(socket.getOption("TCP_NODELAY"), false);
    socket.setOption("TCP_NODELAY", true);
    assertEquals(socket.getOption("TCP_NODELAY"), true);
  });
});

test("getOption() prefers the system's value to the one that was set", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    socket.setOption("IP_TOS", 16);
    stream.settings.known.set("IP_TOS", 8);
    assertEquals(socket.getOption("IP_TOS"), 8);
  });
});

test("getOption() of a membership is invalid_option", async () => {
  await Switch.run(async (sw) => {
    const { socket, system } = await fakeDatagramSocket(sw);
    socket.setOption("IP_ADD_MEMBERSHIP", { group: "239.1.2.3", interface: "127.0.0.1" });
    assertEquals(system.settings.calls, ['IP_ADD_MEMBERSHIP {"group":"239.1.2.3","interface":"127.0.0.1"}']);
    assertCode(
      () => socket.getOption("IP_ADD_MEMBERSHIP"),
      "invalid_option",
      "Cannot get socket option IP_ADD_MEMBERSHIP: invalid option",
    );
  });
});

test("setOption() and getOption() of a closed socket are ClosedErrors", async () => {
  await Switch.run(async (sw) => {
    const { socket: datagram } = await fakeDatagramSocket(sw);
    const { listener } = await fakeListener(sw);
    await datagram.close();
    await listener.close();
    for (const how of ["close", "abort"] as const) {
      const { socket } = await fakeSocket(sw);
      await socket[how]();
      assertThrows(() => socket.setOption("TCP_NODELAY", true), ClosedError);
      assertThrows(() => socket.getOption("TCP_NODELAY"), ClosedError);
    }
    assertThrows(() => datagram.setOption("IP_TTL", 1), ClosedError);
    assertThrows(() => datagram.getOption("IP_TTL"), ClosedError);
    assertThrows(() => listener.setOption("TCP_NODELAY", true), ClosedError);
    assertThrows(() => listener.getOption("TCP_NODELAY"), ClosedError);
  });
});

test("connect() sets its options in order, except undefined ones", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const socketOptions: SocketOptions = { SO_KEEPALIVE: true, TCP_NODELAY: undefined, IP_TOS: 16 };
    const connecting = net.connect(sw, tcp("10.0.0.2", 80), { socketOptions });
    const stream = new FakeStream();
    provider.connects[0].succeed(stream);
    const socket = await connecting;
    assertEquals(stream.settings.calls, ["SO_KEEPALIVE true", "IP_TOS 16"]);
    assertEquals(socket.getOption("SO_KEEPALIVE"), true);
  });
});

test("connect() of an option that fails leaves nothing open", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = net.connect(sw, tcp("10.0.0.2", 80), { socketOptions: { IP_TOS: 16 } });
    const stream = new FakeStream();
    stream.settings.error = new Error("broken");
    provider.connects[0].succeed(stream);
    const error = await assertNetError(() => connecting, "unknown");
    assertEquals([error.operation, error.address, stream.state], ["setOption", "IP_TOS", "aborted"]);
  });
});

test("connect() by name sets what fits the address that it finds", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const socketOptions = { IP_TOS: 16, IPV6_TCLASS: 32, TCP_NODELAY: true };
    const connecting = net.connect(sw, { transport: "host", name: "host.example", port: 80 }, { socketOptions });
    await called(() => provider.lookups.length === 1);
    provider.lookups[0].succeed([IpAddress.parse("10.0.0.2")]);
    await called(() => provider.connects.length === 1);
    const stream = new FakeStream();
    provider.connects[0].succeed(stream);
    await connecting;
    assertEquals(stream.settings.calls, ["IP_TOS 16", "TCP_NODELAY true"]);
  });
});

test("accept() sets the options of the listener on connections", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const before = system.arrive();
    const socket = await listener.accept(sw);
    listener.setOption("TCP_NODELAY", true);
    listener.setOption("SO_KEEPALIVE", true);
    const after = system.arrive();
    assertEquals((await listener.accept(sw)).getOption("TCP_NODELAY"), true);
    assertEquals([before.settings.calls, after.settings.calls], [[], ["TCP_NODELAY true", "SO_KEEPALIVE true"]]);
    assertThrows(() => socket.getOption("TCP_NODELAY"), NetError, "not supported");
  });
});

test("accept() returns a connection even if the listener's options cannot be set on it", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    listener.setOption("TCP_NODELAY", true);
    const stream = new FakeStream(tcp("10.0.0.2", 80), tcp("10.0.0.1", 40_000));
    stream.settings.error = new Error("gone");
    system.arrive(stream);
    const socket = await listener.accept(sw);
    assertThrows(() => socket.getOption("TCP_NODELAY"), NetError, "not supported");
  });
});

test("setOption() has types", async () => {
  await Switch.run(async (sw) => {
    const { socket } = await fakeSocket(sw);
    socket.setOption("TCP_NODELAY", true);
    const value: boolean = socket.getOption("TCP_NODELAY");
    assertEquals(value, true);
    // @ts-expect-error: a boolean option takes no number
    assertThrows(() => socket.setOption("TCP_NODELAY", 1), TypeError);
    // @ts-expect-error: there is no such option
    assertThrows(() => socket.setOption("SO_NOTHING", 1), NetError);
    // @ts-expect-error: nor in the options of connect
    await assertRejects(() => fakeNet().net.connect(sw, tcp("10.0.0.2", 80), { socketOptions: { TCP_NODELAY: 1 } }));
  });
});
