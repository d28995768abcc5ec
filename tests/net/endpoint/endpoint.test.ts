// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { hostAddress, tcp, unix } from "../../../mod.ts";
import {
  custom,
  type CustomEndpoint,
  type Endpoint,
  endpointFromJson,
  endpointToJson,
  formatEndpoint,
  type JsonValue,
  parseEndpoint,
  tls,
  unknown,
} from "../../../net/endpoint/mod.ts";
import { test } from "../../_test.ts";
import { anyEndpoint, anyText } from "./_endpoints.ts";

const web = tcp("2001:db8::1", 443);
const nested = (layers: number): Endpoint => {
  let endpoint: Endpoint = web;
  for (let i = 0; i < layers; i++) endpoint = tls("a.test", endpoint);
  return endpoint;
};

test("formatEndpoint() writes each kind in one form", () => {
  const texts: [Endpoint, string][] = [
    [web, "tcp:[2001:db8::1]:443"],
    [unix("/run/x"), "unix:/run/x"],
    [unix("\0x"), "unix:@x"],
    [hostAddress("a.test", 80), "host:a.test:80"],
    [tls("example.com", web), "tls:example.com/tcp:[2001:db8::1]:443"],
    [tls("example.com", web, ["h2", "http/1.1"]), "tls:example.com;h2,http%2F1.1/tcp:[2001:db8::1]:443"],
    [tls("a.test", web, ["a,b;c%d e"]), "tls:a.test;a%2Cb%3Bc%25d%20e/tcp:[2001:db8::1]:443"],
    [tls("::1", tls("b.test", unix("/run/a/b"))), "tls:::1/tls:b.test/unix:/run/a/b"],
    [unknown("no such service"), "unknown:no such service"],
    [custom("vchan", { domain: 3 }), 'custom:vchan/{"domain":3}'],
  ];
  for (const [endpoint, text] of texts) {
    assertEquals(formatEndpoint(endpoint), text);
    assertEquals(parseEndpoint(text), endpoint);
  }
});

test("parseEndpoint() reads back what formatEndpoint() writes", () => {
  fc.assert(fc.property(anyEndpoint, (endpoint) => assertEquals(parseEndpoint(formatEndpoint(endpoint)), endpoint)));
});

test("endpointFromJson() reads back what endpointToJson() writes, through text", () => {
  fc.assert(fc.property(anyEndpoint, (endpoint) => {
    assertEquals(endpointFromJson(JSON.parse(JSON.stringify(endpointToJson(endpoint)))), endpoint);
  }));
});

test("parseEndpoint() accepts only what formatEndpoint() writes, and throws only a SyntaxError", () => {
  const mutated = fc.tuple(anyEndpoint, fc.nat(60), fc.nat(3), anyText(3)).map(
    ([endpoint, at, cut, more]) => {
      const text = formatEndpoint(endpoint);
      return text.slice(0, at % (text.length + 1)) + more + text.slice(at % (text.length + 1) + cut);
    },
  );
  fc.assert(fc.property(mutated, (text) => {
    let endpoint: Endpoint;
    try {
      endpoint = parseEndpoint(text);
    } catch (error) {
      assert(error instanceof SyntaxError, String(error));
      assert(error.message.startsWith("Cannot parse endpoint ") && error.message.length < 700, error.message);
      return;
    }
    assertEquals(formatEndpoint(endpoint), text);
  }));
});

