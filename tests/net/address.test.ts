// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type Address,
  checkDatagramAddress,
  checkHostName,
  checkStreamAddress,
  checkTargetAddress,
  checkUnixPath,
  formatAddress,
  type HostAddress,
  hostAddress,
  maxUnixPathBytes,
  parseAddress,
  sameAddress,
  tcp,
  udp,
  unix,
} from "../../net/address.ts";
import { IpAddress } from "../../net/ip_address.ts";
import { test } from "../_test.ts";
import { generator } from "./_helpers.ts";

/** Names that some resolvers take for 127.0.0.1 or worse, and invalid names. */
const badNames = [
  ...["", ".", "..", "a..b", ".a", "a.."],
  ...[
    "0x7f000001",
    "0X7F000001",
    "0x",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "0",
    "0.",
  ],
  ...["2130706433", "7147006462", "425.510.425.510", "0251.0376.0251.0376", "127.0.0.1.", "127.0.0.1.."],
  ...["127。0。0。1", "１２７.0.0.1", "①②⑦.0.0.1", "аpi.example.com", "exämple.com"],
  ...[" 127.0.0.1", "127.0.0.1 ", "127.0.0.1\0.api.example.com", "127.0.0.1\r\nx", "a b", "a\tb", "a\n"],
  ...["foo.127", "foo.0x7f", "foo.1.", "[::1]", "[127.0.0.1]", "::1%25lo", "example.com:80", "api.example.com#x"],
  ...["a/b", "user@host", "*.example.com", "%41", "-a.example", "a-.example", "a.-"],
  ...[`${"a".repeat(64)}.example`, `${"a.".repeat(127)}b`, `${"a.".repeat(126)}bc`, "a".repeat(1e6)],
];

const goodNames = [
  ...["localhost", "LOCALHOST", "foo.localhost", "example.com", "example.com.", "API.EXAMPLE.COM", "a", "1a", "a_b"],
  ...["xn--pi-7kc.example.com", "_sip._tcp.example.com", "a--b", "0xg"],
  ...["1.example", "127.0.0.1.example", "0x7f.example"],
  ...["a".repeat(63), `${"a.".repeat(126)}a`, `${"a.".repeat(126)}a.`],
  ...["127.0.0.1", "0.0.0.0", "::1", "2001:DB8::1", "fe80::1%eth0"],
];

test("tcp() makes a frozen address of text", () => {
  const address = tcp("127.0.0.1", 80);
  assertEquals(address, { transport: "tcp", ip: IpAddress.loopback4, port: 80 });
  assert(Object.isFrozen(address));
});

test("udp() makes a frozen address of an IpAddress", () => {
  const address = udp(IpAddress.loopback6, 53);
  assertEquals(address, { transport: "udp", ip: IpAddress.loopback6, port: 53 });
  assert(Object.isFrozen(address));
});

test("tcp() and udp() refuse text that is not an IP address", () => {
  for (const text of ["localhost", "127.1", "[::1]", ""]) {
    assertThrows(() => tcp(text, 80), SyntaxError);
    assertThrows(() => udp(text, 80), SyntaxError);
  }
});

test("tcp() and udp() refuse an ip that is not an IpAddress", () => {
  for (const ip of [undefined, null, 2130706433, {}, Object.create(IpAddress.prototype)]) {
    assertThrows(() => tcp(ip as IpAddress, 80), TypeError, "ip must be an IpAddress");
    assertThrows(() => udp(ip as IpAddress, 80), TypeError, "ip must be an IpAddress");
  }
});

test("tcp(), udp() and hostAddress() accept every port from 0 to 65535", () => {
  for (const port of [0, 1, 443, 65535]) {
    assertEquals([tcp("::1", port).port, udp("::1", port).port, hostAddress("a", port).port], [port, port, port]);
  }
});

