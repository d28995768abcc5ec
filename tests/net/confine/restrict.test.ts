// Copyright 2026 the Sluice authors. MIT license.

/** What a policy grants, and what the owner and the confined code see of a denial. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  connectAny,
  first,
  formatAddress,
  hostAddress,
  IpAddress,
  type Net,
  NetError,
  Switch,
  tcp,
  udp,
  unix,
  withTcpConnect,
  yieldNow,
} from "../../../mod.ts";
import { type NetDenial, type NetPolicy, publicOnly, restrict } from "../../../net/confine/mod.ts";
import { setOwnAddresses } from "../../../net/provider/internal.ts";
import { createNet } from "../../../net/provider/mod.ts";
import { memoryNet, mockClock, openCounts } from "../../../net/testing/mod.ts";
import { wrapConnection, wrapNet } from "../../../net/wrap/mod.ts";
import { bytesOf, outcomeOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { FakeProvider, FakeStream } from "../_fake_provider.ts";
import { assertNetError, microtasks } from "../_helpers.ts";
import { dialled, inWorld, networks, ownIp, publicIp } from "./_world.ts";

const api = hostAddress("api.example.com", 443);

/** Asserts that an operation is denied, with the target that it named. */
async function assertDenied(operation: () => Promise<unknown>, text: string): Promise<void> {
  const error = await assertNetError(operation, "permission_denied");
  assertEquals([error.message, error.cause], [`${text}: permission denied`, undefined]);
}

/** Collects the answers of a lookup, as text. */
async function collect(net: Net, name: string): Promise<string[][]> {
  const answers: string[][] = [];
  for await (const ips of net.addresses(name)) answers.push(ips.map(String));
  return answers;
}

test("restrict() names the caller's own target in each denial", () =>
  inWorld(memoryNet(), async ({ sw, net, log }) => {
    const none = restrict(net, {});
    await assertDenied(() => none.connect(sw, tcp("10.0.0.1", 80)), "Cannot connect to tcp:10.0.0.1:80");
    await assertDenied(() => none.connect(sw, hostAddress("A.Example.", 80)), "Cannot connect to host:A.Example.:80");
    await assertDenied(() => none.connect(sw, unix("/run/x")), "Cannot connect to unix:/run/x");
    await assertDenied(() => none.listen(sw, tcp("::", 80)), "Cannot listen on tcp:[::]:80");
    await assertDenied(() => none.datagramSocket(sw, udp("0.0.0.0", 53)), "Cannot bind to udp:0.0.0.0:53");
    await assertDenied(() => none.getAddrInfo("a.example"), 'Cannot look up "a.example"');
    await assertDenied(() => none.getAddrInfo("10.0.0.1"), 'Cannot look up "10.0.0.1"');
    await assertDenied(() => collect(none, "a.example"), 'Cannot look up "a.example"');
    await assertDenied(() => none.getServices("_x._tcp.a.example"), 'Cannot look up "_x._tcp.a.example"');
    await assertDenied(() => none.getNameInfo(tcp("10.0.0.1", 80)), 'Cannot look up "tcp:10.0.0.1:80"');
    const socket = await none.datagramSocket(sw, "udp4");
    await assertDenied(() => socket.send(bytesOf("x"), udp("10.0.0.1", 53)), "Cannot send to udp:10.0.0.1:53");
    assertEquals(log, ["bind udp4"]);
  }));

test("restrict() tells onDenied the operation, the target, the rule and the reason", () =>
  inWorld(memoryNet(), async ({ sw, net, names }) => {
    const denials: NetDenial[] = [];
    names.set("mixed.example", [["10.0.0.1", publicIp]]);
    const confined = restrict(net, {
      connect: ["mixed.example:80", "*:81"],
      deny: ["10.0.0.0/8", "evil.example"],
      onDenied: (denial) => void denials.push(denial),
    });
    await (await confined.connect(sw, hostAddress("mixed.example", 80))).close();
    await outcomeOf(() => confined.connect(sw, hostAddress("evil.example", 81)));
    await outcomeOf(() => confined.listen(sw, tcp("::1", 80)));
    assertEquals(denials, [
      {
        operation: "connect",
        target: "host:mixed.example:80",
        reason: "a rule of deny applies to 10.0.0.1",
        rule: "10.0.0.0/8",
      },
      { operation: "connect", target: "host:evil.example:81", reason: "a rule of deny applies", rule: "evil.example" },
      { operation: "listen", target: "tcp:[::1]:80", reason: "no rule of listen grants it" },
    ]);
    assert(denials.every(Object.isFrozen));
  }));