for (
  const [text, rule] of [
    ["", "an endpoint begins with"],
    ["a.test:80", "an endpoint begins with"],
    ["TCP:1.2.3.4:80", "an endpoint begins with"],
    [" tcp:1.2.3.4:80", "an endpoint begins with"],
    ["udp:1.2.3.4:80", "an endpoint begins with"],
    ["tls:a.test", 'after "tls:" and a name come "/"'],
    ["tls:a.test/", "an endpoint begins with"],
    ["tls:/tcp:1.2.3.4:80", "it must be a name"],
    ["tls:a.test:443/tcp:1.2.3.4:80", "it must be a name"],
    ["tls:a.test./tcp:1.2.3.4:80", 'it must be written "tls:a.test/tcp:1.2.3.4:80"'],
    ["tls:a.test;/tcp:1.2.3.4:80", "it must be of 1 to 255 bytes"],
    ["tls:a.test;h2;h3/tcp:1.2.3.4:80", "it must be written"],
    ["tls:a.test;http/1.1/tcp:1.2.3.4:80", "an endpoint begins with"],
    ["tls:a.test;%zz/tcp:1.2.3.4:80", "percent-encoded"],
    ["tls:a.test;%68%32/tcp:1.2.3.4:80", "it must be written"],
    ["tcp:[2001:DB8::1]:80", 'it must be written "tcp:[2001:db8::1]:80"'],
    ["tcp:1.2.3.4:080", 'then ":" and a port'],
    ["tcp:a.test:80", "it is a name"],
    ["host:a b:80", "is not part of a host name"],
    ["unix:/run/\0x", "a NUL is not part of the text"],
    ["custom:vchan", 'come "/" and JSON'],
    ["custom:/1", "must be of the characters"],
    ["custom:a b/1", "must be of the characters"],
    ["custom:vchan/", "the data is not JSON"],
    ["custom:vchan/undefined", "the data is not JSON"],
    ['custom:vchan/{"domain": 3}', 'it must be written "custom:vchan/{'],
    ['custom:vchan/{"a":1,"a":2}', "it must be written"],
    ["custom:vchan/1e999", "must be a JSON value"],
    ["custom:vchan/-0", "it must be written"],
    [`custom:x/${"[".repeat(65)}${"]".repeat(65)}`, "at most 64 levels"],
    [`custom:x/${"[".repeat(200_000)}`, "the data is not JSON"],
    ["tls:a/".repeat(17) + "unix:/x", "at most 16 layers of TLS"],
    ["tls:a/".repeat(100_000), "at most 16 layers of TLS"],
  ]
) {
  test(`parseEndpoint() refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
    const error = assertThrows(() => parseEndpoint(text), SyntaxError, rule);
    assert(error.message.length < 700, error.message);
  });
}

test("parseEndpoint() refuses what is not a string", () => {
  assertThrows(() => parseEndpoint(1 as never), TypeError, "Cannot parse an endpoint as text must be a string");
});

const bad: [value: unknown, type: ErrorConstructor, message: string][] = [
  [null, TypeError, "as it must be an object: current value is null"],
  [[], TypeError, "as it must be an object: current value is an array"],
  [{}, TypeError, "as transport must be"],
  [{ transport: "udp", ip: "1.2.3.4", port: 1 }, TypeError, "as transport must be"],
  [{ transport: "__proto__" }, TypeError, "as transport must be"],
  [{ transport: "tcp", port: 1 }, TypeError, "as ip must be a string"],
  [{ transport: "tcp", ip: "a.test", port: 1 }, SyntaxError, "because of ip"],
  [{ transport: "tcp", ip: "1.2.3.4" }, TypeError, "as port must be a number"],
  [{ transport: "tcp", ip: "1.2.3.4", port: "1" }, TypeError, 'as port must be a number: current value is "1"'],
  [{ transport: "tcp", ip: "1.2.3.4", port: 1.5 }, RangeError, "as port must be a whole number"],
  [{ transport: "tcp", ip: "1.2.3.4", port: 1, ports: 2 }, TypeError, "as it has an unknown field"],
  [{ transport: "unix", path: 1 }, TypeError, "as path must be a string"],
  [{ transport: "unix", path: "a\0b" }, TypeError, "because of path"],
  [{ transport: "host", name: "a b", port: 1 }, SyntaxError, "because of name"],
  [{ transport: "unknown" }, TypeError, "as reason must be a string"],
  [{ transport: "custom", scheme: "x" }, TypeError, "as data must be a JSON value"],
  [{ transport: "custom", scheme: "x", data: { a: [1, { b: NaN }] } }, TypeError, "as data.a.1.b must be a JSON value"],
  [{ transport: "custom", scheme: "x", data: new Map() }, TypeError, "as data must be a JSON value"],
  [{ transport: "custom", scheme: "x", data: { at: new Date(0) } }, TypeError, "as data.at must be a JSON value"],
  [{ transport: "custom", scheme: "x", data: { toJSON: () => 1 } }, TypeError, "as data.toJSON must be a JSON value"],
  [{ transport: "custom", scheme: "", data: 1 }, SyntaxError, "as scheme must be of the characters"],
  [{ transport: "tls", over: 1 }, TypeError, "because of serverName"],
  [{ transport: "tls", serverName: "a b", over: 1 }, SyntaxError, "because of serverName"],
  [{ transport: "tls", serverName: "a.test", protocols: "h2" }, TypeError, "because of protocols"],
  [{ transport: "tls", serverName: "a.test", protocols: ["é"] }, SyntaxError, "because of protocols"],
  [{ transport: "tls", serverName: "a.test" }, TypeError, "as over must be an object"],
];

for (const [value, type, message] of bad) {
  test(`endpointFromJson() refuses ${JSON.stringify(value)}, at any depth`, () => {
    assertThrows(() => endpointFromJson(value as JsonValue), type, message);
    const layer = { transport: "tls", serverName: "a.test" };
    const deep = { ...layer, over: { ...layer, over: value } };
    const place = message.replace(/^(as|because of) (?:it )?/, (_, word) => `${word} over.over.`).replace(
      /over\.over\.(?=must|has)/,
      "over.over ",
    );
    assertThrows(() => endpointFromJson(deep as unknown as JsonValue), type, place);
  });
}

test("endpointFromJson() refuses JSON that contains itself", () => {
  const layer: Record<string, unknown> = { transport: "tls", serverName: "a.test" };
  layer.over = layer;
  assertThrows(() => endpointFromJson(layer as never), RangeError, "more than 16 layers of TLS");
  const data: unknown[] = [];
  data.push(data);
  assertThrows(() => custom("x", data as never), RangeError, "at most 64 levels");
});

test("endpointToJson() writes an IP address as text, and protocols as a list", () => {
  assertEquals(endpointToJson(tls("a.test", tcp("fe80::1%eth0", 443), ["h2"])), {
    transport: "tls",
    serverName: "a.test",
    over: { transport: "tcp", ip: "fe80::1%eth0", port: 443 },
    protocols: ["h2"],
  });
});

test("an endpoint that was made is deeply frozen, and independent of its arguments", () => {
  const data = { list: [1] };
  const protocols = ["h2"];
  const over = { transport: "custom", scheme: "x", data } as const;
  const endpoint = tls("a.test", over, protocols);
  data.list.push(2);
  protocols.push("h3");
  assertEquals(formatEndpoint(endpoint), 'tls:a.test;h2/custom:x/{"list":[1]}');
  const inner = endpoint.over as CustomEndpoint;
  const { list } = inner.data as Record<string, unknown>;
  for (const part of [endpoint, endpoint.protocols, inner, inner.data, list]) assert(Object.isFrozen(part));
});

test("custom() keeps a field of the name __proto__ as a field", () => {
  const endpoint = custom("x", JSON.parse('{"__proto__":{"admin":true}}'));
  assertEquals(formatEndpoint(endpoint), 'custom:x/{"__proto__":{"admin":true}}');
  assertEquals((endpoint.data as { admin?: boolean }).admin, undefined);
});

test("custom() refuses an object of a class, whose JSON is not its fields", () => {
  for (const data of [new Date(0), new URL("http://a.test"), new (class Own {})(), Object.create({ inherited: 1 })]) {
    assertThrows(() => custom("x", [data] as never), TypeError, "as data.0 must be a JSON value");
  }
  assertEquals(custom("x", Object.assign(Object.create(null), { domain: 3 })).data, { domain: 3 });
});

test("custom() takes -0 for 0, as JSON does", () => {
  assertEquals(custom("x", [-0]).data, [0]);
});

test("tls() leaves protocols out where there are none", () => {
  assertEquals(Object.keys(tls("a.test", web, [])), ["transport", "serverName", "over"]);
  assertEquals(tls("a.test.", web), tls("a.test", web));
});

test("tls() refuses more than 16 layers", () => {
  assertEquals(formatEndpoint(nested(16)).split("/").length, 17);
  assertThrows(() => nested(17), RangeError, "more than 16 layers of TLS");
});

test("formatEndpoint() refuses what is not an endpoint, and says where", () => {
  const wrong = { transport: "tls", serverName: "a.test", over: { transport: "tcp", ip: "1.2.3.4", port: 1 } };
  assertThrows(() => formatEndpoint(wrong as never), TypeError, "because of over: ");
  assertThrows(() => formatEndpoint("tcp:1.2.3.4:1" as never), TypeError, "as it must be an object");
});
