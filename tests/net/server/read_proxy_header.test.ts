// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  BufferLimitExceeded,
  BufReader,
  BusyError,
  copyString,
  EndOfFlow,
  ParseError,
  pipe,
  tcp,
  udp,
  unix,
  writeAll,
  yieldNow,
} from "../../../mod.ts";
import { type ProxyHeader, readProxyHeader } from "../../../net/server/mod.ts";
import { bytesOf, outcomeOf, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { binary, ip4, ip6, line4, line6, path, signature, tlv } from "./_proxy_headers.ts";

const [local, proxy] = [0x20, 0x21];
const none = { command: "proxy", tlvs: [] } as const;
const named4 = { ...none, source: tcp("192.0.2.1", 50000), destination: tcp("192.0.2.9", 443) };
const named6 = { ...none, source: tcp("2001:db8::1", 50000), destination: tcp("2001:db8::9", 443) };
const udp4 = { ...none, source: udp("192.0.2.1", 50000), destination: udp("192.0.2.9", 443) };
const udp6 = { ...none, source: udp("2001:db8::1", 50000), destination: udp("2001:db8::9", 443) };
const paths = { ...none, source: unix("/run/a"), destination: unix("\0b") };

/** Returns `PROXY UNKNOWN` with as many bytes as there are in all. */
const unknownOf = (size: number) => `PROXY UNKNOWN ${"x".repeat(size - 16)}\r\n`;

const valid: readonly (readonly [string | Uint8Array, Omit<ProxyHeader, "version">])[] = [
  [line4, named4],
  [line6, named6],
  ["PROXY TCP6 2001:DB8:0:0:0:0:0:1 2001:0db8::0009 50000 443\r\n", named6],
  ["PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:209 0 65535\r\n", {
    ...none,
    source: tcp("::ffff:192.0.2.1", 0),
    destination: tcp("::ffff:192.0.2.9", 65535),
  }],
  ["PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", {
    ...none,
    source: tcp("255.255.255.255", 65535),
    destination: tcp("0.0.0.0", 0),
  }],
  ["PROXY UNKNOWN\r\n", none],
  ["PROXY UNKNOWN \r\n", none],
  ["PROXY UNKNOWN ::1  what\tever\0 01 99999\r\n", none],
  [unknownOf(107), none],
  [binary(proxy, 0x11, ip4), named4],
  [binary(proxy, 0x12, ip4), udp4],
  [binary(proxy, 0x21, ip6), named6],
  [binary(proxy, 0x22, ip6), udp6],
  [binary(proxy, 0x31, [...path("/run/a"), ...path("\0b")]), paths],
  [binary(proxy, 0x32, [...path("/run/a"), ...path("\0b")]), paths],
  [binary(proxy, 0x31, [...path(""), ...path("x".repeat(108))]), {
    ...none,
    source: unix(""),
    destination: unix("x".repeat(108)),
  }],
  [binary(proxy, 0x00, []), none],
  [binary(proxy, 0x00, [1, 2]), none], // not TLVs: of an unspecified family all is ignored
  [binary(proxy, 0x10, ip4), none],
  [binary(proxy, 0x01, tlv(5, [1])), { ...none, tlvs: [{ type: 5, value: Uint8Array.of(1) }] }],
  [binary(local, 0x00, []), { ...none, command: "local" }],
  [binary(local, 0x11, ip4), { ...none, command: "local" }],
  [binary(local, 0x11, [1, 2, 3]), { ...none, command: "local" }],
  [binary(local, 0xff, [1, 2, 3]), { ...none, command: "local" }],
  [binary(local, 0x00, tlv(4, [0])), { ...none, command: "local", tlvs: [{ type: 4, value: Uint8Array.of(0) }] }],
  [binary(proxy, 0x11, [...ip4, ...tlv(4, []), ...tlv(0x20, [1, 2, 3]), ...tlv(0xea, [9]), ...tlv(0xea, [8])]), {
    ...named4,
    tlvs: [
      { type: 4, value: new Uint8Array() },
      { type: 0x20, value: Uint8Array.of(1, 2, 3) },
      { type: 0xea, value: Uint8Array.of(9) },
      { type: 0xea, value: Uint8Array.of(8) },
    ],
  }],
  [binary(proxy, 0x11, [...ip4, ...tlv(4, [...new Uint8Array(65535 - 12 - 3)])]), {
    ...named4,
    tlvs: [{ type: 4, value: new Uint8Array(65535 - 12 - 3) }],
  }],
];

for (const [header, expected] of valid) {
  const name = typeof header === "string"
    ? JSON.stringify(header.slice(0, 60))
    : `command ${header[12].toString(16)}, family ${header[13].toString(16)}, ${header.length} bytes`;
  test(`readProxyHeader() reads ${name}, and nothing after it`, async () => {
    const bytes = typeof header === "string" ? bytesOf(header) : header;
    const reader = BufReader.of(Uint8Array.from([...bytes, ...bytesOf("PROXY")]));
    const { version, ...rest } = await readProxyHeader(reader);
    assertEquals([version, rest], [typeof header === "string" ? 1 : 2, expected]);
    assertEquals([reader.consumed, textOf(reader.peek())], [bytes.length, "PROXY"]);
  });
}

/** A header with a CRC32C, which a program in Python has computed that has 0xe3069283 for `123456789`, as RFC 3720 wants. */
const withCrc = (crc: readonly number[]) => binary(proxy, 0x11, [...ip4, ...tlv(3, crc), ...tlv(4, [7])]);
const goodCrc = [0x5a, 0x46, 0x28, 0x67];

test("readProxyHeader() accepts a CRC32C that is right, and keeps it", async () => {
  const { tlvs } = await readProxyHeader(BufReader.of(withCrc(goodCrc)));
  assertEquals(tlvs.map(({ type, value }) => [type, ...value]), [[3, ...goodCrc], [4, 7]]);
});

const invalid: readonly (readonly [name: string, header: string | Uint8Array, offset: number, reason: RegExp])[] = [
  ["no header", "GET / HTTP/1.1\r\n", 0, /missing/],
  ["lower case", "proxy TCP4 192.0.2.1 192.0.2.9 50000 443\r\n", 0, /missing/],
  ["a word that begins like one", "PROXX", 4, /missing/],
  ["a tab after PROXY", line4.replace(" ", "\t"), 5, /missing/],
  ["a lower-case protocol", line4.replace("TCP4", "tcp4"), 6, /protocol/],
  ["a lower-case unknown", "PROXY unknown\r\n", 6, /protocol/],
  ["a longer unknown", "PROXY UNKNOWNS\r\n", 6, /protocol/],
  ["UDP in version 1", line4.replace("TCP4", "UDP4"), 6, /protocol/],
  ["an empty protocol", "PROXY \r\n", 6, /protocol/],
  ["two spaces", line4.replace("TCP4 ", "TCP4  "), 41, /two addresses/],
  ["a space at the end", line4.replace("\r", " \r"), 41, /two addresses/],
  ["tabs", line4.replace("2.1 ", "2.1\t"), 40, /two addresses/],
  ["a missing port", line4.replace(" 443", ""), 36, /two addresses/],
  ["IPv6 as TCP4", line6.replace("TCP6", "TCP4"), 11, /IPv4/],
  ["IPv4 as TCP6", line4.replace("TCP4", "TCP6"), 11, /IPv6/],
  ["an address with leading zeros", line4.replace("192.0.2.9", "192.0.2.09"), 21, /IPv4/],
  ["a short address", line4.replace("192.0.2.9", "192.9"), 21, /IPv4/],
  ["a zone", line6.replace("2001:db8::9", "fe80::1%0"), 23, /IPv6/],
  ["a name", line4.replace("192.0.2.1", "localhost"), 11, /IPv4/],
  ["a port with leading zeros", line4.replace(" 443", " 0443"), 37, /port/],
  ["a port out of range", line4.replace(" 443", " 65536"), 37, /port/],
  ["a negative port", line4.replace("50000", "-1"), 31, /port/],
  ["a signed port", line4.replace("50000", "+1"), 31, /port/],
  ["an empty port", line4.replace("50000", ""), 31, /port/],
  ["a hexadecimal port", line4.replace("50000", "0x10"), 31, /port/],
  ["a line that ends with LF", line4.replace("\r", ""), 40, /CR LF/],
  ["a CR without LF", line4.replace("\n", "x"), 41, /CR LF/],
  ["an unknown line with a CR in it", "PROXY UNKNOWN a\rb\r\n", 16, /CR LF/],
  ["a line of 108 bytes", unknownOf(108), 107, /107 bytes/],
  ["a line without end", `PROXY UNKNOWN ${"x".repeat(1000)}`, 107, /107 bytes/],
  ["the end of the other signature", Uint8Array.from([...signature.slice(0, 11), 13]), 11, /missing/],
  ["version 1 in binary", binary(0x11, 0x11, ip4), 12, /version/],
  ["version 3", binary(0x31, 0x11, ip4), 12, /version/],
  ["command 2", binary(0x22, 0x11, ip4), 12, /command/],
  ["family 4", binary(proxy, 0x41, ip4), 13, /family/],
  ["transport 3", binary(proxy, 0x13, ip4), 13, /transport/],
  ["addresses of 11 bytes", binary(proxy, 0x11, ip4.slice(0, 11)), 14, /shorter/],
  ["no addresses", binary(proxy, 0x11, []), 14, /shorter/],
  ["IPv4 addresses as IPv6", binary(proxy, 0x21, ip4), 14, /shorter/],
  ["IPv6 addresses of 35 bytes", binary(proxy, 0x22, ip6.slice(0, 35)), 14, /shorter/],
  ["one Unix path", binary(proxy, 0x31, [...path("/a"), ...path("/b").slice(1)]), 14, /shorter/],
  ["a NUL in a path", binary(proxy, 0x31, [...path("/a"), ...path("/b\0c")]), 16 + 108, /Unix path/],
  ["a NUL in an abstract name", binary(proxy, 0x31, [...path("\0a\0b"), ...path("")]), 16, /Unix path/],
  ["a path that is not UTF-8", binary(proxy, 0x31, [0xff, ...path("").slice(1), ...path("")]), 16, /Unix path/],
  ["a TLV of one byte", binary(proxy, 0x11, [...ip4, 4]), 28, /TLV/],
  ["a TLV of two bytes", binary(proxy, 0x11, [...ip4, 4, 0]), 28, /TLV/],
  ["a TLV that is too long", binary(proxy, 0x11, [...ip4, ...tlv(4, [1, 2], 3)]), 28, /TLV/],
  ["a wrong CRC32C", withCrc([...goodCrc.slice(0, 3), goodCrc[3] ^ 1]), 31, /CRC32C is wrong/],
  ["a wrong CRC32C in a local header", binary(local, 0, tlv(3, [0, 0, 0, 0])), 19, /CRC32C is wrong/],
  ["a CRC32C of three bytes", withCrc(goodCrc.slice(0, 3)), 31, /four bytes/],
  ["two CRC32C", binary(proxy, 0x11, [...ip4, ...tlv(3, goodCrc), ...tlv(3, goodCrc)]), 38, /two CRC32C/],
];

for (const [name, header, offset, reason] of invalid) {
  test(`readProxyHeader() refuses ${name}, without waiting for more`, async () => {
    const [client, server] = pipe(); // which does not end
    const reader = new BufReader(server);
    const bytes = typeof header === "string" ? bytesOf(header) : header;
    const reading = readProxyHeader(reader);
    const [error] = await Promise.all([assertRejects(() => reading, ParseError), writeAll(client, bytes)]);
    assertEquals(error.offset, offset);
    assertMatch(error.message, reason);
    assertMatch(error.message, /^Cannot read a PROXY header: /);
    assertEquals(reader.consumed, 0);
    await client.close();
    await server.close();
  });
}

/** One header of each kind, whose every byte matters. */
const samples = [
  line4,
  line6,
  "PROXY UNKNOWN\r\n",
  binary(proxy, 0x11, [...ip4, ...tlv(3, goodCrc), ...tlv(4, [7])]),
  binary(proxy, 0x21, ip6),
  binary(local, 0, tlv(4, [1, 2])),
].map((header) => typeof header === "string" ? bytesOf(header) : header);

test("readProxyHeader() does not care how a header is split", async () => {
  for (const bytes of samples) {
    const whole = await readProxyHeader(BufReader.of(bytes));
    for (let size = 1; size < bytes.length; size++) {
      const [client, server] = pipe();
      const reader = new BufReader(server);
      const reading = readProxyHeader(reader);
      for (let at = 0; at < bytes.length; at += size) {
        await writeAll(client, bytes.subarray(at, at + size));
        await yieldNow(); // so that they are read one by one
      }
      assertEquals([await reading, reader.buffered], [whole, 0]);
      await client.close();
      await server.close();
    }
  }
});

test("readProxyHeader() refuses each header that is cut off, and says where", async () => {
  for (const bytes of samples) {
    for (let size = 0; size < bytes.length; size++) {
      const reader = BufReader.of(bytes.slice(0, size));
      const error = await assertRejects(() => readProxyHeader(reader), ParseError, "ends before");
      assertEquals([error.offset, reader.consumed], [size, 0]);
      assert(error.cause instanceof EndOfFlow);
    }
  }
});

test("readProxyHeader() notices each changed bit of a header with a CRC32C", async () => {
  const bytes = samples[3];
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    const outcome = await outcomeOf(() => readProxyHeader(BufReader.of(changed)));
    if (bit === 13 * 8 + 4) continue; // an unspecified family, of which all is ignored
    if (bit >> 3 === 28) continue; // the type of the CRC32C itself
    assert(outcome instanceof ParseError, `bit ${bit}`);
  }
});

