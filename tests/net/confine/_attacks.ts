// Copyright 2026 the Sluice authors. MIT license.

/** The attacks on a confined network: one table. */
import { inspect } from "node:util";
import { readFileSync } from "node:fs";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  all,
  hostAddress,
  IpAddress,
  type Net,
  NetError,
  type SocketOptionTypes,
  tcp,
  udp,
  unix,
  withTcpConnect,
} from "../../../mod.ts";
import {
  limit,
  meter,
  type NetDenial,
  type NetPolicy,
  publicOnly,
  restrict,
  revocable,
} from "../../../net/confine/mod.ts";
import { wrapNet } from "../../../net/wrap/mod.ts";
import { outcomeOf } from "../../_helpers.ts";
import { dialled, ownIp, plain, publicIp, tcpOf, type World } from "./_world.ts";

/** An attack: it fails if it gets anywhere. */
export type Attack = readonly [id: string, name: string, run: (world: World) => Promise<void>];

const policy: NetPolicy = { connect: ["api.example.com:443"], addresses: "public" };
const api = hostAddress("api.example.com", 443);

/** The network that may reach one API host, and the one that may reach any public host. */
function confined(world: World): Net[] {
  return [restrict(world.net, policy), publicOnly(world.net)];
}

/** Runs an operation that must be refused: as denied, or as no address at all. */
async function refused(operation: () => unknown): Promise<unknown> {
  const error = await outcomeOf(operation);
  const isRefusal = error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError ||
    (error instanceof NetError && ["permission_denied", "address_lookup_failed", "not_supported"].includes(error.code));
  assert(isRefusal, `not refused: ${inspect(error)}`);
  return error;
}

async function collect(net: Net, name: string): Promise<void> {
  for await (const _ of net.addresses(name)) assert(false, `${name} has addresses`);
}

/** Tries to reach `host` in every way; nothing may reach the network. */
async function tryEverything(world: World, host: string): Promise<void> {
  const { sw, log } = world;
  for (const net of confined(world)) {
    for (const port of [80, 443]) {
      const address = tcpOf(host, port);
      if (address !== undefined) {
        await refused(() => net.connect(sw, address));
        await refused(() => net.getNameInfo(address));
        const socket = await net.datagramSocket(sw, address.ip.version === 4 ? "udp4" : "udp6");
        await refused(() => socket.send(new Uint8Array(1), udp(address.ip, port)));
        await socket.close();
        await refused(() => net.datagramSocket(sw, "udp6", { remote: udp(address.ip, port) }));
      }
      await refused(() => net.connect(sw, hostAddress(host, port)));
      await refused(() => net.connect(sw, plain({ transport: "host", name: host, port })));
      await refused(() => withTcpConnect(net, { host, service: String(port) }, () => {}));
    }
    await refused(() => net.getAddrInfo(host));
    await refused(() => net.getServices(host));
    await refused(() => collect(net, host));
  }
  assertEquals(log.filter((line) => !line.startsWith("bind udp")), []);
}

const everything = (host: string) => (world: World) => tryEverything(world, host);

const literals: readonly (readonly [id: string, host: string])[] = [
  ["A1", "127.0.0.1"],
  ["A2", "127.127.127.127"],
  ["A4", "0x7f000001"],
  ["A5", "0x7f.0x0.0x0.0x1"],
  ["A7", "0177.0.0.1"],
  ["A8", "127.1"],
  ["A10", "0"],
  ["A11", "0.0.0.0"],
  ["A13", "127.0.0.1."],
  ["A14", "127.0.0.1.."],
  ["A16", "127。0。0。1"],
  ["A17", "１２７.0.0.1"],
  ["A19", " 127.0.0.1"],
  ["A20", "127.0.0.1\0.api.example.com"],
  ["A22", "127.0.0.1\r\nx"],
  ["A23", "0251.0376.0251.0376"],
  ["A25", "7147006462"],
  ["A26", "425.510.425.510"],
  ["A28", "169.254.169.254"],
  ["A29", "168.63.129.16"],
  ["A31", "192.0.0.192"],
  ["A32", "255.255.255.255"],
  ["A34", "240.0.0.1"],
  ["A35", "198.18.0.1"],
  ["A37", "0:0:0:0:0:0:0:1"],
  ["A38", "::"],
  ["A40", "::ffff:7f00:1"],
  ["A41", "::fFFf:169.254.169.254"],
  ["A43", "::ffff:0:127.0.0.1"],
  ["A44", "64:ff9b::7f00:1"],
  ["A46", "2002:7f00:1::"],
  ["A47", "2002:a9fe:a9fe::1"],
  ["A49", "fe80::1%eth0"],
  ["A50", "fec0::1"],
  ["A52", "2001:db8::5efe:7f00:1"],
  ["A52", "2a00:1450::5efe:7f00:1"],
  ["A52", "2a00:1450::200:5efe:7f00:1"],
  ["A53", "[::1]"],
  ["A55", "::1%25lo"],
  ["A56", "3fff::1"],
  ["A58", "localhost"],
  ["A59", "LOCALHOST"],
  ["A61", "foo.localhost"],
  ["A67", "аpi.example.com"],
  ["A71", "api.example.com#x"],
  ["A83", "intranet"],
  ["A101", ownIp],
];