test("restrict() denies all the same when onDenied throws or rejects", () =>
  inWorld(memoryNet(), async ({ sw, net, log }) => {
    const failure = new Error("Cannot log");
    const hooks = [() => {
      throw failure;
    }, () => Promise.reject(failure) as unknown as void];
    for (const onDenied of hooks) {
      const error = await assertNetError(() => restrict(net, { onDenied }).connect(sw, api), "permission_denied");
      assertEquals(error.cause, undefined);
    }
    assertEquals(log, []);
  }));

test("restrict() calls onDenied without this", () =>
  inWorld(memoryNet(), async ({ sw, net }) => {
    const seen: unknown[] = [];
    const onDenied = function (this: unknown) {
      seen.push(this);
    };
    await outcomeOf(() => restrict(net, { onDenied }).connect(sw, api));
    assertEquals(seen, [undefined]);
  }));

test("restrict() grants what a name resolves to, unless it is denied or must be public", () =>
  inWorld(memoryNet(), async ({ sw, net, names }) => {
    names.set("api.example.com", [["10.0.0.7"]]);
    const connect = ["api.example.com:443"];
    await (await restrict(net, { connect }).connect(sw, api)).close();
    for (const policy of [{ addresses: "public" }, { deny: ["10.0.0.0/8"] }, { deny: ["10.0.0.7:443"] }] as const) {
      await assertDenied(
        () => restrict(net, { connect, ...policy }).connect(sw, api),
        "Cannot connect to host:api.example.com:443",
      );
    }
    await (await restrict(net, { connect, deny: ["10.0.0.7:80"] }).connect(sw, api)).close();
  }));

test("restrict() dials the canonical name of the caller's spelling", () =>
  inWorld(memoryNet(), async ({ sw, net, log }) => {
    await (await restrict(net, { connect: ["api.example.com:443"] }).connect(sw, hostAddress("API.example.COM.", 443)))
      .close();
    assertEquals(log, ["lookup api.example.com", `connect tcp:${publicIp}:443`]);
  }));

test("restrict() lets deny win over every grant", () =>
  inWorld(memoryNet(), async ({ sw, net, log }) => {
    const all = ["*:*", "unix:*"];
    const confined = restrict(net, {
      connect: all,
      listen: all,
      bind: all,
      send: all,
      deny: ["10.0.0.0/8", "evil.example", "*.evil.example", "*:25", "unix:/run/docker.sock"],
    });
    const targets = [
      tcp("10.1.1.1", 80),
      tcp("::ffff:10.1.1.1", 80),
      tcp("64:ff9b::a01:101", 80),
      tcp("2002:a01:101::", 80),
      tcp("8.8.8.8", 25),
      hostAddress("10.1.1.1", 80),
      hostAddress("EVIL.example", 80),
      hostAddress("a.evil.example.", 80),
      hostAddress("good.example", 25),
      unix("/run/docker.sock"),
      unix("/run//docker.sock"),
      unix("/run/./docker.sock"),
      unix("/run/x/../docker.sock"),
      unix("run/docker.sock"),
    ];
    for (const target of targets) await assertNetError(() => confined.connect(sw, target), "permission_denied");
    for (const name of ["evil.example", "10.0.0.1"]) {
      await assertNetError(() => confined.getAddrInfo(name), "permission_denied");
    }
    await assertNetError(() => confined.getNameInfo(tcp("10.0.0.1", 80)), "permission_denied");
    await assertNetError(() => confined.listen(sw, tcp("10.0.0.1", 80)), "permission_denied");
    await assertNetError(() => confined.datagramSocket(sw, udp("10.0.0.1", 80)), "permission_denied");
    assertEquals(log, []);
  }));

test("restrict() does not dial an unspecified address that a name has: it would be this host", () =>
  inWorld(memoryNet(), async (world) => {
    const { sw, net, names } = world;
    const policy = { connect: ["api.example.com:443"], deny: ["127.0.0.0/8", "::1"] };
    for (const ip of ["0.0.0.0", "::", "::ffff:0.0.0.0"]) {
      names.set("api.example.com", [[ip]]);
      for (const confined of [restrict(net, policy), restrict(restrict(net, policy), { connect: ["*:*"] })]) {
        await assertNetError(() => confined.connect(sw, api), "permission_denied");
      }
    }
    assertEquals(dialled(world), []);
  }));

