// Copyright 2026 the Sluice authors. MIT license.

/** A `fetch` over confined networks. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { awaitCancel, copyString, formatAddress, IpAddress, type Net, NetError, Switch, tcp } from "../../../../mod.ts";
import {
  limit,
  meter,
  type NetPolicy,
  type NetUsage,
  publicOnly,
  restrict,
  revocable,
} from "../../../../net/confine/mod.ts";
import { setOwnAddresses } from "../../../../net/provider/internal.ts";
import { tlsServer } from "../../../../net/tls/mod.ts";
import { wrapConnection } from "../../../../net/wrap/mod.ts";
import { outcomeOf, turns, until } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { authority, serverOptions } from "../../tls/_helpers.ts";
import { type Answer, redirect, reply, type Site, type SiteOptions, withSite } from "./_site.ts";

const url = "http://a.test/";
const ok: Answer = () => reply("ok");
const begun: Answer = () => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";

/** Asserts that `run` rejects as `fetch` does, with a `NetError` as the cause. */
async function assertFails(run: () => Promise<unknown>, code: NetError["code"]): Promise<NetError> {
  const error = await assertRejects(run, TypeError, "Cannot fetch from http");
  assertInstanceOf(error.cause, NetError);
  assertEquals(error.cause.code, code);
  return error.cause;
}

test("fetch() closes idle connections of other origins for limit()'s maxSockets", () =>
  withSite(ok, async (site) => {
    for (const origin of ["a.test", "b.test", "127.0.0.1", "a.test"]) {
      assertEquals(await (await site.fetch(`http://${origin}/`)).text(), "ok");
    }
    assertEquals(site.connections, 4);
    await until(() => site.ended === 3);
  }, { wrap: (net) => limit(net, { maxSockets: 1 }) }));

test("fetch() rejects when limit()'s maxSockets is reached and nothing is idle", () =>
  withSite(begun, async (site) => {
    const response = await site.fetch(url);
    await assertFails(() => site.fetch("http://b.test/"), "quota_exceeded");
    await response.body!.cancel();
    await site.fetch("http://b.test/");
  }, { wrap: (net) => limit(net, { maxSockets: 1 }) }));

test("fetch() tries once more, and not forever, when limit()'s maxConnects is reached", () =>
  withSite(ok, async (site) => {
    await (await site.fetch(url)).text();
    await assertFails(() => site.fetch("http://b.test/"), "quota_exceeded");
    await assertFails(() => site.fetch(url), "quota_exceeded"); // its connection was closed for the other try
    assertEquals(site.connections, 1);
  }, { wrap: (net) => limit(net, { maxConnects: 1 }) }));

test("limit()'s maxBytesIn stops a body, and closes its connection", () =>
  withSite(() => reply("x".repeat(100_000)), async (site) => {
    const response = await site.fetch(url);
    await assertFails(() => response.text(), "quota_exceeded");
    await until(() => site.ended === 1);
  }, { wrap: (net) => limit(net, { maxBytesIn: 1000 }) }));

test("limit()'s maxBytesIn stops a header", () =>
  withSite(ok, async ({ fetch }) => {
    await assertFails(() => fetch(url), "quota_exceeded");
  }, { wrap: (net) => limit(net, { maxBytesIn: 20 }) }));

test("limit()'s maxBytesOut stops an upload", () =>
  withSite(ok, async (site) => {
    await assertFails(() => site.fetch(url, { method: "POST", body: "x".repeat(10_000) }), "quota_exceeded");
    await until(() => site.ended === 1);
  }, { wrap: (net) => limit(net, { maxBytesOut: 1000 }) }));

test("meter() counts exactly what fetch() sends and receives", () => {
  let usage!: () => NetUsage;
  const body = "x".repeat(50_000);
  return withSite(() => reply(body), async (site) => {
    for (let i = 0; i < 3; i++) await (await site.fetch(url)).text();
    const { connects, sockets, lookups, bytesIn, bytesOut } = usage();
    assertEquals([connects, sockets, lookups], [1, 1, 1]);
    const request = "GET / HTTP/1.1\r\n" +
      Object.entries(site.requests[0].headers).map(([name, value]) => `${name}: ${value}\r\n`).join("") + "\r\n";
    assertEquals([bytesIn, bytesOut], [3 * reply(body).length, 3 * request.length]);
  }, { wrap: (net) => ({ net, usage } = meter(net)).net });
});

