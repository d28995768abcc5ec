// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertNotEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { IpAddress } from "../../net/ip_address.ts";
import { escapeText, quoteText } from "../../base/_text.ts";
import { test } from "../_test.ts";
import { generator } from "./_helpers.ts";

/** Returns random bytes with many zeros, so that runs of zero groups are common. */
function randomBytes(below: (n: number) => number, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, () => below(2) === 0 ? 0 : below(256));
}

test("IpAddress.parse() reads a dotted quad", () => {
  for (const text of ["0.0.0.0", "127.0.0.1", "10.20.30.40", "255.255.255.255", "1.2.3.4"]) {
    const ip = IpAddress.parse(text);
    assertEquals(ip.version, 4);
    assertEquals(ip.toString(), text);
    assertEquals([...ip.bytes], text.split(".").map(Number));
  }
});

test("IpAddress.parse() refuses a leading zero", () => {
  for (const text of ["01.2.3.4", "1.2.3.04", "00.0.0.0", "0177.0.0.1", "0251.0376.0251.0376", "127.0.0.010"]) {
    assertThrows(() => IpAddress.parse(text), SyntaxError, "leading zero");
  }
});

test("IpAddress.parse() refuses a number over 255", () => {
  for (const text of ["256.0.0.1", "1.2.3.999", "425.510.425.510", "1.2.3.4294967296", "1.1.1.99999999999999999999"]) {
    assertThrows(() => IpAddress.parse(text), SyntaxError, "at most 255");
  }
});

test("IpAddress.parse() refuses every other spelling of an IPv4 address", () => {
  const texts = [
    ...["0x7f000001", "0x7f.0x0.0x0.0x1", "127.1", "127.0.1", "0", "2130706433", "017700000001", "7147006462"],
    ...["127.0.0.1.", "127.0.0.1..", ".127.0.0.1", "127..0.1", "127.0.0.0.1", "", ".", "..."],
    ...["127。0。0。1", "１２７.0.0.1", "①②⑦.0.0.1", "١٢٧.0.0.1", "127.0.0.1\0", "127.0.0.1\0.api.example.com"],
    ...[" 127.0.0.1", "127.0.0.1 ", "\t127.0.0.1", "127.0.0.1\n", "127.0.0.1\r\nx"],
    ...["+127.0.0.1", "-1.0.0.1", "1e2.0.0.1", "127.0.0.1/8", "127.0.0.1:80", "[127.0.0.1]", "a.b.c.d", "localhost"],
  ];
  for (const text of texts) assertThrows(() => IpAddress.parse(text), SyntaxError, "Cannot parse IP address", text);
});

test("IpAddress.parse() reads the text forms of RFC 4291", () => {
  const cases = {
    "2001:DB8:0:0:8:800:200C:417A": "2001:db8::8:800:200c:417a",
    "FF01:0:0:0:0:0:0:101": "ff01::101",
    "0:0:0:0:0:0:0:1": "::1",
    "0:0:0:0:0:0:0:0": "::",
    "::": "::",
    "::1": "::1",
    "1::": "1::",
    "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
    "::2:3:4:5:6:7:8": "0:2:3:4:5:6:7:8",
    "0001:0000::000a": "1::a",
    "0:0:0:0:0:0:13.1.68.3": "::d01:4403",
    "::13.1.68.3": "::d01:4403",
    "::FFFF:129.144.52.38": "::ffff:129.144.52.38",
    "64:ff9b::127.0.0.1": "64:ff9b::7f00:1",
    "1:2:3:4:5:6:7.8.9.10": "1:2:3:4:5:6:708:90a",
  };
  for (const [text, canonical] of Object.entries(cases)) {
    assertEquals(IpAddress.parse(text).toString(), canonical, text);
    assertEquals(IpAddress.parse(text).version, 6);
  }
});