test("restrict() does not let a denied port deny lookups", () =>
  inWorld(memoryNet(), async ({ net }) => {
    const confined = restrict(net, { connect: ["*:*"], deny: ["*:25"] });
    assertEquals(await collect(confined, "api.example.com"), [[publicIp]]);
  }));

test("restrict() looks up only what lookup grants, also to connect", () =>
  inWorld(memoryNet(), async ({ sw, net, log }) => {
    const connect = ["api.example.com:443", "10.0.0.0/8:*"];
    const byDefault = restrict(net, { connect });
    await byDefault.getAddrInfo("api.example.com");
    await byDefault.getAddrInfo("10.0.0.1");
    await byDefault.getNameInfo(tcp("10.0.0.1", 1));
    await assertNetError(() => byDefault.getAddrInfo("x.api.example.com"), "permission_denied");
    await assertNetError(() => byDefault.getNameInfo(tcp("11.0.0.1", 1)), "permission_denied");
    log.length = 0;
    const without = restrict(net, { connect, lookup: [] });
    await assertNetError(() => without.connect(sw, api), "permission_denied");
    await assertNetError(() => without.getAddrInfo("api.example.com"), "permission_denied");
    const other = restrict(net, { lookup: ["*.example.com"] });
    await other.getServices("_http._tcp.example.com");
    await assertNetError(() => other.connect(sw, api), "permission_denied");
    assertEquals(log, ["services _http._tcp.example.com"]);
  }));

test("restrict() does not ask about a name that is invalid", () =>
  inWorld(memoryNet(), async ({ net, log }) => {
    const confined = restrict(net, { lookup: ["*"] });
    for (const name of ["127.1", "a b", "\0"]) {
      const error = await assertNetError(() => confined.getAddrInfo(name), "address_lookup_failed");
      assertEquals(error.lookupCode, "NONAME");
      await assertNetError(() => collect(confined, name), "address_lookup_failed");
      await assertNetError(() => confined.getServices(name), "address_lookup_failed");
    }
    const below = restrict(net, { lookup: ["*.example.com"] });
    await assertNetError(() => below.getAddrInfo("127.0.0.1\0.example.com"), "permission_denied");
    assertEquals(log, []);
  }));

test("restrict() filters the answers of lookups", () =>
  inWorld(memoryNet(), async ({ net, names }) => {
    names.set("mixed.example", [["10.0.0.1", publicIp, "::1", "2606:4700::1"]]);
    const confined = restrict(net, { lookup: ["*"], addresses: "public" });
    assertEquals((await confined.getAddrInfo("mixed.example")).map(({ ip }) => ip.text), [publicIp, "2606:4700::1"]);
    assertEquals(await collect(confined, "mixed.example"), [[publicIp], ["2606:4700::1"]]);
    names.set("private.example", [["10.0.0.1"]]);
    await assertDenied(() => confined.getAddrInfo("private.example"), 'Cannot look up "private.example"');
    await assertDenied(() => collect(confined, "private.example"), 'Cannot look up "private.example"');
  }));

test("restrict() judges answers as they come, and keeps the early start of the first family", async () => {
  const provider = new FakeProvider();
  const clock = provider.clock;
  await Switch.run(async (sw) => {
    const net = restrict(createNet(provider), { connect: ["a.example:80"], deny: ["10.0.0.0/8"] });
    const connecting = net.connect(sw, hostAddress("a.example", 80));
    await microtasks();
    provider.found([IpAddress.parse("2001:db8::1"), IpAddress.parse("64:ff9b::a00:1")]);
    await microtasks();
    assertEquals(provider.targets, ["tcp:[2001:db8::1]:80"]);
    provider.lookups[0].succeed([IpAddress.parse("10.0.0.1"), IpAddress.parse("192.0.2.1")]);
    await microtasks();
    clock.setTime(250);
    await microtasks();
    assertEquals(provider.targets.slice(1), ["tcp:192.0.2.1:80"]);
    provider.connects[1].succeed(new FakeStream(tcp("192.0.2.9", 1), tcp("192.0.2.1", 80)));
    assertEquals(formatAddress((await connecting).peer), "tcp:192.0.2.1:80");
    assertEquals(provider.lookups.length, 1);
  });
});

