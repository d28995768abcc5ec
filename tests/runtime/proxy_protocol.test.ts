// Copyright 2026 the Sluice authors. MIT license.

/** The PROXY protocol against those who made it, and others. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  BufReader,
  type Connection,
  copyString,
  formatAddress,
  type Net,
  runServer,
  type StreamAddress,
  type StreamSocket,
  Switch,
  tcp,
  type TcpAddress,
} from "../../mod.ts";
import {
  type ProxyHeader,
  proxyHeaderOf,
  proxyProtocol,
  type ProxyTlv,
  writeProxyHeader,
} from "../../net/server/mod.ts";
import { tlsClient } from "../../net/tls/mod.ts";
import { bytesOf, readText, textOf, until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, signal, withNet } from "../net/_helpers.ts";
import { certificate, clientOptions, fixture } from "../net/tls/_helpers.ts";
import { Peer } from "./_peers.ts";
import { at, withHaproxy, withNginx } from "./_proxies.ts";

/** A connection as a server saw it. */
interface Seen {
  readonly peer: StreamAddress;
  readonly local: StreamAddress;
  /** The address of the proxy. */
  readonly socketPeer: StreamAddress;
  readonly header: ProxyHeader | undefined;
}

type Serve = (connection: Connection, seen: Seen) => unknown;

/** Runs `fn` with a server behind proxies on loopback, and checks that it reported no error. */
async function withBackend(
  serve: Serve,
  fn: (address: TcpAddress, sw: Switch, net: Net) => Promise<unknown>,
): Promise<void> {
  const errors: unknown[] = [];
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const stop = new AbortController();
    const server = sw.forkPromise(() =>
      runServer(listener, (socket: StreamSocket, socketPeer, scope) => {
        const handler = proxyProtocol(net.clock, { trusted: ["127.0.0.0/8"] }, (connection: Connection, peer) =>
          serve(connection, { peer, local: connection.local, socketPeer, header: proxyHeaderOf(connection) }));
        return handler(socket, socketPeer, scope);
      }, {
        onError: (error) =>
          errors.push(error),
        stop: stop.signal,
      })
    );
    await fn(listener.address, sw, net);
    stop.abort();
    await server;
  });
  assertEquals(errors, []);
}

/** Says which addresses it sees, and then what it reads. */
const tell: Serve = async (connection, { peer, local, header }) => {
  await copyString(`${formatAddress(peer)} ${formatAddress(local)} ${header?.version}\n`, connection);
  await copyString(await readText(connection), connection);
};

/** Connects to a proxy in front of {@linkcode tell}, and checks what that sees. */
async function checkThrough(net: Net, proxy: TcpAddress, version: number): Promise<void> {
  await Switch.run(async (sw) => {
    const flow = await net.connect(sw, proxy);
    await copyString("hello", flow);
    await flow.shutdown("send");
    const expected = `${formatAddress(flow.local)} ${formatAddress(proxy)} ${version}\nhello`;
    assertEquals(await readText(flow), expected);
  });
}

for (const [option, version] of [["send-proxy", 1], ["send-proxy-v2", 2]] as const) {
  test(
    `proxyProtocol() sees the clients of haproxy with ${option}`,
    () =>
      withBackend(tell, (backend, _, net) =>
        withHaproxy(1, ({ addresses: [front] }) => `
listen front
  bind ${at(front)}
  server backend ${at(backend)} ${option}
`, async ({ addresses: [front] }) => {
          for (let i = 0; i < 5; i++) await checkThrough(net, front, version);
        })),
    { peers: ["haproxy"] },
  );
}

test(
  "proxyProtocol() sees an IPv6 client of haproxy, in both versions",
  () =>
    withBackend(tell, (backend, _, net) =>
      withHaproxy(2, ({ addresses: [one, two] }) => `
listen one
  bind [::1]:${one.port}
  server backend ${at(backend)} send-proxy
listen two
  bind [::1]:${two.port}
  server backend ${at(backend)} send-proxy-v2
`, async ({ addresses: [one, two] }) => {
        await checkThrough(net, tcp("::1", one.port), 1);
        await checkThrough(net, tcp("::1", two.port), 2);
      })),
  { peers: ["haproxy"] },
);

/** Reads what a TLV about TLS says: flags, the result of the verification, and TLVs of its own. */
function readTls({ value }: ProxyTlv) {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const fields = new Map<number, string>();
  for (let at = 5; at < value.length; at += 3 + view.getUint16(at + 1)) {
    fields.set(value[at], textOf(value.subarray(at + 3, at + 3 + view.getUint16(at + 1))));
  }
  return { flags: value[0], verify: view.getUint32(1), fields };
}