/** A site whose network can be revoked. */
function withRevocable(
  answer: Answer,
  fn: (site: Site, revoke: (reason?: unknown) => void) => Promise<void>,
): Promise<void> {
  let revoke!: (reason?: unknown) => void;
  const wrap = (net: Net) => ({ net, revoke } = revocable(net)).net;
  return withSite(answer, (site) => fn(site, (reason) => revoke(reason)), { wrap });
}

const reason = new Error("The plug-in was removed");

test("revoke() ends the wait for the header", () =>
  withRevocable(() => awaitCancel(), async (site, revoke) => {
    const failed = assertFails(() => site.fetch(url), "permission_denied");
    await until(() => site.requests.length === 1);
    revoke(reason);
    assertEquals((await failed).cause, reason);
  }));

test("revoke() ends the read of a body", () =>
  withRevocable(begun, async (site, revoke) => {
    const response = await site.fetch(url);
    const failed = assertFails(() => response.text(), "permission_denied");
    await turns(2);
    revoke(reason);
    assertEquals((await failed).cause, reason);
    await until(() => site.ended === 1);
  }));

test("revoke() errors at once a body that no one reads", () =>
  withRevocable(begun, async (site, revoke) => {
    const response = await site.fetch(url);
    const reader = response.body!.getReader();
    const closed = reader.closed.catch((error) => error);
    revoke(reason);
    const error = await closed;
    assertInstanceOf(error, TypeError);
    assertEquals((error.cause as NetError).code, "permission_denied");
    await until(() => site.ended === 1);
  }));

test("revoke() closes idle connections, and refuses further requests", () =>
  withRevocable(ok, async (site, revoke) => {
    await (await site.fetch(url)).text();
    revoke(reason);
    assertEquals((await assertFails(() => site.fetch(url), "permission_denied")).cause, reason);
    await until(() => site.ended === 1);
  }));

/** The public address of `a.test` and `b.test`. */
const publicIp = "93.184.216.34";

/** The names of a small internet; any other is an internal one. */
const names: Readonly<Record<string, readonly string[]>> = {
  "a.test": [publicIp],
  "b.test": [publicIp],
  "metadata.test": ["169.254.169.254"],
  "mapped.test": ["::ffff:169.254.169.254"],
  "both.test": ["10.0.0.1", publicIp],
};

/** A network whose every connection reaches the site. `dialled` gets the addresses. */
function internet(base: Net, dialled: string[]): Net {
  const net: Net = {
    async connect(sw, target, options) {
      dialled.push(formatAddress(target));
      assert(target.transport !== "host", "a name was dialled that was not looked up");
      return wrapConnection(await base.connect(sw, tcp("127.0.0.1", 80), options), { peer: target });
    },
    async *addresses(name) {
      yield await Promise.resolve((names[name] ?? ["10.0.0.9"]).map((ip) => IpAddress.parse(ip)));
    },
    listen: (...args) => base.listen(...args),
    datagramSocket: (...args) => base.datagramSocket(...args),
    getAddrInfo: (...args) => base.getAddrInfo(...args),
    getNameInfo: (...args) => base.getNameInfo(...args),
    getServices: (...args) => base.getServices(...args),
    features: base.features,
    clock: base.clock,
  };
  setOwnAddresses(net, () => []);
  return net;
}

/** Runs `fn` with a fetch of a site over `confine` of that network. */
function withConfined(
  confine: (net: Net) => Net,
  answer: Answer,
  fn: (site: Site, dialled: string[]) => Promise<void>,
  options?: SiteOptions,
): Promise<void> {
  const dialled: string[] = [];
  return withSite(answer, (site) => fn(site, dialled), { ...options, wrap: (net) => confine(internet(net, dialled)) });
}

const dialledOnce = [`tcp:${publicIp}:80`];
const restricted = (policy: NetPolicy) => (net: Net) => restrict(net, policy);
const onlyA = restricted({ connect: ["a.test:80"] });