test("restrict() closes a connection whose peer is not the address that was judged", () =>
  inWorld(memoryNet(), async ({ sw, net }) => {
    let closed = 0;
    const elsewhere = wrapNet(net, {
      connect: async (next) => wrapConnection(await next({ closed: () => closed++ }), { peer: tcp("10.0.0.1", 443) }),
    });
    for (const target of [api, tcp(publicIp, 443)]) {
      const error = await assertRejects(
        () => restrict(elsewhere, { connect: ["*:443"] }).connect(sw, target),
        NetError,
      );
      assertEquals(error.code, "permission_denied");
    }
    assertEquals(closed, 2);
  }));

test("restrict() takes the mapped form of a peer for the address", () =>
  inWorld(memoryNet(), async ({ sw, net }) => {
    const mapped = wrapNet(net, {
      connect: async (next) => wrapConnection(await next(), { peer: tcp(`::ffff:${publicIp}`, 443) }),
    });
    await (await restrict(mapped, { connect: [`${publicIp}:443`] }).connect(sw, tcp(publicIp, 443))).close();
  }));

for (const [name, make] of Object.entries(networks)) {
  test(`restrict() over ${name} listens and binds only where it may, at port 0 as at any`, () =>
    Switch.run(async (sw) => {
      const net = restrict(make(), { listen: ["127.0.0.1:0"], bind: ["127.0.0.1:*"], connect: ["127.0.0.1:*"] });
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      await assertNetError(() => net.listen(sw, tcp("127.0.0.2", 0)), "permission_denied");
      await assertNetError(() => net.listen(sw, tcp("127.0.0.1", listener.address.port)), "permission_denied");
      const socket = await net.datagramSocket(sw, udp("127.0.0.1", 0));
      await assertNetError(() => socket.send(bytesOf("x"), socket.local), "permission_denied");
      const flow = await net.connect(sw, listener.address, { bindTo: tcp("127.0.0.1", 0) });
      await flow.close();
      const free = restrict(make(), { connect: ["127.0.0.1:*"] });
      await assertNetError(
        () => free.connect(sw, listener.address, { bindTo: tcp("127.0.0.1", 0) }),
        "permission_denied",
      );
    }));

  test(`restrict() over ${name} judges each datagram, and receives any`, () =>
    Switch.run(async (sw) => {
      const open = make();
      const peer = await open.datagramSocket(sw, udp("127.0.0.1", 0));
      const net = restrict(open, { send: [`127.0.0.1:${peer.local.port}`] });
      const socket = await net.datagramSocket(sw, "udp4");
      await socket.send(bytesOf("in"), peer.local);
      const { from } = await peer.recv(new Uint8Array(9));
      const stranger = await open.datagramSocket(sw, udp("127.0.0.1", 0));
      await stranger.send(bytesOf("out"), udp("127.0.0.1", from.transport === "udp" ? from.port : 0));
      assertEquals((await socket.recv(new Uint8Array(9))).size, 3);
      await assertNetError(() => socket.send(bytesOf("x"), stranger.local), "permission_denied");
      const connected = await net.datagramSocket(sw, "udp4", { remote: peer.local });
      await connected.send(bytesOf("x"));
      await assertNetError(() => net.datagramSocket(sw, "udp4", { remote: stranger.local }), "permission_denied");
    }));
}