test("IpAddress.parse() refuses malformed IPv6 text", () => {
  const texts = [
    ...[":", ":::", "1:::2", "::1::", "1::2::3", ":1", "1:", ":1::2", "1::2:"],
    ...["1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2:3:4:5:6:7:8", "::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::"],
    ...["12345::", "00001::", "g::", "::0x1", "[::1]", "[::1", "::1]", "::1/128", " ::1", "::1 ", "::１", "::1\0"],
    ...["1.2.3.4::", "::1.2.3.4:5", "::1.2.3", "::1.2.3.04", "::1.2.3.256", "1:2:3:4:5:6:7:1.2.3.4"],
    ...["::ffff:0177.0.0.1", "::ffff:127.1", "1:".repeat(1000), ":".repeat(100_000)],
  ];
  for (const text of texts) assertThrows(() => IpAddress.parse(text), SyntaxError, "Cannot parse IP address", text);
});

test("IpAddress.parse() reads the IPv6 literals of the attack corpus as what they are", () => {
  const cases = {
    "0:0:0:0:0:0:0:1": "::1",
    "::": "::",
    "::ffff:7f00:1": "::ffff:127.0.0.1",
    "::fFFf:169.254.169.254": "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1": "::ffff:0:7f00:1",
    "64:ff9b::7f00:1": "64:ff9b::7f00:1",
    "2002:7f00:1::": "2002:7f00:1::",
    "2002:a9fe:a9fe::1": "2002:a9fe:a9fe::1",
    "fe80::1%eth0": "fe80::1%eth0",
    "fec0::1": "fec0::1",
    "2001:db8::5efe:7f00:1": "2001:db8::5efe:7f00:1",
    "3fff::1": "3fff::1",
  };
  for (const [text, canonical] of Object.entries(cases)) assertEquals(IpAddress.parse(text).toString(), canonical);
});

test("IpAddress.parse() keeps the zone of an IPv6 address", () => {
  for (const zone of ["eth0", "2", "25", "251", "Ethernet", "wlan0.100", "a_b~c-d"]) {
    const ip = IpAddress.parse(`fe80::1%${zone}`);
    assertEquals(ip.zone, zone);
    assertEquals(ip.toString(), `fe80::1%${zone}`);
  }
});

test("IpAddress.parse() refuses a malformed zone", () => {
  for (const zone of ["", "eth 0", "eth0%", "eth/0", "é", "eth0]", "eth0\n", "e\0", "a:b", "%eth0"]) {
    assertThrows(() => IpAddress.parse(`fe80::1%${zone}`), SyntaxError, "a zone has", zone);
  }
});

test("IpAddress.parse() refuses a percent-encoded zone", () => {
  for (const text of ["::1%25lo", "fe80::1%25eth0", "fe80::1%25.", "fe80::1%251a"]) {
    assertThrows(() => IpAddress.parse(text), SyntaxError, "percent-encoded", text);
  }
});

test("IpAddress.parse() refuses a zone on an IPv4 address", () => {
  assertThrows(() => IpAddress.parse("127.0.0.1%lo"), SyntaxError, "only an IPv6 address has a zone");
});

test("IpAddress.parse() names the text and the rule it breaks", () => {
  assertThrows(
    () => IpAddress.parse("127.1"),
    SyntaxError,
    'Cannot parse IP address "127.1": an IPv4 address has four decimal numbers',
  );
});

test("IpAddress.parse() escapes and cuts hostile text", () => {
  const error = assertThrows(() => IpAddress.parse("\x1b[31m\r\n\u202e" + "x".repeat(1e6)), SyntaxError);
  assert(error.message.length < 300, error.message);
  assert(/^[\x20-\x7e]+$/.test(error.message), error.message);
});

test("IpAddress.parse() refuses anything but a string", () => {
  for (const value of [undefined, null, 2130706433, {}, ["127.0.0.1"], IpAddress.loopback4]) {
    assertThrows(() => IpAddress.parse(value as unknown as string), TypeError, "must be a string");
  }
});

test("IpAddress.parse() reads what toString() wrote", () => {
  const below = generator(1);
  for (let round = 0; round < 3000; round++) {
    const bytes = randomBytes(below, below(4) === 0 ? 4 : 16);
    const zone = bytes.length === 16 && below(3) === 0 ? `z${below(1000)}` : undefined;
    const ip = new IpAddress(bytes, zone);
    const again = IpAddress.parse(ip.toString());
    assertEquals(again.bytes, bytes, ip.toString());
    assertEquals(again.zone, zone);
    assert(again.equals(ip));
  }
});