/** Connects to the API under another spelling of its name. */
async function reachesApi(world: World, name: string): Promise<void> {
  const { sw, log } = world;
  const socket = await restrict(world.net, policy).connect(sw, hostAddress(name, 443));
  await socket.close();
  assertEquals(log, ["lookup api.example.com", `connect tcp:${publicIp}:443`]);
}

/** Tries to connect to names that a policy does not grant; none is looked up. */
async function notGranted(world: World, rules: readonly string[], ...names: readonly string[]): Promise<void> {
  const net = restrict(world.net, { connect: rules });
  for (const name of names) {
    await refused(() => net.connect(world.sw, plain({ transport: "host", name, port: 443 })));
    await refused(() => net.getAddrInfo(name));
    await refused(() => collect(net, name));
  }
  assertEquals(world.log, []);
}

/** Connects to a granted name whose answers are denied: it is looked up, and nothing is dialled. */
async function deniedAnswers(world: World, ...ips: readonly string[]): Promise<NetDenial[]> {
  const denials: NetDenial[] = [];
  world.names.set("api.example.com", [ips]);
  const net = restrict(world.net, { ...policy, onDenied: (denial) => void denials.push(denial) });
  const error = await assertRejects(() => net.connect(world.sw, api), NetError);
  assertEquals([error.code, error.cause, error.address], ["permission_denied", undefined, api]);
  assertEquals(world.log, ["lookup api.example.com"]);
  for (const ip of ips) assert(!inspect(error, { depth: 9, showHidden: true }).includes(ip));
  await refused(() => net.getAddrInfo("api.example.com"));
  await refused(() => collect(net, "api.example.com"));
  await refused(() => publicOnly(world.net).connect(world.sw, api));
  assertEquals(dialled(world), []);
  return denials;
}