test("restrict() judges the options that choose a group, an interface or a port", () =>
  inWorld(memoryNet(), async ({ sw, net, log }) => {
    const confined = restrict(net, { bind: ["127.0.0.1:*", "239.1.2.3:5000"] });
    const socket = await confined.datagramSocket(sw, udp("127.0.0.1", 0));
    const set = (name: string, value: unknown) =>
      Promise.resolve().then(() => socket.setOption(name as "SO_BROADCAST", value as never));
    await set("SO_BROADCAST", true);
    await set("IP_MULTICAST_IF", "127.0.0.1");
    for (
      const [name, value] of [
        ["IP_MULTICAST_IF", "127.0.0.2"],
        ["IPV6_MULTICAST_IF", "lo"],
        ["IP_ADD_MEMBERSHIP", { group: "239.1.2.3" }], // another port
        ["IP_ADD_SOURCE_MEMBERSHIP", { group: "239.1.2.3", source: "10.0.0.1" }],
        ["IPV6_JOIN_GROUP", { group: "ff02::1" }],
        ["IP_LOCAL_PORT_RANGE", [1, 2]],
        ["IP_FREEBIND", true],
        ["SO_DONTROUTE", true],
      ] as const
    ) {
      const error = await assertNetError(() => set(name, value), "permission_denied");
      assertEquals([error.operation, error.address], ["setOption", name]);
    }
    assertEquals(log, ["bind udp:127.0.0.1:0", "setOption SO_BROADCAST", "setOption IP_MULTICAST_IF"]);
    const grouped = restrict(net, { bind: ["127.0.0.1:*", "239.1.2.3:*"] });
    const member = await grouped.datagramSocket(sw, udp("127.0.0.1", 0), {
      socketOptions: { IP_ADD_MEMBERSHIP: { group: "239.1.2.3" } },
    });
    member.setOption("IP_ADD_MEMBERSHIP", { group: "239.1.2.3", interface: "127.0.0.1" });
    const outside = () => member.setOption("IP_ADD_MEMBERSHIP", { group: "239.1.2.3", interface: "127.0.0.2" });
    await assertNetError(() => Promise.resolve().then(outside), "permission_denied");
  }));

test("restrict() judges the copy of an option that is set", () =>
  inWorld(memoryNet(), async ({ sw, net, log }) => {
    const socket = await restrict(net, { bind: ["239.1.2.3:*"] }).datagramSocket(sw, "udp4");
    let reads = 0;
    const changing = {
      get group() {
        return reads++ === 0 ? "239.1.2.3" : "224.0.0.251";
      },
    };
    socket.setOption("IP_ADD_MEMBERSHIP", changing);
    assertEquals([reads, log.at(-1)], [1, "setOption IP_ADD_MEMBERSHIP"]);
  }));

test("restrict() sets the options of one IP version only on connections of that version", async () => {
  const provider = new FakeProvider();
  await Switch.run(async (sw) => {
    const net = restrict(createNet(provider), { connect: ["a.example:80"] });
    const connecting = net.connect(sw, hostAddress("a.example", 80), { socketOptions: { IP_TOS: 4, IPV6_TCLASS: 8 } });
    await microtasks();
    provider.lookups[0].succeed([IpAddress.parse("192.0.2.1")]);
    await microtasks();
    const stream = new FakeStream(tcp("192.0.2.9", 1), tcp("192.0.2.1", 80));
    provider.connects[0].succeed(stream);
    await connecting;
    assertEquals(stream.settings.calls, ["IP_TOS 4"]);
  });
});

test("restrict() twice is an intersection, in either order, through other wrappers", () =>
  inWorld(memoryNet(), async (world) => {
    const { sw, net, names } = world;
    names.set("a.example.com", [["10.0.0.1", publicIp]]);
    names.set("b.example.com", [["10.0.0.2"]]);
    const policies = [
      { connect: ["*.example.com:443", "8.8.8.8:*"], lookup: ["*.example.com"] },
      { connect: ["*:443"], deny: ["10.0.0.0/8"] },
    ];
    for (const [inside, outside] of [policies, [...policies].reverse()]) {
      world.log.length = 0;
      const through = (inner: Net) => wrapNet(inner, { connect: (next) => next({ closed: () => {} }) });
      const confined = restrict(through(restrict(net, inside)), outside);
      await (await confined.connect(sw, hostAddress("a.example.com", 443))).close();
      await (await confined.connect(sw, tcp("8.8.8.8", 443))).close();
      const denied = [
        hostAddress("b.example.com", 443),
        hostAddress("a.example.com", 80),
        tcp("8.8.8.8", 80),
        tcp("1.1.1.1", 443),
      ];
      for (const target of denied) {
        await assertDenied(() => confined.connect(sw, target), `Cannot connect to ${formatAddress(target)}`);
      }
      assertEquals(dialled(world), [`tcp:${publicIp}:443`, "tcp:8.8.8.8:443"]);
      assertEquals(world.log.filter((line) => line === "lookup a.example.com").length, 1);
    }
  }));

/** A listener that answers for the names of a network in memory, and what each connection reached. */
function withService<T>(use: (sw: Switch, net: Net, reached: string[]) => Promise<T>): Promise<T> {
  const hosts = {
    "api.example.com": ["192.0.2.7", "192.0.2.8"],
    "mixed.example": ["10.0.0.1", "192.0.2.7"],
    "other.example": ["192.0.2.7"],
  };
  const reached: string[] = [];
  const open = memoryNet({ hosts });
  const net = wrapNet(open, {
    connect(next, target) {
      reached.push(formatAddress(target));
      return next();
    },
  });
  return Switch.run(async (sw) => {
    for (const port of [80, 443]) await open.listen(sw, tcp("192.0.2.7", port));
    return await use(sw, net, reached);
  });
}