test("IpAddress.parse() reads the uncompressed form as the same address", () => {
  const below = generator(2);
  for (let round = 0; round < 1000; round++) {
    const bytes = randomBytes(below, 16);
    const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] * 256 + bytes[2 * i + 1]).toString(16));
    const text = groups.map((group) => below(2) === 0 ? group : group.toUpperCase().padStart(4, "0")).join(":");
    assertEquals(IpAddress.parse(text).bytes, bytes, text);
  }
});

test("IpAddress.parse() throws nothing but SyntaxError on random text", () => {
  const below = generator(3);
  const alphabet = ["0", "1", "25", "ff", ":", "::", ".", "%", "x", "[", " ", "\0", "：", "g"];
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: below(12) }, () => alphabet[below(alphabet.length)]).join("");
    try {
      assertEquals(IpAddress.parse(IpAddress.parse(text).toString()).equals(IpAddress.parse(text)), true, text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
});

test("IpAddress.toString() compresses the longest run of zeros, the first of several", () => {
  const cases = {
    "1:0:0:2:0:0:0:3": "1:0:0:2::3",
    "4:1:0:0:2:0:0:3": "4:1::2:0:0:3",
    "0:0:1:0:0:1:0:0": "::1:0:0:1:0:0",
    "1:0:0:0:0:0:0:0": "1::",
    "0:0:0:0:0:0:0:1": "::1",
    "1:2:3:4:5:6:0:0": "1:2:3:4:5:6::",
    "0:0:3:4:5:6:7:8": "::3:4:5:6:7:8",
  };
  for (const [text, canonical] of Object.entries(cases)) assertEquals(IpAddress.parse(text).toString(), canonical);
});

test("IpAddress.toString() does not compress a single group of zeros", () => {
  assertEquals(IpAddress.parse("1:2:3:0:5:6:7:8").toString(), "1:2:3:0:5:6:7:8");
  assertEquals(IpAddress.parse("0:2:0:4:0:6:0:8").toString(), "0:2:0:4:0:6:0:8");
});

test("IpAddress.toString() prints an IPv4-mapped address with a dotted tail", () => {
  assertEquals(IpAddress.parse("0:0:0:0:0:ffff:c0a8:1").toString(), "::ffff:192.168.0.1");
  assertEquals(IpAddress.parse("::ffff:0:0").toString(), "::ffff:0.0.0.0");
});

test("IpAddress.toJSON() returns the text", () => {
  assertEquals(JSON.stringify({ ip: IpAddress.parse("fe80::1%eth0") }), '{"ip":"fe80::1%eth0"}');
});

test("IpAddress.fromBytes() takes 4 or 16 bytes", () => {
  assertEquals(IpAddress.fromBytes(Uint8Array.of(1, 2, 3, 4)).toString(), "1.2.3.4");
  assertEquals(IpAddress.fromBytes(new Uint8Array(16)).toString(), "::");
});

test("IpAddress.fromBytes() refuses another number of bytes", () => {
  for (const length of [0, 1, 3, 5, 15, 17]) {
    assertThrows(() => IpAddress.fromBytes(new Uint8Array(length)), RangeError, `current value is ${length}`);
  }
});

test("IpAddress.fromBytes() refuses anything but a Uint8Array", () => {
  const values = [undefined, null, [127, 0, 0, 1], "1.2.3.4", new ArrayBuffer(4), new Uint16Array(4), { length: 4 }];
  for (const value of values) {
    assertThrows(() => IpAddress.fromBytes(value as unknown as Uint8Array), TypeError, "must be a Uint8Array");
  }
});

test("IpAddress.fromBytes() copies what it is given", () => {
  const bytes = Uint8Array.of(10, 0, 0, 1);
  const ip = IpAddress.fromBytes(bytes);
  bytes.fill(255);
  assertEquals(ip.bytes, Uint8Array.of(10, 0, 0, 1));
});

test("IpAddress.bytes is a copy at every access", () => {
  const { loopback4 } = IpAddress;
  loopback4.bytes.fill(8);
  assertEquals(loopback4.bytes, Uint8Array.of(127, 0, 0, 1));
});

test("IpAddress() refuses a zone that parse() would refuse", () => {
  assertThrows(() => new IpAddress(new Uint8Array(16), "a b"), SyntaxError, 'Cannot use zone "a b": a zone has');
  assertThrows(() => new IpAddress(new Uint8Array(16), "25eth0"), SyntaxError, "percent-encoded");
  assertThrows(() => new IpAddress(new Uint8Array(4), "lo"), SyntaxError, "only an IPv6 address has a zone");
});