/** All attacks of the list that concern a policy. */
export const attacks: readonly Attack[] = [
  ...literals.map(([id, host]) => [id, JSON.stringify(host), everything(host)] as const),
  ["A62", "a final dot is the same name", (world) => reachesApi(world, "api.example.com.")],
  ["A63", "capital letters are the same name", (world) => reachesApi(world, "API.EXAMPLE.COM")],
  [
    "A64",
    "a name that ends like a suffix",
    (world) => notGranted(world, ["*.api.example.com:443"], "evilapi.example.com"),
  ],
  [
    "A65",
    "a name that begins like a granted one",
    (world) => notGranted(world, ["api.example.com:443"], "api.example.com.evil.net"),
  ],
  ["A66", "a name with a letter more", (world) => notGranted(world, ["api.example.com:443"], "xapi.example.com")],
  [
    "A68",
    "the A-label of a homograph",
    (world) => notGranted(world, ["api.example.com:443"], "xn--pi-7kc.example.com"),
  ],
  ["A73", "the apex of a wildcard", (world) => notGranted(world, ["*.example.com:443"], "example.com", "Example.Com.")],
  [
    "A74",
    "a wildcard in the requested name",
    (world) => notGranted(world, ["*.example.com:443"], "*.example.com", "*", "_.example.org"),
  ],
  ["A76", "an answer with a private address among public ones", async (world) => {
    world.names.set("api.example.com", [["10.0.0.1", publicIp, "::1"]]);
    for (const net of confined(world)) await (await net.connect(world.sw, api)).close();
    assertEquals(dialled(world), Array(2).fill(`tcp:${publicIp}:443`));
    const found = await publicOnly(world.net).getAddrInfo("api.example.com");
    assertEquals(found.map(({ ip }) => ip.text), [publicIp]);
  }],
  ["A77", "a name that is rebound after the first lookup", async (world) => {
    world.names.set("api.example.com", [[publicIp], ["127.0.0.1"]]);
    await (await restrict(world.net, policy).connect(world.sw, api)).close();
    assertEquals(world.log, ["lookup api.example.com", `connect tcp:${publicIp}:443`]);
    await refused(() => restrict(world.net, policy).connect(world.sw, api));
    assertEquals(dialled(world).length, 1);
  }],
  ["A79", "an alias of an internal name", async (world) => void await deniedAnswers(world, "10.1.2.3")],
  [
    "A80",
    "mapped and translated answers",
    async (world) =>
      void await deniedAnswers(world, "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::"),
  ],
  ["A81", "an empty answer", async (world) => {
    world.names.set("api.example.com", [[]]);
    for (const net of confined(world)) {
      await assertRejects(() => net.connect(world.sw, api));
      await refused(() => net.getAddrInfo("api.example.com"));
    }
    assertEquals(dialled(world), []);
  }],
  ["A82", "500 answers", async (world) => {
    const denials = await deniedAnswers(world, ...Array.from({ length: 500 }, (_, i) => `10.0.${i >> 8}.${i & 255}`));
    assertEquals(denials.filter(({ operation }) => operation === "connect").length, 501);
  }],
  ["A85", "a resolver of the caller", async (world) => {
    let asked = 0;
    const lookup = () => asked++;
    const net = restrict(world.net, { ...policy, listen: ["*:*"] });
    const options = { lookup, resolver: lookup, host: "127.0.0.1", family: 4 };
    await (await net.connect(world.sw, api, options as object)).close();
    await refused(() => net.getAddrInfo("evil.example", options as object));
    await net.getAddrInfo("api.example.com", options as object);
    assertEquals(world.options.flatMap((given) => Object.keys(given)).filter((key) => key in options), []);
    assertEquals(asked, 0);
  }],
  ["A86", "a service whose host is internal", async (world) => {
    const net = publicOnly(world.net);
    const [{ name, port }] = await net.getServices("_https._tcp.example.com");
    await refused(() => net.connect(world.sw, hostAddress(name, port)));
    await refused(() => restrict(world.net, policy).getServices("_https._tcp.example.com"));
    assertEquals(dialled(world), []);
  }],
  ["A88", "another port", async (world) => {
    const net = restrict(world.net, policy);
    await refused(() => net.connect(world.sw, hostAddress("api.example.com", 444)));
    assertEquals(world.log, []);
  }],
  ["A89", "a port that is not a whole number", async (world) => {
    for (const net of confined(world)) {
      for (const port of ["443", 443.5, 443 + 65_536, NaN, { valueOf: () => 443 }, [443], 443n]) {
        await refused(() => net.connect(world.sw, plain({ transport: "host", name: "api.example.com", port })));
      }
    }
    assertEquals(world.log, []);
  }],
  ["A91", "a path instead of a port", async (world) => {
    for (const net of confined(world)) {
      for (const port of ["/run/docker.sock", "\0abstract", undefined, null]) {
        await refused(() => net.connect(world.sw, plain({ transport: "tcp", ip: IpAddress.parse(publicIp), port })));
        await refused(() => net.listen(world.sw, plain({ transport: "tcp", ip: IpAddress.any4, port })));
      }
    }
    assertEquals(world.log, []);
  }],
  ["A92", "Unix sockets", async (world) => {
    for (const net of [...confined(world), restrict(world.net, { connect: ["*:*"], listen: ["*:*"] })]) {
      for (const path of ["\0docker", "/run/docker.sock", "relative.sock"]) {
        await refused(() => net.connect(world.sw, unix(path)));
        await refused(() => net.listen(world.sw, unix(path)));
        await refused(() => net.datagramSocket(world.sw, unix(path)));
      }
    }
    assertEquals(world.log, []);
  }],
  ["A94", "a datagram to another address", async (world) => {
    const net = restrict(world.net, { send: ["8.8.8.8:53"] });
    const socket = await net.datagramSocket(world.sw, "udp4");
    await socket.send(new Uint8Array(1), udp("8.8.8.8", 53));
    for (const to of [udp("8.8.8.8", 54), udp("8.8.4.4", 53), udp("::ffff:127.0.0.1", 53), udp("0.0.0.0", 53)]) {
      await refused(() => socket.send(new Uint8Array(1), to));
      await refused(() => net.datagramSocket(world.sw, "udp4", { remote: to }));
    }
    assertEquals(world.log, ["bind udp4", "send udp:8.8.8.8:53"]);
  }],
  ["A95", "listening and binding", async (world) => {
    for (const net of confined(world)) {
      for (const ip of ["0.0.0.0", "::", "127.0.0.1"]) {
        await refused(() => net.listen(world.sw, tcp(ip, 0)));
        await refused(() => net.datagramSocket(world.sw, udp(ip, 0)));
        await refused(() => net.connect(world.sw, api, { bindTo: tcp(ip, 0) }));
      }
    }
    assertEquals(world.log, []);
  }],
  ["A97", "joining a group", async (world) => {
    const group: SocketOptionTypes["IP_ADD_MEMBERSHIP"] = { group: "224.0.0.251" };
    const options = { IP_ADD_MEMBERSHIP: group, IPV6_JOIN_GROUP: { group: "ff02::fb" }, IP_MULTICAST_IF: "127.0.0.1" };
    for (const net of [...confined(world), restrict(world.net, { send: ["*:*"] })]) {
      const socket = await net.datagramSocket(world.sw, "udp4");
      for (const [name, value] of Object.entries(options)) {
        await refused(() => socket.setOption(name as "IP_ADD_MEMBERSHIP", value as typeof group));
        await refused(() => net.datagramSocket(world.sw, "udp4", { socketOptions: { [name]: value } }));
      }
    }
    assertEquals(world.log, Array(3).fill("bind udp4"));
  }],
  ["A98", "the descriptor of an open socket", async (world) => {
    const net = restrict(world.net, { connect: ["*:443"], listen: ["127.0.0.1:0"], send: ["*:*"] });
    await refused(() => net.connect(world.sw, plain({ fd: 3 })));
    const options = { fd: 3, handle: {}, _handle: {} };
    await (await net.connect(world.sw, api, options as object)).close();
    await (await net.connect(world.sw, tcp(publicIp, 443), options as object)).close();
    await net.listen(world.sw, tcp("127.0.0.1", 0), options as object);
    await net.datagramSocket(world.sw, "udp4", options as object);
    assertEquals(world.options.flatMap((given) => Object.keys(given)).filter((key) => key in options), []);
  }],
  ["A100", "a proxy is a grant of its own reach, and of nothing beside it", async (world) => {
    world.names.set("proxy.example.com", [[publicIp]]);
    const net = restrict(world.net, { connect: ["proxy.example.com:3128"] });
    await (await net.connect(world.sw, hostAddress("proxy.example.com", 3128))).close();
    await refused(() => net.connect(world.sw, api));
    assertEquals(dialled(world), [`tcp:${publicIp}:3128`]);
  }],
  ["A103", "the policy is changed later", async (world) => {
    const rules = ["api.example.com:443"];
    const changing: NetPolicy & { connect: string[] } = { connect: rules, deny: [] };
    const net = restrict(world.net, changing);
    rules.push("*:*");
    changing.connect = ["*:*"];
    changing.listen = ["*:*"];
    await refused(() => net.connect(world.sw, tcp(publicIp, 80)));
    await refused(() => net.listen(world.sw, tcp("127.0.0.1", 0)));
    assertEquals(world.log, []);
  }],
  ["A104", "a policy that answers differently each time", async (world) => {
    const reads: string[] = [];
    const target = { connect: [] as string[] };
    const net = restrict(
      world.net,
      new Proxy(target, {
        get(_, key) {
          reads.push(String(key));
          return reads.length === 1 ? [] : ["*:*"];
        },
      }),
    );
    assertEquals(reads, ["connect"]);
    await refused(() => net.connect(world.sw, tcp(publicIp, 80)));
    assertEquals(reads, ["connect"]);
  }],
  ["A107", "built-ins that are changed: not promised, and said", () => {
    const text = readFileSync(new URL("../../../net/confine/restrict.ts", import.meta.url), "utf8");
    assert(/built-ins[^]{0,80}see SES/.test(text));
    return Promise.resolve();
  }],
  ["A109", "a constructor or a prototype that makes a wider network", (world) => {
    for (const net of confined(world)) {
      assert(Object.isFrozen(net));
      assertEquals([net.constructor, Object.getPrototypeOf(net)], [Object, Object.prototype] as unknown[]);
      for (const key of ["connect", "listen", "getAddrInfo"] as const) assertEquals(net[key].prototype, undefined);
    }
    return Promise.resolve();
  }],
  ["A110", "a method with another `this`", async (world) => {
    const narrow = restrict(world.net, policy);
    await refused(() => narrow.connect.call(world.net, world.sw, tcp(publicIp, 80)));
    await refused(() => Reflect.apply(narrow.listen, world.net, [world.sw, tcp("127.0.0.1", 0)]));
    assertEquals(world.log, []);
  }],
  ["A112", "a copy of a network", (world) => {
    for (const net of confined(world)) {
      assert(outcome(() => structuredClone(net)) instanceof Error);
      assertEquals(
        Object.keys(JSON.parse(JSON.stringify(net))).filter((key) => !["features", "clock"].includes(key)),
        [],
      );
    }
    return Promise.resolve();
  }],
  ["A113", "what reflection, inspection and errors show", async (world) => {
    const marked: Net = { ...world.net, ...{ secretMark: { inside: true } } };
    for (const net of [restrict(marked, { ...policy, deny: ["10.9.8.7"] }), publicOnly(marked)]) {
      const error = await outcomeOf(() => net.connect(world.sw, tcp("10.0.0.1", 80)));
      for (
        const value of [
          net,
          error,
          (error as Error).stack,
          ...Reflect.ownKeys(net).map((key) => net[key as keyof Net]),
        ]
      ) {
        const text = inspect(value, { showHidden: true, depth: Infinity, showProxy: true });
        assert(!/secretMark|10\.9\.8\.7|no rule|not public/.test(text), text);
      }
      assertEquals((error as Error).cause, undefined);
    }
  }],
  ["A115", "an address that is a thenable, or changes", async (world) => {
    let reads = 0;
    const changing = {
      transport: "tcp",
      ip: IpAddress.parse("127.0.0.1"),
      port: 443,
      get name() {
        return reads++ === 0 ? "api.example.com" : "localhost";
      },
      then: (resolve: (value: unknown) => void) => resolve(tcp(publicIp, 443)),
    };
    for (const net of confined(world)) await refused(() => net.connect(world.sw, changing as never));
    const name = { toString: () => reads++ % 2 === 0 ? "api.example.com" : "localhost" } as unknown as string;
    for (const net of confined(world)) {
      await refused(() => net.getAddrInfo(name));
      await refused(() => net.getServices(name));
      await refused(() => collect(net, name));
      await refused(() => net.connect(world.sw, plain({ transport: "host", name, port: 443 })));
    }
    assertEquals(world.log, []);
    const host = {
      transport: "host",
      port: 443,
      get name() {
        return changing.name;
      },
    };
    reads = 0;
    await (await restrict(world.net, policy).connect(world.sw, host as never)).close();
    assertEquals([reads, dialled(world)], [1, [`tcp:${publicIp}:443`]]);
  }],
  ["A116", "the way from a flow back to the network", async (world) => {
    const socket = await restrict(world.net, policy).connect(world.sw, api);
    const members = Reflect.ownKeys(socket).map((key) => (socket as unknown as Record<PropertyKey, unknown>)[key]);
    assert(members.every((member) => typeof member === "function"));
    assert(!("net" in socket) && !("constructor" in Object.getPrototypeOf(socket) && socket.constructor !== Object));
    await socket.close();
  }],
  ["A118", "confined callers side by side", async (world) => {
    world.names.set("other.example.com", [[publicIp]]);
    const other = hostAddress("other.example.com", 443);
    const [one, two] = [policy, { connect: ["other.example.com:443"] }].map((each) => restrict(world.net, each));
    const tries = [[one, api], [two, other], [one, other], [two, api]] as const;
    const outcomes = await all(tries.map(([net, target]) => () =>
      outcomeOf(async () => {
        await (await net.connect(world.sw, target)).close();
        return "connected";
      })
    ));
    assertEquals(outcomes.map((outcome) => outcome === "connected"), [true, true, false, false]);
  }],
  ["A119", "use after a revocation", async (world) => {
    const { net, revoke } = revocable(world.net);
    const derived = restrict(net, { ...policy, listen: ["127.0.0.1:0"], send: ["*:*"] });
    const flow = await derived.connect(world.sw, api);
    const socket = await derived.datagramSocket(world.sw, "udp4");
    const listener = await derived.listen(world.sw, tcp("127.0.0.1", 0));
    const accepting = refused(() => listener.accept(world.sw));
    const connecting = refused(() => derived.connect(world.sw, api));
    const looking = refused(() => derived.getAddrInfo("api.example.com"));
    const reading = refused(() => flow.read(new Uint8Array(1)));
    revoke();
    await Promise.all([accepting, connecting, looking, reading]);
    const reached = world.log.length;
    await refused(() => flow.write(new Uint8Array(1)));
    await refused(() => socket.send(new Uint8Array(1), udp("8.8.8.8", 53)));
    await refused(() => listener.accept(world.sw));
    await refused(() => derived.connect(world.sw, api));
    await refused(() => collect(derived, "api.example.com"));
    assertEquals(world.log.length, reached);
  }],
  ["A121", "100 connects at once with a quota of 10", async (world) => {
    const connectAll = async (net: Net) => {
      const outcomes = await all(
        Array.from({ length: 100 }, () => () => outcomeOf(() => net.connect(world.sw, tcp(publicIp, 443)))),
      );
      const errors = outcomes.filter((outcome) => outcome instanceof NetError);
      assert(errors.every(({ code }) => code === "quota_exceeded"));
      return 100 - errors.length;
    };
    assertEquals(await connectAll(limit(restrict(world.net, { connect: ["*:*"] }), { maxSockets: 10 })), 10);
    assertEquals(await connectAll(restrict(limit(world.net, { maxConnects: 10 }), { connect: ["*:*"] })), 10);
    assertEquals(dialled(world).length, 20);
  }],
  ["A122", "a place in a quota that is returned late, or twice", async (world) => {
    const net = limit(restrict(world.net, policy), { maxSockets: 1 });
    const exceeded = () => assertRejects(() => net.connect(world.sw, api), NetError, "quota exceeded");
    await refused(() => net.connect(world.sw, tcp("127.0.0.1", 443)));
    for (let i = 0; i < 2; i++) {
      const flow = await net.connect(world.sw, api);
      await exceeded();
      await Promise.all([flow.close(), flow.close()]);
      await flow.close();
    }
    await net.connect(world.sw, api);
    await exceeded();
  }],
  ["A124", "restricting twice does not widen", async (world) => {
    const wide: NetPolicy = { connect: ["*:*"], listen: ["*:*"], bind: ["*:*"], send: ["*:*"] };
    const through = (net: Net) => wrapNet(net, { connect: (next) => next({}) }); // a wrapper in between
    for (const [inside, outside] of [[policy, wide], [wide, policy]]) {
      const net = restrict(through(restrict(world.net, inside)), outside);
      await (await net.connect(world.sw, api)).close();
      for (const target of [tcp(publicIp, 443), hostAddress("api.example.com", 80), tcp("127.0.0.1", 443)]) {
        await refused(() => net.connect(world.sw, target));
      }
      await refused(() => net.listen(world.sw, tcp("127.0.0.1", 0)));
      await refused(() => net.getAddrInfo("other.example.com"));
    }
    assertEquals(dialled(world), Array(2).fill(`tcp:${publicIp}:443`));
  }],
  ["A125", "a network that is not the library's is confined too", async (world) => {
    const bare = { ...world.net };
    for (const net of [restrict(bare, policy), publicOnly(bare)]) {
      await refused(() => net.connect(world.sw, tcp("127.0.0.1", 443)));
    }
    assertEquals(world.log, []);
  }],
  ["A127", "a meter that overflows", async (world) => {
    const { net, usage } = meter(world.net);
    const huge = Number.MAX_SAFE_INTEGER;
    const lying: Net = {
      ...world.net,
      connect: async (owner, target) => {
        const flow = await world.net.connect(owner, target);
        const { local, peer } = flow;
        const close = () => flow.close();
        const read = () => Promise.resolve(huge);
        const shutdown = () => Promise.resolve();
        return { local, peer, read, write: read, shutdown, close, abort: () => flow.abort() } as unknown as typeof flow;
      },
    };
    const lied = meter(lying);
    const flow = await lied.net.connect(world.sw, tcp(publicIp, 443));
    for (let i = 0; i < 3; i++) await outcomeOf(() => flow.write(new Uint8Array(1)));
    assertEquals(lied.usage().bytesOut, huge);
    await net.connect(world.sw, tcp(publicIp, 443));
    assertEquals(usage().connects, 1);
  }],
];

function outcome(fn: () => unknown): unknown {
  try {
    return fn();
  } catch (error) {
    return error;
  }
}