test("tcp(), udp() and hostAddress() refuse a port that is out of range", () => {
  for (const port of [-1, 65536, 443 + 65536, 443.5, NaN, Infinity, -Infinity, 2 ** 53]) {
    assertThrows(() => tcp("::1", port), RangeError, `current value is ${port}`);
    assertThrows(() => udp("::1", port), RangeError, `current value is ${port}`);
    assertThrows(() => hostAddress("a", port), RangeError, `current value is ${port}`);
  }
});

test("tcp(), udp() and hostAddress() refuse a port that is not a number", () => {
  for (const port of ["443", undefined, null, 443n, {}, "/run/x", true]) {
    assertThrows(() => tcp("::1", port as number), TypeError, "port must be a number");
    assertThrows(() => udp("::1", port as number), TypeError, "port must be a number");
    assertThrows(() => hostAddress("a", port as number), TypeError, "port must be a number");
  }
});

test("tcp() makes port -0 to 0", () => {
  assert(Object.is(tcp("::1", -0).port, 0));
});

test("unix() makes a frozen address of a path, an abstract name or nothing", () => {
  for (const path of ["/run/x", "relative", "\0x", "\0", "", "@x", "a\nb", "é"]) {
    const address = unix(path);
    assertEquals(address, { transport: "unix", path });
    assert(Object.isFrozen(address));
  }
});

test("unix() refuses anything but a string", () => {
  for (const path of [undefined, null, 3, { fd: 3 }, new Uint8Array(2)]) {
    assertThrows(() => unix(path as unknown as string), TypeError, "path must be a string");
  }
});

test("unix() refuses a NUL that is not the first character", () => {
  for (const path of ["/run/x\0", "a\0b", "\0a\0", "\0\0"]) assertThrows(() => unix(path), TypeError, "NUL");
});

test("hostAddress() makes a frozen address with the name as given", () => {
  const address = hostAddress("API.Example.com.", 443);
  assertEquals(address, { transport: "host", name: "API.Example.com.", port: 443 });
  assert(Object.isFrozen(address));
});

test("hostAddress() refuses what cannot be a host name", () => {
  for (const name of badNames) assertThrows(() => hostAddress(name, 80), SyntaxError, "Cannot", JSON.stringify(name));
});

test("checkHostName() accepts host names and canonical literals", () => {
  for (const name of goodNames) checkHostName(name);
});

test("checkHostName() refuses numeric aliases, malformed names and hostile text", () => {
  for (const name of badNames) assertThrows(() => checkHostName(name), SyntaxError, "Cannot", JSON.stringify(name));
});

test("checkHostName() refuses anything but a string", () => {
  for (const name of [undefined, null, 0, {}, ["a"]]) {
    assertThrows(() => checkHostName(name as unknown as string), TypeError, "must be a string");
  }
});

test("checkHostName() names the text and the rule it breaks", () => {
  assertThrows(
    () => checkHostName("127.1"),
    SyntaxError,
    'Cannot use host name "127.1": a name that ends in a number must be a canonical IPv4 address',
  );
});

test("checkHostName() escapes and cuts hostile text", () => {
  for (const name of ["\r\n\x1b[2J".repeat(1e5), "a".repeat(1e6), ":\u202e".repeat(1e5)]) {
    const { message } = assertThrows(() => checkHostName(name), SyntaxError);
    assert(message.length < 1500 && /^[\x20-\x7e]+$/.test(message), message.slice(0, 2000));
  }
});

