// Copyright 2026 the Sluice authors. MIT license.

import { parseAuthority, splitUrl } from "../../net/endpoint/_url.ts";
import {
  endpointFromJson,
  endpointToJson,
  formatEndpoint,
  type JsonValue,
  parseEndpoint,
} from "../../net/endpoint/mod.ts";
import { bytesOf, textOf } from "../_helpers.ts";
import { only, same, type Target } from "./_fuzz.ts";

const texts = [
  "tls:example.com;h2,http%2F1.1/tcp:[2001:db8::1]:443",
  "tls:a.test/tls:127.0.0.1/unix:@x",
  'tls:a.test/custom:vchan/{"domain":3,"list":[null,true,-1.5e3,"\\u0000é"]}',
  "unknown:no such service",
  '{"transport":"tls","serverName":"a.test","over":{"transport":"host","name":"b.test","port":1},"protocols":["h2"]}',
  '{"transport":"custom","scheme":"x","data":{"a":[1,{"b":null}]}}',
  "https://user:pass@A.Test.:8443/path?query#hash",
  "http://[fe80::1%25eth0]:80/",
  "ws://bücher.example",
  "http://0x7f.1:0080",
  "a.test:80",
];

/** Endpoints as text and as JSON, and URLs. */
export const endpoints: Target = {
  name: "endpoints",
  seeds: texts.map(bytesOf),
  check(input) {
    const text = textOf(input);
    const endpoint = only([SyntaxError], () => parseEndpoint(text));
    if (endpoint !== undefined) {
      same(formatEndpoint(endpoint), text);
      same(endpointFromJson(JSON.parse(JSON.stringify(endpointToJson(endpoint)))), endpoint);
    }
    const value = jsonOf(text);
    const read = only([SyntaxError, RangeError, TypeError], () => endpointFromJson(value));
    if (read !== undefined) same(parseEndpoint(formatEndpoint(read)), read);
    const parts = splitUrl(text);
    if (parts === undefined) return;
    const target = only([SyntaxError], () => parseAuthority(parts.authority));
    if (target === undefined) return;
    const { host, port = 1 } = target;
    const bracketed = host.includes(":") ? `[${host.replace("%", "%25")}]` : host;
    same(parseAuthority(`${bracketed}:${port}`), { host, port });
  },
};

/** Returns the value of JSON, or null for other text. */
function jsonOf(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