test("readProxyHeader() reads a second header after the first, with offsets of the stream", async () => {
  const reader = BufReader.of(line4 + "PROXY x");
  await readProxyHeader(reader);
  const error = await assertRejects(() => readProxyHeader(reader), ParseError);
  assertEquals(error.offset, line4.length + 7);
});

test("readProxyHeader() quotes nothing that the peer sent", async () => {
  const secret = "hunter2";
  for (const header of [`PROXY TCP4 ${secret} 1.2.3.4 1 2\r\n`, `PROXY ${secret}\r\n`, secret]) {
    const error = await assertRejects(() => readProxyHeader(BufReader.of(header)), ParseError);
    assert(!`${error.stack} ${error.cause}`.includes(secret));
  }
});

test("readProxyHeader() fails with BufferLimitExceeded if the reader is too small", async () => {
  const reader = new BufReader(BufReader.of(samples[4]).asSource(), { maxSize: 20 });
  await assertRejects(() => readProxyHeader(reader), BufferLimitExceeded);
});

test("readProxyHeader() beside another operation is a BusyError", async () => {
  const [client, server] = pipe();
  const reader = new BufReader(server);
  const reading = readProxyHeader(reader);
  await assertRejects(() => readProxyHeader(reader), BusyError);
  await copyString(line4, client);
  await reading;
  await client.close();
  await server.close();
});

test("readProxyHeader() returns memory of its own, frozen", async () => {
  const bytes = binary(proxy, 0x11, [...ip4, ...tlv(5, [1])]);
  const header = await readProxyHeader(BufReader.of(bytes));
  bytes.fill(9);
  assertEquals([...header.tlvs[0].value], [1]);
  assert([header, header.tlvs, header.tlvs[0]].every(Object.isFrozen));
});

test("readProxyHeader() takes a reader only", async () => {
  for (const value of [undefined, {}, pipe()[0]]) {
    await assertRejects(() => readProxyHeader(value as never), TypeError, "a BufReader");
  }
});