test("formatAddress() writes every kind of address", () => {
  const cases: [Address | HostAddress, string][] = [
    [tcp("127.0.0.1", 8080), "tcp:127.0.0.1:8080"],
    [tcp("::1", 8080), "tcp:[::1]:8080"],
    [tcp("fe80::1%eth0", 80), "tcp:[fe80::1%eth0]:80"],
    [udp("127.0.0.1", 53), "udp:127.0.0.1:53"],
    [udp("::ffff:10.0.0.1", 0), "udp:[::ffff:10.0.0.1]:0"],
    [unix("/run/x"), "unix:/run/x"],
    [unix("\0x"), "unix:@x"],
    [unix("\0"), "unix:@"],
    [unix(""), "unix:"],
    [unix("@x"), "unix:./@x"],
    [unix("./@x"), "unix:././@x"],
    [unix("./x"), "unix:./x"],
    [unix("a:b@c"), "unix:a:b@c"],
    [hostAddress("example.com", 80), "host:example.com:80"],
    [hostAddress("127.0.0.1", 80), "host:127.0.0.1:80"],
    [hostAddress("::1", 80), "host:[::1]:80"],
  ];
  for (const [address, text] of cases) {
    assertEquals(formatAddress(address), text);
    assertEquals(parseAddress(text), address);
  }
});

test("formatAddress() refuses anything but an address", () => {
  for (const value of [undefined, null, "tcp:127.0.0.1:80", {}, { transport: "sctp" }]) {
    assertThrows(() => formatAddress(value as unknown as Address), TypeError, "must be an address");
  }
});

test("parseAddress() reads what formatAddress() wrote", () => {
  const below = generator(4);
  const pieces = ["@", "./", "/", ".", "x", ":", "[", "]", "%", " ", "\n", "é", "unix:", "\ud800", "..", "@@", "\\"];
  const labels = ["a", "B-2", "x_y", "xn--a", "127", "0x7f"];
  const makers: (() => Address | HostAddress)[] = [
    () => tcp(new IpAddress(Uint8Array.from({ length: 4 }, () => below(256))), below(65536)),
    () => udp(new IpAddress(Uint8Array.from({ length: 16 }, () => below(2) * below(256))), below(65536)),
    () => tcp(new IpAddress(Uint8Array.from({ length: 16 }, () => below(256)), `eth${below(9)}`), below(65536)),
    () => unix((below(4) === 0 ? "\0" : "") + Array.from({ length: below(6) }, () => pieces[below(17)]).join("")),
    () => hostAddress(`${Array.from({ length: below(4) }, () => `${labels[below(6)]}.`).join("")}z`, below(65536)),
    () => hostAddress(`${new IpAddress(Uint8Array.from({ length: 16 }, () => below(256)))}`, below(65536)),
  ];
  for (let round = 0; round < 10_000; round++) {
    const address = makers[below(makers.length)]();
    assertEquals(parseAddress(formatAddress(address)), address, formatAddress(address));
  }
});

test("formatAddress() writes what parseAddress() read, and no two texts are one Unix address", () => {
  const below = generator(5);
  const pieces = ["@", "./", "/", ".", "x", ":"];
  for (let round = 0; round < 5000; round++) {
    const text = `unix:${Array.from({ length: below(6) }, () => pieces[below(6)]).join("")}`;
    assertEquals(formatAddress(parseAddress(text)), text);
  }
});

test("parseAddress() returns a frozen address", () => {
  for (const text of ["tcp:127.0.0.1:80", "udp:[::1]:80", "unix:/run/x", "host:a:80"]) {
    assert(Object.isFrozen(parseAddress(text)));
  }
});

