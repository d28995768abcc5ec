// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { IpAddress } from "../../../mod.ts";
import { type NetPolicy, publicOnly, restrict } from "../../../net/confine/mod.ts";
import { checkPolicy } from "../../../net/confine/_checked_policy.ts";
import { coversIp, coversName, coversPath, parseRule, type RuleList } from "../../../net/confine/_rule.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";

const net = memoryNet();

test("restrict() refuses a rule that cannot be parsed, quotes it and says why", () => {
  const bad: Record<string, string> = {
    "": "it is empty",
    ":443": 'its host is empty: "*" is any',
    "https://api.example.com": 'it is a URL: write its host and port, as in "example.com:443"',
    "https://api.example.com:443/v1": "it is a URL",
    "/run/pg.sock": 'a Unix path is written after "unix:"',
    "@docker": 'a Unix path is written after "unix:"',
    "tcp:10.0.0.1:80": 'write the host and port without "tcp:"',
    "host:api.example.com:443": 'write the host and port without "host:"',
    "tcp:[::1]:80": 'write the host and port without "tcp:"',
    "api.example.com": 'it has no port: write ":" and a port, or ":*" for any',
    "api.example.com:": "a port is",
    "api.example.com:0": "port 0 can only be bound",
    "api.example.com:0443": "without leading zeros",
    "api.example.com:65536": "up to 65535",
    "api.example.com:+1": "a port is",
    "api.example.com: 443": "a port is",
    "api.example.com:443:444": "it is not a host and a port",
    " api.example.com:443": "not part of a host name",
    "api..example.com:443": "a label has 1 to 63 characters",
    ".example.com:443": "a label has 1 to 63 characters",
    "*.:443": "it is empty",
    "*.*.example.com:443": '"*" stands alone',
    "api.*.com:443": '"*" stands alone',
    "*example.com:443": '"*" stands alone',
    "*.10.0.0.1:443": "no name is below an address",
    "аpi.example.com:443": "A-label",
    "127.1:80": "canonical IPv4",
    "0x7f000001:80": "canonical IPv4",
    "10.0.0.1/8:80": "10.0.0.1 has bits after the first 8",
    "10.0.0.0/08:80": "without leading zeros",
    "10.0.0.0/33:80": "up to 32",
    "10.0.0.0/:80": "the length of a prefix",
    "10.0.0.0/8/8:80": "the length of a prefix",
    "[10.0.0.1]:80": "only an IPv6 address has brackets",
    "[api.example.com]:80": "only an IPv6 address has brackets",
    "[::1/0]:80": "::1 has bits after the first 0",
    "[fe80::1%eth0]:80": "a rule has no zone",
    "[::1:80": "it is not a host and a port",
    "::1:80": "port",
    "http://api.example.com": "it is a URL",
    "api.example.com/x:443": "not part of an address",
    "unix:": "it is empty",
    "unix:/run/*": '"*" is not part of a path',
    "unix:@": "it is empty",
    "unix:/a\0b": "an abstract name begins with",
  };
  for (const [rule, reason] of Object.entries(bad)) {
    const { message } = assertThrows(() => restrict(net, { connect: [rule] }), SyntaxError);
    assertStringIncludes(message, reason);
    assertStringIncludes(
      message,
      `Cannot restrict a network by rule ${JSON.stringify(rule)}`,
    );
  }
});

test("restrict() refuses a rule that means nothing in its list", () => {
  const bad: readonly (readonly [RuleList, string])[] = [
    ["listen", "example.com:80"],
    ["bind", "*.example.com:80"],
    ["send", "example.com:53"],
    ["send", "10.0.0.1:0"],
    ["lookup", "example.com:80"],
    ["lookup", "*:*"],
    ["lookup", "unix:*"],
    ["listen", "10.0.0.1"],
  ];
  for (const [list, rule] of bad) assertThrows(() => restrict(net, { [list]: [rule] }), SyntaxError, list);
});

test("restrict() accepts every form of rule", () => {
  const policy: NetPolicy = {
    connect: ["api.example.com:443", "*.example.com:443", "*:1", "*:*", "10.0.0.0/8:5432", "10.1.2.3:*", "[::1]:*"],
    listen: ["127.0.0.1:0", "[::]:80", "[2001:db8::/32]:443", "unix:/run/pg.sock", "unix:@abstract", "unix:*"],
    bind: ["*:*"],
    send: ["[::ffff:10.0.0.0/104]:53"],
    lookup: ["*", "example.com", "*.example.com", "10.0.0.0/8", "[::1]", "fd00::/8"],
    deny: ["*:25", "evil.example", "169.254.0.0/16", "[fd00:ec2::254]", "fd00::/8", "fe80::1", "unix:/run/docker.sock"],
    addresses: "any",
    onDenied: undefined,
  };
  restrict(net, policy);
  restrict(net, {});
});

