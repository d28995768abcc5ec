// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { bufferSink, BufReader, IpAddress, type Sink, tcp, udp, unix } from "../../../mod.ts";
import { type ProxyHeader, readProxyHeader, writeProxyHeader } from "../../../net/server/mod.ts";
import { bytesOf, inCancelledScope } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { binary, ip4, ip6, line4, line6, path, tlv } from "./_proxy_headers.ts";

const [client4, server4] = [tcp("192.0.2.1", 50000), tcp("192.0.2.9", 443)];
const [client6, server6] = [tcp("2001:db8::1", 50000), tcp("2001:db8::9", 443)];
const [udpClient, udpServer] = [udp("192.0.2.1", 50000), udp("192.0.2.9", 443)];
const proxy = { version: 2, command: "proxy", tlvs: [] } as const;
const local = { ...proxy, command: "local" } as const;

async function written(header: ProxyHeader, version?: 1 | 2): Promise<Uint8Array> {
  const sink = bufferSink();
  await writeProxyHeader(sink, header, version && { version });
  return sink.bytes();
}

const cases: readonly (readonly [name: string, header: ProxyHeader, line: string, block: Uint8Array])[] = [
  ["IPv4", { ...proxy, source: client4, destination: server4 }, line4, binary(0x21, 0x11, ip4)],
  ["IPv6", { ...proxy, source: client6, destination: server6 }, line6, binary(0x21, 0x21, ip6)],
  [
    "IPv6 with a zone",
    { ...proxy, source: tcp("2001:db8::1%eth0", 50000), destination: server6 },
    line6,
    binary(0x21, 0x21, ip6),
  ],
  ["UDP", { ...proxy, source: udpClient, destination: udpServer }, "PROXY UNKNOWN\r\n", binary(0x21, 0x12, ip4)],
  [
    "Unix addresses",
    { ...proxy, source: unix(""), destination: unix("\0b") },
    "PROXY UNKNOWN\r\n",
    binary(0x21, 0x31, [...path(""), ...path("\0b")]),
  ],
  ["no addresses", proxy, "PROXY UNKNOWN\r\n", binary(0x21, 0, [])],
  ["a local connection", { ...local, source: client4, destination: server4 }, "PROXY UNKNOWN\r\n", binary(0x20, 0, [])],
];

for (const [name, header, line, block] of cases) {
  test(`writeProxyHeader() writes ${name} in both versions`, async () => {
    assertEquals(await written(header, 1), bytesOf(line));
    assertEquals(await written(header), block);
    assertEquals(await written({ ...header, version: 1 }), bytesOf(line));
    assertEquals(await written({ ...header, version: 1 }, 2), block);
  });
}

test("writeProxyHeader() maps one IPv4 address to IPv6 beside an IPv6 address", async () => {
  const header = { ...proxy, source: client4, destination: server6 };
  const mapped = { ...header, source: tcp("::ffff:192.0.2.1", 50000) };
  for (const version of [1, 2] as const) {
    assertEquals(await readProxyHeader(BufReader.of(await written(header, version))), { ...mapped, version });
  }
});

test("writeProxyHeader() writes TLVs, and fills in a CRC32C whatever it holds", async () => {
  for (const value of [new Uint8Array(), Uint8Array.of(1, 2, 3, 4), new Uint8Array(99)]) {
    const tlvs = [{ type: 3, value }, { type: 4, value: Uint8Array.of(7) }];
    const bytes = await written({ ...proxy, source: client4, destination: server4, tlvs });
    assertEquals(bytes, binary(0x21, 0x11, [...ip4, ...tlv(3, [0x5a, 0x46, 0x28, 0x67]), ...tlv(4, [7])]));
  }
});

test("writeProxyHeader() writes once, if the flow takes all", async () => {
  const writes: number[] = [];
  const sink: Sink = { write: (bytes) => Promise.resolve(writes.push(bytes.length) && bytes.length) };
  await writeProxyHeader(sink, { ...proxy, source: client4, destination: server4 });
  assertEquals(writes, [28]);
});

const ip = (size: number) =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => IpAddress.fromBytes(bytes));
const port = fc.nat(65535);
const pairOf = <A>(address: fc.Arbitrary<A>) => fc.record({ source: address, destination: address });
const path107 = fc.string({ unit: fc.constantFrom("a", "/", "é", "🦆"), maxLength: 25 });
const addresses = fc.oneof(
  ...[4, 16].flatMap((size) => [
    pairOf(fc.tuple(ip(size), port).map(([ip, port]) => tcp(ip, port))),
    pairOf(fc.tuple(ip(size), port).map(([ip, port]) => udp(ip, port))),
  ]),
  pairOf(fc.tuple(fc.constantFrom("", "\0"), path107).map(([nul, text]) => unix(text === "" ? "" : nul + text))),
  fc.constant({}),
);
const tlvs = fc.array(fc.record({ type: fc.nat(255), value: fc.uint8Array({ maxLength: 40 }) }), { maxLength: 5 })
  .map((tlvs) => tlvs.filter(({ type }, i) => type !== 3 || tlvs.findIndex((each) => each.type === 3) === i));
