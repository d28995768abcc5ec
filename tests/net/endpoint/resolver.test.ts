// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Cancelled, type Net, NetError, tcp, TimeoutError, unix, withTimeout } from "../../../mod.ts";
import {
  custom,
  firstOf,
  formatEndpoint,
  localhostResolver,
  orElse,
  type Resolver,
  type Rewrites,
  type RewriteTarget,
  type Service,
  servicesOf,
  standardServices,
  staticResolver,
  systemResolver,
  tls,
  unknown,
} from "../../../net/endpoint/mod.ts";
import { memoryNet, mockClock } from "../../../net/testing/mod.ts";
import { inCancelledScope, outcomeOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";

const net = memoryNet();
const resolver = systemResolver(net);
const resolve = async (url: string | URL, rewrites?: Rewrites) =>
  formatEndpoint(await resolver.resolve(url, { rewrites }));

const urls: [url: string | URL, text: string][] = [
  // a scheme is needed, and must be a service
  ["a.test", "unknown:no scheme"],
  ["a.test:80", "unknown:no scheme"],
  ["localhost:8080/path?query", "unknown:no scheme"],
  ["//a.test/", "unknown:no scheme"],
  ["", "unknown:no scheme"],
  [" http://a.test", "unknown:no scheme"],
  ["1http://a.test", "unknown:no scheme"],
  ["gopherx://a.test", "unknown:no such service"],
  ["javascript:alert(1)", "unknown:no such service"],
  ["constructor://a.test", "unknown:no such service"],
  ["sip:alice@a.test", "unknown:no such service"],
  // without a host
  ["http:///index.html", "host:localhost:80"],
  ["http://:8080/", "host:localhost:8080"],
  ["http://user@/", "host:localhost:80"],
  ["imaps:", "tls:localhost/host:localhost:993"],
  // a written port counts, the default one too
  ["http://a.test", "host:a.test:80"],
  ["http://a.test:80", "host:a.test:80"],
  ["http://a.test:443/", "host:a.test:443"],
  ["http://a.test:/", "host:a.test:80"],
  ["http://a.test:0080/", "host:a.test:80"],
  ["ws://a.test:80", "host:a.test:80"],
  ["wss://a.test", "tls:a.test/host:a.test:443"],
  ["https://a.test:443", "tls:a.test/host:a.test:443"],
  ["https://a.test:80", "tls:a.test/host:a.test:80"],
  ["HTTPS://a.test?x", "tls:a.test/host:a.test:443"],
  ["https://a.test#x", "tls:a.test/host:a.test:443"],
  [new URL("https://a.test:443/x"), "tls:a.test/host:a.test:443"],
  [new URL("redis://A.Test:7000"), "host:a.test:7000"],
  // users do not matter
  ["http://user:pass@a.test:8080/x@y", "host:a.test:8080"],
  // names are normalized
  ["http://A.Test./", "host:a.test:80"],
  ["https://A.TEST.:8443/", "tls:a.test/host:a.test:8443"],
  ["http://bücher.example/", "host:xn--bcher-kva.example:80"],
  ["http://BÜCHER.example/", "host:xn--bcher-kva.example:80"],
  [new URL("redis://bücher.example"), "host:xn--bcher-kva.example:6379"],
  ["http://a%2Etest/", "host:a.test:80"],
  // literals are TCP
  ["http://127.0.0.1/", "tcp:127.0.0.1:80"],
  ["http://127.0.0.1./", "tcp:127.0.0.1:80"],
  ["http://0x7f.1:81/", "tcp:127.0.0.1:81"],
  ["http://[::1]/", "tcp:[::1]:80"],
  ["http://[0:0::0001]:81/", "tcp:[::1]:81"],
  ["https://[2001:DB8::1]/", "tls:2001:db8::1/tcp:[2001:db8::1]:443"],
  ["https://[fe80::1%25eth0]:8443/", "tls:fe80::1/tcp:[fe80::1%eth0]:8443"],
  [new URL("https://127.1/"), "tls:127.0.0.1/tcp:127.0.0.1:443"],
];

for (const [url, text] of urls) {
  test(`systemResolver() resolves ${typeof url === "string" ? "" : "the URL "}${JSON.stringify(url)}`, async () => {
    assertEquals(await resolve(url), text);
  });
}

for (
  const url of [
    "http://a b/",
    "http://a\tb/",
    "http://a.test\n/",
    "http://a.test\\@b.test/",
    "http://b.test@a.test@c.test/",
    "http://a..test/",
    "http://a.test../",
    "http://./",
    "http://-a.test/",
    "http://a.test:65536/",
    "http://a.test:99999999999999999999/",
    "http://a.test:8o/",
    "http://a:b:80/",
    "http://[::1/",
    "http://[::1]x/",
    "http://[a.test]/",
    "http://[1.2.3.4]/",
    "http://[127.0.0.1%25x]/",
    "http://a%00.test/",
    "http://1.2.3.256/",
  ]
) {
  test(`systemResolver() refuses ${JSON.stringify(url)}`, async () => {
    const error = await assertRejects(() => resolver.resolve(url), SyntaxError);
    assert(/^Cannot [^\n]{10,300}$/.test(error.message), error.message);
  });
}

test("a resolver does not show a password, whatever is in it", async () => {
  for (const url of ["http://u:sec@ret@a.test/", "http://u:secret/x@a.test/", "http://u:secret@a b/"]) {
    const error = await assertRejects(() => resolver.resolve(url), SyntaxError);
    assertEquals(/sec|ret/.exec(error.message), null);
  }
});

test("a resolver refuses what is neither text nor a URL", async () => {
  for (const url of [undefined, null, 1, {}]) {
    await assertRejects(() => resolver.resolve(url as never), TypeError, "url must be a string or a URL");
  }
});

test("rewrites match on the boundaries of labels, and the longest suffix wins", async () => {
  const to = (reason: string) => () => unix(`/${reason}`);
  const rewrites: Rewrites = {
    "": to("all"),
    "example.com": to("example"),
    ".example.com": to("below"),
    "Deep.Example.com.": to("deep"),
    ".only.test": to("only"),
    "bücher.example": to("idn"),
    "127.0.0.1": to("v4"),
    "0:0::1": to("v6"),
  };
  const expected: Record<string, string> = {
    "example.com": "example",
    "a.example.com": "below",
    "deep.example.com": "deep",
    "a.deep.example.com": "deep",
    "xdeep.example.com": "below",
    "badexample.com": "all",
    "example.com.test": "all",
    "only.test": "all",
    "a.b.only.test": "only",
    "com": "all",
    "EXAMPLE.COM.": "example",
    "BÜCHER.example": "idn",
    "www.xn--bcher-kva.example": "idn",
    "127.0.0.1": "v4",
    "127.1": "v4",
    "[::1]": "v6",
    "[::2]": "all",
    "": "all",
  };
  for (const [host, name] of Object.entries(expected)) {
    assertEquals([host, await resolve(`http://${host}/`, rewrites)], [host, `unix:/${name}`]);
  }
});

test("a suffix does not match a part of an IP address", async () => {
  const rewrites = { ".0.0.1": () => unix("/x"), "0.0.1": () => unix("/x") };
  assertEquals(await resolve("http://10.0.0.1/", rewrites), "tcp:10.0.0.1:80");
});

test("a rewrite is told the host, the service and the port", async () => {
  const told: RewriteTarget[] = [];
  const rewrites: Rewrites = { "": (target) => (told.push(target), unix("/x")) };
  await resolver.resolve("https://A.Test.:8443/x", { rewrites });
  await resolver.resolve("ws://", { rewrites });
  assertEquals(told, [
    { host: "a.test", service: { name: "https", port: 443, tls: true }, port: 8443 },
    { host: "localhost", service: { name: "ws", port: 80, tls: false }, port: 80 },
  ]);
  assert(told.every((target) => Object.isFrozen(target) && Object.isFrozen(target.service)));
});

test("TLS comes around what a rewrite returns, also around TLS, never around unknown", async () => {
  assertEquals(await resolve("https://a.test", { "": () => unix("/x") }), "tls:a.test/unix:/x");
  assertEquals(await resolve("http://a.test", { "": () => unix("/x") }), "unix:/x");
  assertEquals(
    await resolve("https://a.test", { "": () => tls("b.test", unix("/x")) }),
    "tls:a.test/tls:b.test/unix:/x",
  );
  assertEquals(await resolve("https://a.test", { "": () => unknown("down") }), "unknown:down");
  assertEquals(await resolve("https://a.test", { "": () => Promise.resolve(custom("x", 1)) }), "tls:a.test/custom:x/1");
});

test("the rewrites of a call are laid over those of the resolver", async () => {
  const own = systemResolver(net, { rewrites: { "a.test": () => unix("/own"), "deep.b.test": () => unix("/own") } });
  const resolve = async (url: string) =>
    formatEndpoint(
      await own.resolve(url, { rewrites: { "A.test": () => unix("/call"), "b.test": () => unix("/call") } }),
    );
  assertEquals(await resolve("http://a.test"), "unix:/call");
  assertEquals(await resolve("http://deep.b.test"), "unix:/own");
  assertEquals(await resolve("http://b.test"), "unix:/call");
  assertEquals(formatEndpoint(await own.resolve("http://a.test")), "unix:/own");
});

test("a resolver passes on what a rewrite throws, and refuses what is not an endpoint", async () => {
  const problem = new Error("Cannot ask");
  const throwing = () => {
    throw problem;
  };
  assertEquals(await outcomeOf(() => resolve("http://a.test", { "": throwing })), problem);
  assertEquals(await outcomeOf(() => resolve("http://a.test", { "": () => Promise.reject(problem) })), problem);
  await assertRejects(() => resolve("http://a.test", { "": (() => "tcp:1.2.3.4:1") as never }), TypeError);
});

test("a resolver refuses wrong rewrites before anything else", async () => {
  await assertRejects(() => resolve("http://a.test", { "a b": () => unix("/x") }), SyntaxError, "host name");
  await assertRejects(() => resolve("http://a.test", { ".": () => unix("/x") }), SyntaxError);
  await assertRejects(() => resolve("http://a.test", { "[::1": () => unix("/x") }), SyntaxError);
  await assertRejects(() => resolve("x", { "a.test": 1 as never }), TypeError, 'a rewrite of "a.test"');
  await assertRejects(() => resolver.resolve("http://a.test", { rewrites: [] as never }), TypeError, "rewrites");
  await assertRejects(() => resolver.resolve("http://a.test", 1 as never), TypeError, "options");
  assertThrows(() => systemResolver(net, { rewrites: 1 as never }), TypeError, "rewrites must be an object");
  assertThrows(() => systemResolver(net, { services: 1 as never }), TypeError, "not a function");
  assertThrows(() => systemResolver({} as never), TypeError, "net must be a Net");
  assertThrows(() => systemResolver(net, { prefer: 5 as never }), RangeError, "prefer must be 4 or 6");
});

test("a resolver has the services that it is given, and checks what they return", async () => {
  const own = systemResolver(net, { services: servicesOf({ http: { port: 8080, tls: true } }) });
  assertEquals(formatEndpoint(await own.resolve("http://a.test")), "tls:a.test/host:a.test:8080");
  assertEquals(formatEndpoint(await own.resolve("https://a.test")), "unknown:no such service");
  const wrong = systemResolver(net, { services: () => ({ name: "x", port: 70000, tls: false }) });
  await assertRejects(() => wrong.resolve("x://a.test"), RangeError, "port of a service");
});

test("a cancelled caller does not wait for a rewrite", async () => {
  const clock = mockClock();
  const waiting = assertRejects(
    () =>
      withTimeout(
        clock,
        1000,
        () => resolver.resolve("http://a.test", { rewrites: { "": () => new Promise(() => {}) } }),
      ),
    TimeoutError,
  );
  clock.advance();
  await waiting;
  await inCancelledScope(() => assertRejects(() => resolver.resolve("a.test"), Cancelled));
});

/** A network whose lookups have this outcome. */
const lookupNet = (outcome: () => Promise<unknown>): Net => ({
  ...net,
  clock: net.clock,
  getAddrInfo: outcome as never,
});

test("systemResolver() with a preference looks up, and takes an address of that version first", async () => {
  const both = lookupNet(() => Promise.resolve([tcp("192.0.2.1", 0), tcp("2001:db8::1", 0), tcp("2001:db8::2", 0)]));
  const six = systemResolver(both, { prefer: 6 });
  assertEquals(formatEndpoint(await six.resolve("https://a.test")), "tls:a.test/tcp:[2001:db8::1]:443");
  const four = lookupNet(() => Promise.resolve([tcp("192.0.2.1", 0), tcp("192.0.2.2", 0)]));
  assertEquals(
    formatEndpoint(await systemResolver(four, { prefer: 6 }).resolve("http://a.test:81")),
    "tcp:192.0.2.1:81",
  );
  const none = lookupNet(() => Promise.reject(new Error("Cannot be asked")));
  assertEquals(formatEndpoint(await systemResolver(none, { prefer: 4 }).resolve("http://[::1]")), "tcp:[::1]:80");
});

test("systemResolver() takes a failed or empty lookup for unknown, and passes other errors on", async () => {
  const failing = (outcome: () => Promise<unknown>) =>
    outcomeOf(() => systemResolver(lookupNet(outcome), { prefer: 4 }).resolve("https://a.test"));
  const error = (code: "address_lookup_failed" | "permission_denied") => new NetError(code, { operation: "lookup" });
  assertEquals(await failing(() => Promise.resolve([])), unknown("name resolution failed"));
  assertEquals(await failing(() => Promise.reject(error("address_lookup_failed"))), unknown("name resolution failed"));
  const denied = error("permission_denied");
  assertEquals(await failing(() => Promise.reject(denied)), denied);
});

test("staticResolver() knows the hosts of its table, after the rewrites", async () => {
  const own = staticResolver(
    { "A.test.": (port) => tcp("192.0.2.1", port), "b.test": unix("/b"), "0:0::1": unix("/six"), "c.test": unix("/c") },
    { rewrites: { "c.test": () => unix("/rewritten") } },
  );
  const resolve = async (url: string) => formatEndpoint(await own.resolve(url));
  assertEquals(await resolve("http://a.test:81"), "tcp:192.0.2.1:81");
  assertEquals(await resolve("https://b.test"), "tls:b.test/unix:/b");
  assertEquals(await resolve("http://[::1]"), "unix:/six");
  assertEquals(await resolve("http://c.test"), "unix:/rewritten");
  assertEquals(await resolve("https://below.b.test"), "unknown:name resolution failed");
  assertEquals(await resolve("http://constructor"), "unknown:name resolution failed");
  assertThrows(() => staticResolver(1 as never), TypeError, "table must be an object");
  assertThrows(() => staticResolver({ "a b": unix("/x") }), SyntaxError, "host name");
  assertThrows(() => staticResolver({ a: "x" as never }), TypeError, "as it must be an object");
});

test("localhostResolver() knows localhost", async () => {
  const own = localhostResolver();
  assertEquals(formatEndpoint(await own.resolve("http://LOCALHOST.:81/")), "tcp:127.0.0.1:81");
  assertEquals(formatEndpoint(await own.resolve("https:")), "tls:localhost/tcp:127.0.0.1:443");
  assertEquals((await own.resolve("http://a.test")).transport, "unknown");
});

test("firstOf() takes the first result that is not unknown, and asks no further", async () => {
  const asked: string[] = [];
  const answering = (name: string, text: ReturnType<typeof unknown> | ReturnType<typeof unix>): Resolver => ({
    resolve: () => (asked.push(name), Promise.resolve(text)),
  });
  const both = firstOf(answering("a", unknown("not a")), answering("b", unix("/b")), answering("c", unix("/c")));
  assertEquals(await both.resolve("http://a.test"), unix("/b"));
  assertEquals(asked, ["a", "b"]);
  const none = firstOf(answering("a", unknown("not a")), answering("b", unknown("not b")));
  assertEquals(await none.resolve("http://a.test"), unknown("not b"));
});

test("firstOf() passes on rewrites and errors, and needs a resolver", async () => {
  const problem = new Error("Cannot ask");
  const failing: Resolver = { resolve: () => Promise.reject(problem) };
  assertEquals(await outcomeOf(() => firstOf(failing, resolver).resolve("http://a.test")), problem);
  const options = { rewrites: { "a.test": () => unix("/x") } };
  assertEquals(await firstOf(localhostResolver(), resolver).resolve("http://a.test", options), unix("/x"));
  assertThrows(() => firstOf(), RangeError, "at least one");
  assertThrows(() => firstOf({} as never), TypeError, "must be a Resolver");
});

test("standardServices() knows the usual schemes, and which of them are TLS", () => {
  const ports: Record<string, [number, boolean]> = {
    http: [80, false],
    https: [443, true],
    ws: [80, false],
    wss: [443, true],
    imap: [143, false],
    imaps: [993, true],
    ldap: [389, false],
    ldaps: [636, true],
    postgresql: [5432, false],
    ssh: [22, false],
  };
  for (const [name, [port, tls]] of Object.entries(ports)) assertEquals(standardServices(name), { name, port, tls });
});

test("standardServices() has nothing that an object inherits", () => {
  for (const name of ["constructor", "__proto__", "toString", ""]) assertEquals(standardServices(name), undefined);
});

test("servicesOf() ignores case, and is independent of its table", () => {
  const table = { Echo: { port: 7 }, "echo-s": { port: 4007, tls: true } };
  const services = servicesOf(table);
  table.Echo.port = 8;
  assertEquals(services("ECHO"), { name: "echo", port: 7, tls: false });
  assertEquals(services("echo-s"), { name: "echo-s", port: 4007, tls: true });
  assertEquals(services("other"), undefined);
});

test("servicesOf() refuses wrong tables", () => {
  assertThrows(() => servicesOf(1 as never), TypeError, "as table must be an object");
  assertThrows(() => servicesOf({ a: 80 } as never), TypeError, 'as the service "a" must be an object');
  assertThrows(() => servicesOf({ a: { port: "80" } } as never), TypeError, "port of a service must be a number");
  assertThrows(() => servicesOf({ a: { port: 65536 } }), RangeError, "must be from 0 to 65535");
  assertThrows(() => servicesOf({ a: { port: 1.5 } }), RangeError, "must be a whole number");
  assertThrows(() => servicesOf({ a: { port: 1, tls: 1 } } as never), TypeError, "must be a boolean");
  assertThrows(() => standardServices(1 as never), TypeError, "name must be a string");
});

test("orElse() takes the first that knows the service", () => {
  const own = (name: string): Service | undefined => name === "db" ? { name, port: 1, tls: true } : undefined;
  const services = orElse(own, servicesOf({ db: { port: 2 }, http: { port: 8080 } }), standardServices);
  assertEquals(services("db")?.port, 1);
  assertEquals(services("http")?.port, 8080);
  assertEquals(services("https")?.port, 443);
  assertEquals(services("other"), undefined);
  assertEquals(orElse()("http"), undefined);
  assertThrows(() => orElse(own, 1 as never), TypeError, "1 is not a function");
});