test("restrict() refuses fields and values of another kind", () => {
  const bad: readonly unknown[] = [
    undefined,
    null,
    "*:*",
    [],
    ["*:*"],
    new Map([["connect", ["*:*"]]]),
    Promise.resolve({ connect: ["*:*"] }),
    { conect: [] },
    { [Symbol("connect")]: [] },
    { connect: "*:*" },
    { connect: [443] },
    { connect: [new String("*:*")] },
    { connect: [["*:*"]] },
    { connect: new Array(1) },
    { connect: new Set(["*:*"]) },
    { addresses: "private" },
    { addresses: true },
    { onDenied: {} },
    { connect: null },
  ];
  for (const policy of bad) {
    assertThrows(() => restrict(net, policy as NetPolicy), TypeError, "Cannot restrict a network");
  }
  for (const make of [publicOnly, (net: never) => restrict(net, {})]) {
    assertThrows(() => make({} as never), TypeError, "net must be a Net");
  }
});

test("restrict() ignores fields that a policy inherits", () => {
  const policy = checkPolicy(Object.create({ connect: ["*:*"] }));
  assertEquals([policy.connect, policy.lookup], [[], []]);
});

test("restrict() reads each field and each rule once, in an array of any class", () => {
  const reads: PropertyKey[] = [];
  class Rules extends Array<string> {
    static override get [Symbol.species](): ArrayConstructor {
      throw new Error("Cannot be asked");
    }
  }
  const rules = Rules.from(["10.0.0.1:1", "10.0.0.2:2"]);
  const connect = new Proxy(rules, {
    get(target, key, receiver) {
      if (key === "0" || key === "1") reads.push(key);
      return Reflect.get(target, key, receiver);
    },
  });
  const policy = {
    get connect() {
      reads.push("connect");
      return connect;
    },
  };
  assertEquals(checkPolicy(policy).connect.map(({ text }) => text), ["10.0.0.1:1", "10.0.0.2:2"]);
  assertEquals(reads, ["connect", "0", "1"]);
});

test("a rule of a name covers the name in its canonical form", () => {
  const rule = parseRule("connect", "API.Example.com.:443");
  assertEquals(coversName(rule, "api.example.com", 443), true);
  assertEquals(coversName(rule, "api.example.com", 80), false);
  assertEquals(coversName(rule, "x.api.example.com", 443), false);
  assertEquals(coversIp(rule, IpAddress.loopback4, 443), false);
});

test("a rule of the names below one covers any depth, and not the name itself", () => {
  const rule = parseRule("connect", "*.example.com:*");
  for (const name of ["a.example.com", "a.b.example.com"]) assertEquals(coversName(rule, name, 1), true);
  for (const name of ["example.com", "xexample.com", "example.com.evil"]) {
    assertEquals(coversName(rule, name, 1), false);
  }
});

test("a rule of a block covers an address and its mapped form, and no name", () => {
  for (const text of ["10.0.0.0/8:*", "[::ffff:10.0.0.0/104]:*"]) {
    const rule = parseRule("connect", text);
    for (const ip of ["10.1.2.3", "::ffff:10.1.2.3"]) assertEquals(coversIp(rule, IpAddress.parse(ip), 1), true);
    for (const ip of ["11.0.0.1", "::a00:1"]) assertEquals(coversIp(rule, IpAddress.parse(ip), 1), false);
    assertEquals(coversName(rule, "10.example.com", 1), false);
  }
});

test("a rule of any host covers names and addresses, and no path", () => {
  const rule = parseRule("connect", "*:443");
  assertEquals([coversName(rule, "a", 443), coversIp(rule, IpAddress.any6, 443), coversIp(rule, IpAddress.any6, 1)], [
    true,
    true,
    false,
  ]);
  assertEquals(coversPath(rule, "/run/x"), false);
});

test("a rule of a path covers that spelling", () => {
  assertEquals(coversPath(parseRule("connect", "unix:/run/x"), "/run/x"), true);
  assertEquals(coversPath(parseRule("connect", "unix:/run/x"), "/run//x"), false);
  assertEquals(coversPath(parseRule("connect", "unix:@x"), "\0x"), true);
  assertEquals(coversPath(parseRule("connect", "unix:./@x"), "@x"), true);
  assertEquals(coversPath(parseRule("connect", "unix:*"), "\0y"), true);
});