const metadata = [
  "http://169.254.169.254/latest/meta-data/",
  "http://2852039166/", // the same as a number
  "http://0xa9fea9fe/",
  "http://[::ffff:169.254.169.254]/",
  "http://[fd00:ec2::254]/",
  "http://metadata.test/",
  "http://mapped.test/",
  "http://metadata.google.internal/",
  "http://168.63.129.16/",
  "http://localhost/",
  "http://127.0.0.1./",
  "http://[::1]/",
  "http://10.0.0.1/",
  "//169.254.169.254/",
];
for (const location of metadata) {
  test(`fetch() over publicOnly() does not follow a redirect to ${location}`, () =>
    withConfined(publicOnly, () => redirect(302, location), async (site, dialled) => {
      await assertFails(() => site.fetch(url), "permission_denied");
      assertEquals([dialled, site.requests.length], [dialledOnce, 1]);
    }));
}

test("fetch() over publicOnly() dials only the public address of a name with two", () =>
  withConfined(publicOnly, ok, async ({ fetch }, dialled) => {
    assertEquals(await (await fetch("http://both.test/")).text(), "ok");
    assertEquals(dialled, dialledOnce);
  }));

test("fetch() over publicOnly() follows a redirect to another public origin", () =>
  withConfined(
    publicOnly,
    ({ headers }) => headers.host === "a.test" ? redirect(307, "http://b.test/x") : reply("b"),
    async ({ fetch }) => {
      const response = await fetch(url);
      assertEquals([response.url, await response.text()], ["http://b.test/x", "b"]);
    },
  ));

for (
  const location of [
    "http://b.test/",
    "http://a.test:81/",
    "https://a.test/",
    `http://${publicIp}/`,
    "http://x.a.test/",
  ]
) {
  test(`fetch() over restrict() of one origin does not follow a redirect to ${location}`, () =>
    withConfined(onlyA, () => redirect(302, location), async (site, dialled) => {
      await assertFails(() => site.fetch(url), "permission_denied");
      assertEquals([dialled, site.requests.length], [dialledOnce, 1]);
    }));
}

test("fetch() over restrict() of a name reaches it, however the URL spells it", () =>
  withConfined(onlyA, ok, async (site, dialled) => {
    for (const spelled of ["http://a.test/", "http://A.TEST:80/", "http://a.test./", "http://%61.test/"]) {
      assertEquals(await (await site.fetch(spelled)).text(), "ok");
    }
    assertEquals(dialled, dialledOnce);
  }));

test("fetch() does not front a domain behind a host header", () =>
  withConfined(onlyA, ok, async (site) => {
    await site.fetch(url, { headers: { host: "b.test", Host: "b.test" } });
    await site.fetch(new Request(url, { headers: [["host", "b.test"]] }));
    assertEquals(site.requests.map(({ headers }) => headers.host), ["a.test", "a.test"]);
  }));

test("fetch() tells the confined code nothing but the target that it named", () => {
  const denials: string[] = [];
  const policy: NetPolicy = { connect: ["a.test:80"], onDenied: ({ target }) => void denials.push(target) };
  return withConfined(restricted(policy), () => redirect(302, "http://metadata.test/"), async ({ fetch }) => {
    const { message } = await assertFails(() => fetch(url), "permission_denied");
    assert(!message.includes("169.254"), message);
    assertEquals(denials.length, 1);
  });
});

test("fetch() over restrict() of a name speaks TLS with that name", () =>
  withConfined(restricted({ connect: ["localhost:443"], addresses: "any" }), ok, async ({ fetch }, dialled) => {
    assertEquals(await (await fetch("https://localhost/")).text(), "secret");
    await assertFails(() => fetch("https://a.test/"), "permission_denied");
    assertEquals(dialled, ["tcp:10.0.0.9:443"]);
  }, {
    tls: { authorities: authority },
    async serve({ socket }) {
      await Switch.run(async (sw) => {
        const connection = await tlsServer(sw, socket, serverOptions);
        await connection.read(new Uint8Array(4096));
        await copyString(reply("secret"), connection);
        await connection.read(new Uint8Array(4096));
      });
    },
  }));

test("fetch() over restrict() does not take the certificate of another name", () =>
  withConfined(restricted({ connect: ["a.test:443"] }), ok, async ({ fetch }) => {
    const error = await outcomeOf(() => fetch("https://a.test/")) as TypeError;
    assertInstanceOf(error, TypeError);
    assertEquals((error.cause as { code?: unknown }).code, "name_mismatch");
  }, {
    tls: { authorities: authority },
    async serve({ socket }) {
      await Switch.run((sw) => tlsServer(sw, socket, serverOptions)).catch(() => {});
    },
  }));