test("proxyHeaderOf() has the TLVs that haproxy sends for a TLS client with a certificate", async () => {
  const seen: ((seen: Seen) => void)[] = [];
  const serve: Serve = (_, what) => seen.shift()?.(what);
  await withBackend(serve, (backend, sw, net) =>
    withHaproxy(2, ({ addresses: [one, two], folder }) => {
      const pem = join(folder, "both.pem");
      writeFileSync(
        pem,
        ["localhost.crt", "localhost.key"].map((name) => readFileSync(fixture(name), "utf8")).join("\n"),
      );
      const tls = `ssl crt ${pem} alpn smtp,imap ca-file ${fixture("authority.crt")} verify required`;
      return `
listen one
  bind ${at(one)} ${tls}
  unique-id-format id-%pid
  server backend ${at(backend)} send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,authority,crc32c,unique-id
listen two
  bind ${at(two)} ${tls}
  server backend ${at(backend)} send-proxy-v2-ssl-cn
`;
    }, async ({ addresses: [one, two] }) => {
      const open = async (front: TcpAddress) => {
        const flow = await net.connect(sw, front);
        const came = new Promise<Seen>((resolve) => seen.push(resolve));
        const options = { ...clientOptions, protocols: ["imap"], certificate: certificate("client") };
        const tls = await tlsClient(sw, flow, options);
        const { peer, header } = await came;
        await tls.close();
        assertEquals(peer, flow.local);
        const find = (type: number) => header?.tlvs.find((tlv) => tlv.type === type) as ProxyTlv;
        const { flags, verify, fields } = readTls(find(0x20));
        assertEquals([flags, verify], [1 | 2 | 4, 0]); // TLS, with a certificate, which is good
        assertEquals(fields.get(0x22), "client");
        assertMatch(fields.get(0x21) ?? "", /^TLSv1\.[23]$/);
        return { find, fields };
      };
      const { find, fields } = await open(one);
      assertEquals(textOf(find(1).value), "imap");
      assertEquals(textOf(find(2).value), "localhost");
      assertEquals(find(3).value.length, 4);
      assertMatch(textOf(find(5).value), /^id-/);
      assertMatch(fields.get(0x23) ?? "", /^TLS_|^ECDHE/);
      await open(two);
    }));
}, { peers: ["haproxy"] });

test("proxyProtocol() takes the health checks of haproxy as local connections", async () => {
  const checks: Seen[] = [];
  const second = signal();
  const serve: Serve = (_, seen) => void (checks.push(seen) === 2 && second.resolve());
  await withBackend(serve, (backend) =>
    withHaproxy(1, ({ addresses: [front] }) => `
listen front
  bind ${at(front)}
  server backend ${at(backend)} send-proxy-v2 check inter 20ms check-send-proxy proxy-v2-options crc32c
`, () => second.promise));
  for (const { peer, socketPeer, header } of checks) {
    assertEquals([header?.version, header?.command, header?.source], [2, "local", undefined]);
    assertEquals(peer, socketPeer);
  }
}, { peers: ["haproxy"] });

/** Sends a request over a flow that has begun with `header`, and returns the body of the answer. */
async function ask(net: Net, proxy: TcpAddress, header: ProxyHeader, version?: 1 | 2): Promise<[string, TcpAddress]> {
  return await Switch.run(async (sw) => {
    const flow = await net.connect(sw, proxy);
    await writeProxyHeader(flow, header, { version });
    await copyString("GET / HTTP/1.0\r\n\r\n", flow);
    const [, body] = (await readText(flow)).split("\r\n\r\n");
    return [body, flow.local as TcpAddress];
  });
}

const tlvs = [
  { type: 2, value: bytesOf("a.example") },
  { type: 3, value: new Uint8Array(4) },
  { type: 4, value: new Uint8Array(9) },
  { type: 5, value: bytesOf("id-7") },
];
const pairs = [
  [tcp("192.0.2.1", 50000), tcp("192.0.2.9", 443)],
  [tcp("2001:db8::1", 1), tcp("2001:db8::9", 65535)],
] as const;

