// Copyright 2026 the Sluice authors. MIT license.

/** Random endpoints. */
import fc from "fast-check";
import { hostAddress, IpAddress, tcp, unix } from "../../../mod.ts";
import { custom, type Endpoint, tls, unknown } from "../../../net/endpoint/mod.ts";

const port = fc.nat(65535);

/** Any character. The unit "binary" of fast-check is the same, but takes two seconds to be built. */
const unit = fc.oneof(fc.nat(0x7f), fc.nat(0x10ffff)).filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));

/** Any text. */
export const anyText = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit, maxLength });

const text = anyText(20);
const ip = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => IpAddress.fromBytes(bytes)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => IpAddress.fromBytes(bytes)),
  fc.constantFrom("fe80::1%eth0", "::ffff:1.2.3.4", "fe80::2%25", "::").map(IpAddress.parse),
);
const host = fc.oneof(fc.domain(), fc.constantFrom("localhost", "_srv.A.Test", "::1", "127.0.0.1"));
const path = fc.tuple(fc.constantFrom("", "\0", "@", "./@", "/run/"), text).map(([start, rest]) =>
  start + rest.replaceAll("\0", "")
);
const protocols = fc.array(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 12 }), { maxLength: 3 });

const innermost: fc.Arbitrary<Endpoint> = fc.oneof(
  fc.tuple(ip, port).map(([ip, port]) => tcp(ip, port)),
  path.map(unix),
  fc.tuple(host, port).map(([name, port]) => hostAddress(name, port)),
  text.map(unknown),
  fc.tuple(fc.stringMatching(/^[A-Za-z0-9+._-]{1,8}$/), fc.jsonValue()).map(([scheme, data]) =>
    custom(scheme, data as never)
  ),
);

/** Any endpoint with up to three layers of TLS. */
export const anyEndpoint: fc.Arbitrary<Endpoint> = fc.tuple(
  innermost,
  fc.array(fc.tuple(host, fc.option(protocols, { nil: undefined })), { maxLength: 3 }),
).map(([inner, layers]) => layers.reduce((over, [name, list]) => tls(name, over, list), inner));
