// Copyright 2026 the Sluice authors. MIT license.

/**
 * A plug-in that may reach one API host, and tries to reach everything else. It prints a table of
 * what it tried and what it got.
 *
 *     deno run --allow-net examples/confined_plugin.ts
 *     bun examples/confined_plugin.ts
 *     node examples/confined_plugin.ts
 *
 * The API is a server on loopback that is granted by its name, `localhost`. The last line says how
 * many attempts got anywhere: none.
 */
import process from "node:process";
import {
  copyString,
  type Env,
  hostAddress,
  IpAddress,
  type Net,
  NetError,
  readAll,
  run,
  Switch,
  tcp,
  udp,
  unix,
} from "@sluice/io";
import { restrict } from "@sluice/io/net/confine";

/** Hosts that lead, or could lead, to this machine or its network, in many spellings. */
const hosts: readonly string[] = [
  ...["127.0.0.1", "127.127.127.127", "0x7f000001", "0x7f.0x0.0x0.0x1", "0177.0.0.1", "127.1", "0", "0.0.0.0"],
  ...["2130706433", "127.0.0.1.", "127.0.0.1..", "127。0。0。1", "１２７.0.0.1", " 127.0.0.1", "127.0.0.1\0.localhost"],
  ...["127.0.0.1\r\nx", "0251.0376.0251.0376", "7147006462", "425.510.425.510"],
  ...["169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "255.255.255.255", "240.0.0.1"],
  ...["198.18.0.1", "10.0.0.1", "192.168.0.1"],
  ...["::1", "0:0:0:0:0:0:0:1", "::", "::ffff:7f00:1", "::fFFf:169.254.169.254", "::ffff:0:127.0.0.1"],
  ...["64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%eth0", "fec0::1", "2001:db8::5efe:7f00:1", "[::1]", "::1%25lo"],
  ...["fd00:ec2::254", "3fff::1", "foo.localhost", "localhost.evil.example", "xlocalhost", "lоcalhost"],
  ...["metadata.google.internal", "kubernetes.default.svc", "*", "*.localhost", "localhost#x", "http://localhost"],
];

/** One thing to try: it resolves only if it got somewhere. */
type Attempt = readonly [what: string, run: () => Promise<unknown>];

/** Asks the API, as the plug-in may. */
async function askApi(sw: Switch, net: Net, port: number): Promise<string> {
  const flow = await net.connect(sw, hostAddress("localhost", port));
  const answer = await readAll(flow);
  await flow.close();
  return new TextDecoder().decode(answer);
}

/** Everything that the plug-in tries, with nothing but the network that it was given. */
function attempts(sw: Switch, net: Net, port: number): Attempt[] {
  const host = (name: string, port: number) => ({ transport: "host", name, port }) as const;
  return [
    ...hosts.flatMap((name): Attempt[] => [
      [`connect to ${name}`, () => net.connect(sw, host(name, port))],
      [`look up ${name}`, () => net.getAddrInfo(name)],
    ]),
    ["connect to another port", () => net.connect(sw, hostAddress("localhost", port === 80 ? 81 : 80))],
    ["connect to the address of the API", () => net.connect(sw, tcp("127.0.0.1", port))],
    ["connect with a port as text", () => net.connect(sw, host("localhost", String(port) as unknown as number))],
    ["connect from a chosen port", () => net.connect(sw, host("localhost", port), { bindTo: tcp("127.0.0.1", 7) })],
    [
      "connect with a resolver of its own",
      () => net.connect(sw, host("evil.example", port), { lookup: () => "127.0.0.1" } as object),
    ],
    ["connect to an abstract Unix socket", () => net.connect(sw, unix("\0docker"))],
    ["connect to a Unix path", () => net.connect(sw, unix("/run/docker.sock"))],
    ["adopt a descriptor", () => net.connect(sw, { fd: 1 } as never)],
    ["call a method as another network's", () => net.connect.call({} as Net, sw, tcp("127.0.0.1", port))],
    ["listen on every interface", () => net.listen(sw, tcp("0.0.0.0", 0))],
    ["bind a datagram socket", () => net.datagramSocket(sw, udp("127.0.0.1", 0))],
    [
      "send a datagram",
      async () => (await net.datagramSocket(sw, "udp4")).send(new Uint8Array(1), udp("127.0.0.1", 53)),
    ],
    [
      "join a multicast group",
      async () => (await net.datagramSocket(sw, "udp4")).setOption("IP_ADD_MEMBERSHIP", { group: "224.0.0.251" }),
    ],
    ["look up a secret as a name", () => net.getAddrInfo("c2VjcmV0.evil.example")],
    ["look up a service", () => net.getServices("_ldap._tcp.corp.example")],
    ["look up the name of an address", () => net.getNameInfo({ transport: "tcp", ip: IpAddress.loopback4, port })],
    ["copy the network", () => Promise.resolve().then(() => structuredClone(net))],
    ["widen the network", () => restrict(net, { connect: ["*:*"] }).connect(sw, tcp("127.0.0.1", port))],
  ];
}

/** Runs an attempt. Returns what the plug-in sees of the refusal, or `undefined` if it got somewhere. */
async function refusalOf(run: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return error instanceof NetError ? error.code : (error as Error).name;
  }
}

async function main({ net, stdout }: Env): Promise<void> {
  await Switch.run(async (sw) => {
    const server = await net.listen(sw, tcp("127.0.0.1", 0));
    const { port } = server.address;
    sw.forkDaemon(async () => {
      for (;;) {
        const flow = await server.accept(sw);
        await copyString("hello", flow);
        await flow.close();
      }
    });
    let denials = 0;
    const confined = restrict(net, { connect: [`localhost:${port}`], onDenied: () => denials++ });
    let reached = 0;
    for (const [what, attempt] of attempts(sw, confined, port)) {
      const refusal = await refusalOf(attempt);
      if (refusal === undefined) reached++;
      await copyString(`${JSON.stringify(what).slice(1, -1).padEnd(44)} ${refusal ?? "GOT SOMEWHERE"}\n`, stdout);
    }
    await copyString(`the API says ${await askApi(sw, confined, port)}\n`, stdout);
    await copyString(`the owner has heard of ${denials} denials; ${reached} attempts got anywhere\n`, stdout);
    if (reached > 0) process.exitCode = 1;
  });
}

await run(main);