test("parseAddress() refuses what formatAddress() does not write", () => {
  const texts = [
    ...["", ":", "tcp", "tcp:", "127.0.0.1:80", "http:127.0.0.1:80", "TCP:127.0.0.1:80", " tcp:127.0.0.1:80"],
    ...["tcp:127.0.0.1:80 ", "tcp:127.0.0.1:80\n", "tcp:127.0.0.1", "tcp:127.0.0.1:", "tcp::80", "tcp:127.0.0.1:080"],
    ...["tcp:127.0.0.1:00", "tcp:127.0.0.1:65536", "tcp:127.0.0.1:99999999999999999999", "tcp:127.0.0.1:-1"],
    ...["tcp:127.0.0.1:+80", "tcp:127.0.0.1:0x50", "tcp:127.0.0.1:8e1", "tcp:127.0.0.1:８０", "tcp:127.0.0.1:443.5"],
    ...["tcp:127.0.0.1:/run/x", "tcp:127.0.0.1:http", "tcp:127.0.0.1:80:80", "tcp:127.0.0.1\0:80"],
    ...["tcp:[127.0.0.1]:80", "tcp:::1:80", "tcp:[::1]", "tcp:[::1]80", "tcp:[[::1]]:80", "tcp:[::1:80", "tcp:::1]:80"],
    ...["tcp:[fe80::1%25eth0]:80", "tcp:127.1:80", "tcp:0177.0.0.1:80", "tcp:localhost:80", "udp:example.com:53"],
    ...["host:example.com", "host::80", "host:[example.com]:80", "host:127.1:80", "host:[::1:80", "host:a b:80"],
    ...["unix:a\0b", "unix:\0x", "unix:@x\0"],
  ];
  for (const text of texts) {
    assertThrows(() => parseAddress(text), SyntaxError, "Cannot parse address", JSON.stringify(text));
  }
});

test("parseAddress() names the text and the rule it breaks", () => {
  assertThrows(
    () => parseAddress("tcp:127.1:80"),
    SyntaxError,
    'Cannot parse address "tcp:127.1:80": cannot parse IP address "127.1": an IPv4 address has four decimal numbers',
  );
  assertThrows(() => parseAddress("x"), SyntaxError, 'Cannot parse address "x": an address begins with "tcp:"');
});

test("parseAddress() escapes and cuts hostile text", () => {
  for (const prefix of ["", "tcp:", "host:", "unix:\0"]) {
    const { message } = assertThrows(() => parseAddress(prefix + "\x1b\u202e\n:80".repeat(1e5)), SyntaxError);
    assert(message.length < 2000 && /^[\x20-\x7e]+$/.test(message), message.slice(0, 2000));
  }
});

test("parseAddress() refuses anything but a string", () => {
  for (const value of [undefined, null, 80, tcp("::1", 80)]) {
    assertThrows(() => parseAddress(value as unknown as string), TypeError, "must be a string");
  }
});

test("checkUnixPath() accepts a path and an abstract name of the longest length", () => {
  for (const path of ["x", "/run/x", "@x", "\0x", "x".repeat(107), `\0${"x".repeat(107)}`, "é".repeat(53)]) {
    checkUnixPath(path);
  }
});

test("checkUnixPath() refuses an empty path", () => {
  for (const path of ["", "\0"]) assertThrows(() => checkUnixPath(path), TypeError, "it is empty");
});

test("checkUnixPath() refuses a path that the system would cut", () => {
  for (const path of ["x".repeat(108), `\0${"x".repeat(108)}`, "é".repeat(54), "x".repeat(1e6)]) {
    assertThrows(() => checkUnixPath(path), TypeError, `the system takes ${maxUnixPathBytes}`);
  }
});

test("checkUnixPath() refuses a NUL and a lone surrogate", () => {
  for (const path of ["a\0b", "\0a\0", "\ud800", "a\udfffb"]) assertThrows(() => checkUnixPath(path), TypeError);
});

test("checkStreamAddress() accepts what tcp() and unix() make and what has their shape", () => {
  for (const address of [tcp("127.0.0.1", 80), unix("/run/x"), unix("")]) {
    assertEquals(checkStreamAddress(address), address);
    assertEquals(checkStreamAddress({ ...address, more: 1 }), address);
  }
});

test("checkStreamAddress() returns a frozen copy and reads each field once", () => {
  let reads = 0;
  const value = {
    transport: "tcp",
    ip: IpAddress.loopback4,
    get port(): number {
      return reads++ === 0 ? 443 : 22;
    },
  };
  const address = checkStreamAddress(value);
  assert(Object.isFrozen(address));
  assertEquals(address, tcp("127.0.0.1", 443));
  assertEquals(reads, 1);
});