test("withTcpConnect() over restrict() reaches a granted name, at the addresses that were judged", () =>
  withService(async (_, net, reached) => {
    const policy: NetPolicy = { connect: ["api.example.com:443", "mixed.example:443"], deny: ["10.0.0.0/8"] };
    for (const confined of [restrict(net, policy), restrict(restrict(net, policy), policy)]) {
      for (const host of ["api.example.com", "API.Example.com.", "mixed.example"]) {
        reached.length = 0;
        const peer = await withTcpConnect(confined, { host, service: 443 }, ({ peer }) => peer);
        assertEquals(peer, tcp("192.0.2.7", 443));
        assertEquals(reached, ["tcp:192.0.2.7:443"]);
      }
      await assertNetError(
        () => withTcpConnect(confined, { host: "api.example.com", service: 80 }, () => {}),
        "permission_denied",
      );
      await assertNetError(
        () => withTcpConnect(confined, { host: "other.example", service: 443 }, () => {}),
        "permission_denied",
      );
    }
  }));

test("connectAny() over restrict() reaches what addresses() has found for a granted name", () =>
  withService(async (sw, net) => {
    const policy: NetPolicy = { connect: ["api.example.com:443"] };
    async function* at(confined: Net, port: number) {
      for await (const ips of confined.addresses("api.example.com")) yield ips.map((ip) => tcp(ip, port));
    }
    for (const confined of [restrict(net, policy), restrict(wrapNet(restrict(net, policy), {}), policy)]) {
      assertEquals((await connectAny(confined, sw, at(confined, 443))).peer, tcp("192.0.2.7", 443));
      await assertNetError(() => connectAny(confined, sw, at(confined, 80)), "permission_denied");
    }
  }));

test("restrict() grants an address that was found for a name as that very object, and to that network", () =>
  withService(async (sw, net, reached) => {
    const confined = restrict(net, { connect: ["api.example.com:443"] });
    const [{ ip }] = await confined.getAddrInfo("api.example.com");
    const [raw] = await net.getAddrInfo("api.example.com");
    assertEquals((await confined.connect(sw, { transport: "tcp", ip, port: 443 })).peer, tcp("192.0.2.7", 443));
    const twin = restrict(net, { connect: ["api.example.com:443"] });
    const outside = restrict(confined, { connect: ["api.example.com:443"] });
    for (
      const connecting of [
        () => confined.connect(sw, tcp(ip, 80)),
        () => confined.connect(sw, tcp(ip.text, 443)),
        () => confined.connect(sw, tcp(IpAddress.fromBytes(ip.bytes), 443)),
        () => confined.connect(sw, tcp(raw.ip, 443)),
        () => twin.connect(sw, tcp(ip, 443)),
        () => outside.connect(sw, tcp(ip, 443)),
      ]
    ) await assertNetError(connecting, "permission_denied");
    assertEquals(reached, ["tcp:192.0.2.7:443"]);
  }));

test("restrict() judges an address that was found for a name again, by the name and by the address", () =>
  withService(async (sw, net) => {
    const policy: NetPolicy = { connect: ["*:443"], lookup: ["*"], deny: ["api.example.com:443", "192.0.2.8:443"] };
    const confined = restrict(net, policy);
    const [found] = await confined.getAddrInfo("api.example.com");
    await assertNetError(() => confined.connect(sw, tcp(found.ip, 443)), "permission_denied");
    const other = restrict(net, { connect: ["192.0.2.7:443"], lookup: ["api.example.com"], deny: ["192.0.2.8:443"] });
    const [granted, denied] = await other.getAddrInfo("api.example.com", { type: "stream" });
    await other.connect(sw, tcp(granted.ip, 443)); // by the rule for the address
    await assertNetError(() => other.connect(sw, tcp(denied.ip, 443)), "permission_denied");
  }));