test(
  "writeProxyHeader() is understood by haproxy with accept-proxy, TLVs and CRC32C too",
  () =>
    withNet((_, net) =>
      withHaproxy(1, ({ addresses: [front] }) => `
frontend front
  mode http
  bind ${at(front)} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"
`, async ({ addresses: [front] }) => {
        for (const [source, destination] of pairs) {
          const said = [source.ip, source.port, destination.ip, destination.port].join(" ");
          const header = { version: 2, command: "proxy", source, destination, tlvs: [] } as const;
          assertEquals((await ask(net, front, header, 1))[0].trim(), `${said} - -`.replace(/ - -$/, ""));
          assertEquals((await ask(net, front, { ...header, tlvs }))[0], `${said} a.example id-7`);
        }
        const [local, own] = await ask(net, front, { version: 2, command: "local", tlvs });
        assert(local.startsWith(`${own.ip} ${own.port} ${front.ip} ${front.port}`), local);
        const [unknown, from] = await ask(net, front, { version: 1, command: "local", tlvs: [] });
        assert(unknown.startsWith(`${from.ip} ${from.port}`), unknown);
      })
    ),
  { peers: ["haproxy"] },
);

test(
  "writeProxyHeader() is understood by nginx, in both versions",
  () =>
    withNet((_, net) =>
      withNginx("http", 1, ({ addresses: [front] }) => `
server {
  listen ${at(front)} proxy_protocol;
  return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port";
}
`, async ({ addresses: [front] }) => {
        for (const [source, destination] of pairs) {
          const said = [source.ip, source.port, destination.ip, destination.port].join(" ");
          const header = { version: 2, command: "proxy", source, destination, tlvs: [] } as const;
          assertEquals((await ask(net, front, header, 1))[0], said);
          assertEquals((await ask(net, front, { ...header, tlvs }))[0], said);
        }
      })
    ),
  { peers: ["nginx"] },
);

test(
  "proxyProtocol() sees the clients of a stream of nginx",
  () =>
    withBackend(tell, (backend, _, net) =>
      withNginx("stream", 1, ({ addresses: [front] }) => `
server {
  listen ${at(front)};
  proxy_pass ${at(backend)};
  proxy_protocol on;
  proxy_half_close on;
}
`, async ({ addresses: [front] }) => {
        for (let i = 0; i < 5; i++) await checkThrough(net, front, 1);
      })),
  { peers: ["nginx"] },
);

test("proxyProtocol() sees curl with --haproxy-protocol", async () => {
  const serve: Serve = async (connection, { peer, socketPeer, header }) => {
    const reader = new BufReader(connection);
    while (await reader.line() !== "");
    const body = `${header?.version} ${formatAddress(peer)} ${formatAddress(peer) === formatAddress(socketPeer)}`;
    await copyString(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`, connection);
  };
  await withBackend(serve, async ({ port }) => {
    const run = async (...args: string[]) => {
      await using peer = new Peer("curl", ["-sS", "--max-time", "20", ...args, `http://127.0.0.1:${port}/`]);
      assertEquals((await peer.ended).code, 0, peer.errors);
      return peer.output;
    };
    const own = await run("--haproxy-protocol");
    assert(/^1 tcp:127\.0\.0\.1:\d+ true$/.test(own), own);
    await using help = new Peer("curl", ["--help", "all"]);
    await help.ended;
    if (!help.output.includes("--haproxy-clientip")) return; // before curl 8.2
    const told = await run("--haproxy-clientip", "192.0.2.1");
    assert(/^1 tcp:192\.0\.2\.1:\d+ false$/.test(told), told);
  });
}, { peers: ["curl"] });

test("proxyProtocol() serves every client while haproxy is reloaded under load", async () => {
  let running = true;
  let served = 0;
  await withBackend(tell, (backend, sw, net) =>
    withHaproxy(1, ({ addresses: [front] }) => `
listen front
  bind ${at(front)}
  server backend ${at(backend)} send-proxy-v2
`, async ({ peer, addresses: [front] }) => {
      const clients = Array.from({ length: 8 }, () =>
        sw.forkPromise(async () => {
          try {
            while (running) {
              await checkThrough(net, front, 2);
              served++;
            }
          } finally {
            running = false;
          }
        }));
      const replaced = () => peer.errors.split("Former worker").length - 1;
      const more = (count: number) => until(() => !running || served >= count);
      await more(20);
      for (let reload = 1; reload <= 3; reload++) {
        peer.kill("SIGUSR2");
        await until(() => !running || replaced() === reload);
        await more(served + 20);
      }
      running = false;
      for (const client of clients) await client;
      // Some workers of haproxy 2.6.12 crash at their very end, when they have served their clients.
    }));
}, { peers: ["haproxy"] });