test("checkStreamAddress() refuses anything but the address of a stream socket", () => {
  const values = [
    undefined,
    null,
    "tcp:127.0.0.1:80",
    80,
    [],
    {},
    { transport: "sctp" },
    { transport: "toString" },
    { transport: "tcp", port: 80 },
    { transport: "tcp", ip: "127.0.0.1", port: 80 },
    { transport: "tcp", ip: { ...IpAddress.loopback4 }, port: 80 },
    { transport: "tcp", ip: IpAddress.loopback4, port: "80" },
    { transport: "unix" },
    { transport: "unix", path: "a\0b" },
    { fd: 3 },
    udp("127.0.0.1", 80),
    hostAddress("example.com", 80),
  ];
  for (const value of values) assertThrows(() => checkStreamAddress(value), TypeError, "Cannot");
});

test("checkStreamAddress() refuses a port that is out of range", () => {
  for (const port of [443.5, 443 + 65536, -1, NaN]) {
    assertThrows(() => checkStreamAddress({ transport: "tcp", ip: IpAddress.loopback4, port }), RangeError);
  }
});

test("checkStreamAddress() names the value that is wrong", () => {
  assertThrows(() => checkStreamAddress({ transport: "sctp" }), TypeError, 'current value is "sctp"');
  assertThrows(() => checkStreamAddress(udp("::1", 80)), TypeError, '"udp:[::1]:80"');
});

test("checkDatagramAddress() accepts udp() and unix(), and nothing else", () => {
  for (const address of [udp("127.0.0.1", 80), unix("/run/x")]) {
    assertEquals(checkDatagramAddress({ ...address }), address);
  }
  for (const address of [tcp("::1", 80), hostAddress("a", 80), {}]) {
    assertThrows(() => checkDatagramAddress(address), TypeError, "Cannot use address");
  }
});

test("checkTargetAddress() accepts tcp(), unix() and hostAddress(), and nothing else", () => {
  for (const address of [tcp("127.0.0.1", 80), unix("/run/x"), hostAddress("a", 80)]) {
    assertEquals(checkTargetAddress({ ...address }), address);
  }
  for (const address of [udp("::1", 80), {}]) assertThrows(() => checkTargetAddress(address), TypeError);
});

test("checkTargetAddress() refuses an object with what cannot be a host name", () => {
  assertThrows(() => checkTargetAddress({ transport: "host", name: "127.1", port: 80 }), SyntaxError);
  assertThrows(() => checkTargetAddress({ transport: "host", name: 1, port: 80 }), TypeError);
});

test("sameAddress() is true for the same address however it was made", () => {
  const pairs: [Address | HostAddress, Address | HostAddress][] = [
    [tcp("::1", 80), tcp(IpAddress.loopback6, 80)],
    [udp("0:0::1", 80), udp("::1", 80)],
    [unix("\0x"), parseAddress("unix:@x")],
    [hostAddress("API.example.com", 80), hostAddress("api.example.com", 80)],
  ];
  for (const [a, b] of pairs) assert(sameAddress(a, b));
});

test("sameAddress() is false for any two different addresses", () => {
  const all = [
    tcp("127.0.0.1", 80),
    tcp("127.0.0.1", 81),
    tcp("::ffff:127.0.0.1", 80),
    tcp("fe80::1", 80),
    tcp("fe80::1%a", 80),
    udp("127.0.0.1", 80),
    unix(""),
    unix("x"),
    unix("\0x"),
    unix("@x"),
    hostAddress("127.0.0.1", 80),
    hostAddress("a", 80),
    hostAddress("a", 81),
    hostAddress("a.", 80),
  ];
  for (const a of all) {
    for (const b of all) assertStrictEquals(sameAddress(a, b), a === b, `${formatAddress(a)} ${formatAddress(b)}`);
  }
  assertFalse(sameAddress(all[0], all[1]));
});