test("restrict() denies a local address that stands for denied ones", () =>
  inWorld(memoryNet(), async ({ sw, net }) => {
    const every = ["0.0.0.0", "::", "::ffff:0.0.0.0"];
    const cases: [deny: string, denied: string[]][] = [
      ["127.0.0.1", every],
      ["127.0.0.0/9", every],
      ["0.0.0.0/1", every],
      ["127.0.0.1:53", every],
      ["::ffff:127.0.0.0/104", every],
      [ownIp, every],
      [`[::ffff:${ownIp}]:53`, every],
      ["[::1]", ["::"]],
      ["::/0", ["::"]],
      ["127.0.0.1:54", []],
      ["169.254.169.254", []],
      ["93.184.216.98", []],
      ["[fd00::1]", []],
      ["local.example", []],
      ["unix:/run/x", []],
    ];
    for (const [deny, denied] of cases) {
      const reasons: string[] = [];
      const onDenied = ({ rule, reason }: NetDenial) => void reasons.push(`${rule}: ${reason}`);
      const confined = restrict(net, { listen: ["*:*"], bind: ["*:*"], deny: [deny], onDenied });
      for (const ip of every) {
        const openings = [() => confined.listen(sw, tcp(ip, 53)), () => confined.datagramSocket(sw, udp(ip, 53))];
        for (const open of openings) {
          const outcome = await outcomeOf(async () => await (await open()).close());
          const code = outcome instanceof NetError ? outcome.code : undefined;
          assertEquals(code, denied.includes(ip) ? "permission_denied" : undefined, `${deny}: ${ip}`);
        }
      }
      assertEquals(reasons.length, 2 * denied.length);
      for (const reason of reasons) assert(reason.startsWith(`${deny}: `), reason);
    }
    const granted = restrict(net, { listen: ["*:*"], deny: ["127.0.0.1"] });
    await (await granted.listen(sw, tcp("127.0.0.2", 53))).close();
  }));

test("restrict() denies an unspecified address that may stand for a denied one, where the runtime does not tell", () =>
  inWorld(memoryNet(), async ({ sw, net }) => {
    setOwnAddresses(net, () => undefined);
    const confined = restrict(net, { listen: ["*:*"], deny: ["192.0.2.1"] });
    await assertNetError(() => confined.listen(sw, tcp("0.0.0.0", 53)), "permission_denied");
    await assertNetError(() => confined.listen(sw, tcp("::", 53)), "permission_denied");
    const six = restrict(net, { listen: ["*:*"], deny: ["[2001:db8::1]"] });
    await (await six.listen(sw, tcp("0.0.0.0", 53))).close();
    await assertNetError(() => six.listen(sw, tcp("::", 53)), "permission_denied");
  }));

test("restrict() of a network that lies about a granted name reaches nothing else through a confined one", () =>
  inWorld(memoryNet(), async (world) => {
    const { sw, net } = world;
    const granted = restrict(net, { connect: ["api.example.com:443"] });
    for await (const _ of granted.addresses("api.example.com")); // an answer of its own does not help
    const lying: Net = {
      ...granted,
      async *addresses() {
        yield await Promise.resolve([IpAddress.parse("10.0.0.5")]);
      },
    };
    for (
      const own of [
        restrict(lying, { connect: ["*:*"] }),
        restrict(restrict(lying, { connect: ["*:*"] }), { connect: ["*:*"] }),
      ]
    ) {
      await assertNetError(() => own.connect(sw, api), "permission_denied");
    }
    assertEquals(dialled(world), []);
  }));

test("restrict() is abandoned by cancelling, whether it looks up or connects", async () => {
  const provider = new FakeProvider();
  await Switch.run(async (sw) => {
    const net = restrict(createNet(provider), { connect: ["a.example:80"] });
    await first(() => net.connect(sw, hostAddress("a.example", 80)), () => yieldNow());
    assertEquals(provider.lookups.map(({ cancels }) => cancels), [1]);
    await first(() => net.connect(sw, hostAddress("a.example", 80)), async () => {
      await microtasks();
      provider.lookups[1].succeed([IpAddress.parse("192.0.2.1")]);
      await yieldNow();
    });
    assertEquals(provider.connects.map(({ cancels }) => cancels), [1]);
  });
});

test("restrict() counts the lookup in the timeout of a connect", async () => {
  const provider = new FakeProvider();
  await Switch.run(async (sw) => {
    const net = restrict(createNet(provider), { connect: ["a.example:80"] });
    const connecting = assertNetError(
      () => net.connect(sw, hostAddress("a.example", 80), { timeout: 100 }),
      "connection_timeout",
    );
    await microtasks();
    provider.clock.setTime(100);
    const { message } = await connecting;
    assert(message.startsWith("Cannot connect to host:a.example:80: connection timeout"), message);
  });
});