const headers: fc.Arbitrary<ProxyHeader> = fc.oneof(
  fc.record({ addresses, tlvs }).map(({ addresses, tlvs }) => ({ ...proxy, ...addresses, tlvs })),
  tlvs.map((tlvs) => ({ ...local, tlvs })),
);

test("writeProxyHeader() writes what readProxyHeader() reads back", async () => {
  await fc.assert(
    fc.asyncProperty(headers, async (header) => {
      const bytes = await written(header);
      const read = await readProxyHeader(BufReader.of(bytes));
      const crcOf = ({ tlvs }: ProxyHeader) => tlvs.find(({ type }) => type === 3)?.value ?? new Uint8Array();
      const filled = header.tlvs.map((tlv) => tlv.type === 3 ? { type: 3, value: crcOf(read) } : tlv);
      assertEquals(read, { ...header, tlvs: filled });
      assertEquals(await written(read), bytes);
    }),
    { numRuns: 300 },
  );
});

test("writeProxyHeader() of version 1 writes what readProxyHeader() reads back, or UNKNOWN", async () => {
  await fc.assert(
    fc.asyncProperty(addresses, async (addresses) => {
      const bytes = await written({ ...proxy, ...addresses }, 1);
      const said = "source" in addresses && addresses.source.transport === "tcp" ? addresses : {};
      assertEquals(await readProxyHeader(BufReader.of(bytes)), { ...proxy, ...said, version: 1 });
    }),
    { numRuns: 100 },
  );
});

const big = { type: 5, value: new Uint8Array(65535) };
const refused: readonly (readonly [
  name: string,
  header: unknown,
  problem: typeof TypeError | typeof RangeError,
  version?: unknown,
])[] = [
  ["TLVs in version 1", { ...proxy, tlvs: [{ type: 4, value: new Uint8Array() }] }, TypeError, 1],
  ["no header", undefined, TypeError],
  ["an unknown command", { ...proxy, command: "LOCAL" }, TypeError],
  ["version 3", { ...proxy, version: 3 }, RangeError],
  ["version 3 by the options", proxy, RangeError, 3],
  ["a version in words", proxy, TypeError, "1"],
  ["a source alone", { ...proxy, source: client4 }, TypeError],
  ["a destination alone", { ...proxy, destination: client4 }, TypeError],
  ["addresses of two transports", { ...proxy, source: client4, destination: unix("/x") }, TypeError],
  ["a name", { ...proxy, source: { transport: "host", name: "a", port: 1 }, destination: client4 }, TypeError],
  ["a text as address", { ...proxy, source: "1.2.3.4", destination: client4 }, TypeError],
  ["a null as address", { ...proxy, source: null, destination: null }, TypeError],
  ["a port out of range", { ...proxy, source: { ...client4, port: 65536 }, destination: client4 }, RangeError],
  ["no TLVs at all", { ...proxy, tlvs: undefined }, TypeError],
  ["a TLV that is none", { ...proxy, tlvs: [null] }, TypeError],
  ["a type of 256", { ...proxy, tlvs: [{ type: 256, value: new Uint8Array() }] }, RangeError],
  ["a type of 1.5", { ...proxy, tlvs: [{ type: 1.5, value: new Uint8Array() }] }, RangeError],
  ["a type in words", { ...proxy, tlvs: [{ type: "3", value: new Uint8Array() }] }, TypeError],
  ["a value in words", { ...proxy, tlvs: [{ type: 2, value: "example.com" }] }, TypeError],
  ["two CRC32C", { ...proxy, tlvs: [{ type: 3, value: big.value }, { type: 3, value: big.value }] }, TypeError],
  ["more than 65535 bytes", { ...proxy, tlvs: [big] }, RangeError],
  ["a path of 109 bytes", { ...proxy, source: unix("x".repeat(109)), destination: unix("") }, RangeError],
];

for (const [name, header, problem, version] of refused) {
  test(`writeProxyHeader() refuses ${name}, and writes nothing`, async () => {
    const sink = bufferSink();
    const options = version === undefined ? undefined : { version };
    await assertRejects(() => writeProxyHeader(sink, header as never, options as never), problem);
    assertEquals(sink.bytes().length, 0);
  });
}

test("writeProxyHeader() refuses what is not a sink", async () => {
  await assertRejects(() => writeProxyHeader({} as never, proxy), TypeError);
});

test("writeProxyHeader() writes nothing in a cancelled scope", async () => {
  const sink = bufferSink();
  await assertRejects(() => inCancelledScope(() => writeProxyHeader(sink, proxy)));
  assertEquals(sink.bytes().length, 0);
});