test("IpAddress() refuses a zone that is not a string", () => {
  assertThrows(() => new IpAddress(new Uint8Array(16), 2 as unknown as string), TypeError, "zone must be a string");
});

test("IpAddress() refuses to be extended", () => {
  class Liar extends IpAddress {
    override toString(): string {
      return "8.8.8.8";
    }
  }
  assertThrows(() => new Liar(Uint8Array.of(127, 0, 0, 1)), TypeError, "subclass");
});

test("IpAddress is frozen with its prototype and its instances", () => {
  for (const object of [IpAddress, IpAddress.prototype, IpAddress.any4, IpAddress.parse("::1%lo")]) {
    assert(Object.isFrozen(object));
  }
});

test("IpAddress has the loopback and the unspecified addresses", () => {
  const { loopback4, loopback6, any4, any6 } = IpAddress;
  assertEquals([loopback4, loopback6, any4, any6].map(String), ["127.0.0.1", "::1", "0.0.0.0", "::"]);
});

test("IpAddress instances are deeply equal only when they are the same address", () => {
  assertEquals(IpAddress.parse("0::1"), IpAddress.loopback6);
  assertNotEquals(IpAddress.parse("10.0.0.1"), IpAddress.parse("10.0.0.2"));
  assertNotEquals(IpAddress.parse("fe80::1%a"), IpAddress.parse("fe80::1%b"));
});

test("IpAddress.equals() compares bytes and zone", () => {
  assert(IpAddress.parse("fe80:0::1%a").equals(IpAddress.parse("fe80::1%a")));
  assertFalse(IpAddress.parse("fe80::1%a").equals(IpAddress.parse("fe80::1")));
  assertFalse(IpAddress.parse("::ffff:127.0.0.1").equals(IpAddress.loopback4));
});

test("IpAddress.equals() is false for what only looks like an address", () => {
  assertFalse(IpAddress.loopback4.equals({ text: "127.0.0.1" } as IpAddress));
  assertFalse(IpAddress.loopback4.equals(undefined as unknown as IpAddress));
});

test("IpAddress.unmapped() returns the IPv4 address of a mapped one", () => {
  assertEquals(IpAddress.parse("::ffff:10.0.0.1").unmapped(), IpAddress.parse("10.0.0.1"));
  assertEquals(IpAddress.parse("::ffff:7f00:1%lo").unmapped(), IpAddress.loopback4);
});

test("IpAddress.unmapped() returns every other address itself", () => {
  for (const text of ["10.0.0.1", "::1", "::10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "1::ffff:10.0.0.1"]) {
    const ip = IpAddress.parse(text);
    assertStrictEquals(ip.unmapped(), ip);
  }
});

test("IpAddress.isIpAddress() is true only for instances of the class", () => {
  const { any6 } = IpAddress;
  assert(IpAddress.isIpAddress(any6));
  const fakes = [Object.create(IpAddress.prototype), Object.create(any6), new Proxy(any6, {}), { ...any6 }, "::", null];
  for (const fake of fakes) assertFalse(IpAddress.isIpAddress(fake));
});

test("escapeText() writes unprintable characters as code points", () => {
  assertEquals(escapeText("a\nb\x1b\u2028\u202e"), "a\\u{a}b\\u{1b}\\u{2028}\\u{202e}");
  assertEquals(escapeText(String.fromCodePoint(0xd800, 0x20, 0xe0041)), "\\u{d800} \\u{e0041}");
});

test("escapeText() keeps what can be printed", () => {
  assertEquals(escapeText('é "a" \\ 例'), 'é "a" \\ 例');
});

test("escapeText() cuts long text", () => {
  assertEquals(escapeText("abcdef", 3), "abc...");
  assertEquals(escapeText("abc", 3), "abc");
});

test("quoteText() escapes quotes, backslashes and unprintable characters", () => {
  assertEquals(quoteText('"\\\n\x85'), '"\\"\\\\\\n\\u{85}"');
});

test("quoteText() cuts long text after the quote", () => {
  assertEquals(quoteText("abcdef", 3), '"abc"...');
});