test("publicOnly() denies the addresses of this host, which are read again after 5 s", async () => {
  const provider = new FakeProvider();
  let own = ["192.0.2.1"];
  const host = Object.assign(provider, { ownAddresses: () => own.map((ip) => IpAddress.parse(ip)) });
  await Switch.run(async (sw) => {
    const net = publicOnly(wrapNet(createNet(host), {}));
    const to = async (ip: string) => {
      const count = provider.connects.length;
      const connecting = outcomeOf(() => net.connect(sw, tcp(ip, 80)));
      await microtasks();
      if (provider.connects.length > count) provider.connects[count].fail(new Error("Cannot connect"));
      return (await connecting as NetError).code;
    };
    own = ["9.9.9.9", "::1", "fe80::1%eth0"];
    for (const ip of ["9.9.9.9", "::ffff:9.9.9.9", "64:ff9b::9.9.9.9"]) assertEquals(await to(ip), "permission_denied");
    for (const ip of ["9.9.9.8", "64:ff9b::9.9.9.8"]) assertEquals(await to(ip), "unknown");
    own = ["9.9.9.8"];
    provider.clock.setTime(5000);
    assertEquals([await to("9.9.9.9"), await to("9.9.9.8")], ["unknown", "permission_denied"]);
  });
});

test("publicOnly() closes a connection to this host where the runtime does not tell its addresses", async () => {
  const provider = new FakeProvider();
  const host = Object.assign(provider, { ownAddresses: () => undefined });
  await Switch.run(async (sw) => {
    const connecting = outcomeOf(() => publicOnly(createNet(host)).connect(sw, tcp("9.9.9.9", 80)));
    await microtasks();
    const stream = new FakeStream(tcp("9.9.9.9", 4000), tcp("9.9.9.9", 80));
    provider.connects[0].succeed(stream);
    assertEquals((await connecting as NetError).code, "permission_denied");
    assertEquals(stream.state, "aborted");
  });
});

test("publicOnly() reaches public hosts by TCP and UDP", () =>
  inWorld(memoryNet({ clock: mockClock() }), async (world) => {
    const net = publicOnly(world.net);
    for (const target of [api, tcp("8.8.8.8", 22), tcp("2606:4700::1111", 80), tcp("64:ff9b::808:808", 80)]) {
      const flow = await net.connect(world.sw, target);
      flow.abort();
    }
    const socket = await net.datagramSocket(world.sw, "udp4");
    await socket.send(bytesOf("x"), udp("8.8.8.8", 53));
    assertEquals(await collect(net, "api.example.com"), [[publicIp]]);
    await net.getNameInfo(tcp("8.8.8.8", 53));
  }));

test("a confined network can be looked at, and not changed", () => {
  const net = restrict(memoryNet(), {});
  assert(Object.isFrozen(net));
  assertEquals(net.features, memoryNet().features);
});

test("restrict() connects and sends to no unspecified address, as that is this host", () =>
  inWorld(memoryNet(), async ({ sw, net, log }) => {
    const confined = restrict(net, { connect: ["*:*"], send: ["*:*"], deny: ["127.0.0.0/8", "[::1]"] });
    const socket = await confined.datagramSocket(sw, "udp6");
    for (const ip of ["0.0.0.0", "::", "::ffff:0.0.0.0"]) {
      await assertNetError(() => confined.connect(sw, tcp(ip, 80)), "permission_denied");
      await assertNetError(() => socket.send(bytesOf("x"), udp(ip, 80)), "permission_denied");
    }
    assertEquals(log, ["bind udp6"]);
  }));

test("restrict() closes what the system has bound to a port that is denied", async () => {
  await Switch.run(async (sw) => {
    const confined = restrict(memoryNet(), { listen: ["*:*"], bind: ["*:*"], deny: ["*:32768"] });
    await assertDenied(() => confined.listen(sw, tcp("127.0.0.1", 0)), "Cannot listen on tcp:127.0.0.1:0");
    await assertDenied(() => confined.datagramSocket(sw, udp("127.0.0.1", 0)), "Cannot bind to udp:127.0.0.1:0");
    assertEquals([openCounts().listeners, openCounts().sockets], [0, 0]);
  });
});
