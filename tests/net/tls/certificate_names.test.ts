// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { Switch } from "../../../mod.ts";
import { isFor, readCertificateNames } from "../../../net/tls/_certificate_names.ts";
import { TlsError } from "../../../net/tls/mod.ts";
import { test } from "../../_test.ts";
import { authority, certificate, securedPipe } from "./_helpers.ts";

/** Encodes an element of DER. */
function element(tag: number, ...contents: (number[] | Uint8Array)[]): number[] {
  const content = contents.flatMap((part) => [...part]);
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return [tag, ...size, ...content];
}

const utf8 = (text: string) => [...new TextEncoder().encode(text)];
const commonName = element(0x06, [0x55, 4, 3]);
const organization = element(0x06, [0x55, 4, 10]);

/** Encodes a part of a name: types and values, alternating. */
function part(...pairs: number[][]): number[] {
  const attributes: number[][] = [];
  for (let i = 0; i < pairs.length; i += 2) attributes.push(element(0x30, pairs[i], pairs[i + 1]));
  return element(0x31, ...attributes);
}

/** Encodes a certificate with names only. */
function certificateOf(subject: number[][], alternative?: number[][]): Uint8Array {
  const names = alternative &&
    element(
      0xa3,
      element(0x30, element(0x30, element(0x06, [0x55, 29, 17]), element(0x04, element(0x30, ...alternative)))),
    );
  const nothing = element(0x30);
  const version = element(0xa0, element(2, [2]));
  const body = [version, element(2, [1]), nothing, element(0x30, part(commonName, element(12, utf8("CA")))), nothing];
  return Uint8Array.from(element(0x30, element(0x30, ...body, element(0x30, ...subject), nothing, names ?? [])));
}

const cases: [what: string, subject: number[][], text: string][] = [
  ["nothing", [], ""],
  ["a newline", [part(commonName, element(12, utf8("a\nO=Bank")))], "CN=a\\0AO=Bank"],
  ["other line breaks", [part(commonName, element(12, utf8("\r\u0085\u2028")))], "CN=\\0D\\C2\\85\\E2\\80\\A8"],
  [
    "NUL, ESC and a bidirectional override",
    [part(commonName, element(12, utf8("\0\x1b\u202e")))],
    "CN=\\00\\1B\\E2\\80\\AE",
  ],
  ["what RFC 4514 escapes", [part(commonName, element(12, utf8('",+;<>\\=/')))], 'CN=\\"\\,\\+\\;\\<\\>\\\\=/'],
  ["spaces around it", [part(commonName, element(12, utf8("  a  ")))], "CN=\\  a \\ "],
  ["a number sign", [part(commonName, element(12, utf8("#41#")))], "CN=\\#41#"],
  [
    "a part of two",
    [part(commonName, element(12, utf8("a + O=b")), organization, element(12, utf8("c")))],
    "CN=a \\+ O=b + O=c",
  ],
  ["two parts", [part(organization, element(19, utf8("a"))), part(commonName, element(22, utf8("b")))], "O=a\nCN=b"],
  ["BMPString", [part(commonName, element(30, [0, 0x61, 0x20, 0x28, 0, 0x2c]))], "CN=a\\E2\\80\\A8\\,"],
  ["UniversalString", [part(commonName, element(28, [0, 1, 0xf6, 0, 0, 0, 0, 10]))], "CN=😀\\0A"],
  ["TeletexString", [part(commonName, element(20, [0xe9, 0x0a]))], "CN=é\\0A"],
  ["UTF-8 that is not", [part(commonName, element(12, [0x61, 0xff]))], "CN=#0C0261FF"],
  ["a lone surrogate", [part(commonName, element(30, [0xd8, 0]))], "CN=#1E02D800"],
  ["half a character", [part(commonName, element(30, [0xd8]))], "CN=#1E01D8"],
  ["a number beyond Unicode", [part(commonName, element(28, [0xff, 0, 0, 0]))], "CN=#1C04FF000000"],
  ["a value that is no text", [part(commonName, element(0x02, [1]))], "CN=#020101"],
  ["a type without a name", [part(element(0x06, [0x2a, 3, 0x81, 1]), element(12, utf8("a")))], "1.2.3.129=a"],
];

for (const [what, subject, text] of cases) {
  test(`readCertificateNames() writes a subject with ${what} in one way only`, () => {
    const names = readCertificateNames(certificateOf(subject));
    assertEquals([names.subject, names.issuer], [text, "CN=CA"]);
  });
}

test("readCertificateNames() reads alternative names one by one, whatever they contain", () => {
  const names = [
    element(0x82, utf8("a, DNS:b")),
    element(0x86, utf8("https://example.com/")),
    element(0x87, [127, 0, 0, 1]),
    element(0x87, [...Array(15).fill(0), 1]),
    element(0x87, [1, 2, 3]),
  ];
  const { hosts, addresses } = readCertificateNames(certificateOf([], names));
  assertEquals([hosts, addresses], [["a, DNS:b"], ["127.0.0.1", "::1"]]);
});

test("readCertificateNames() throws SyntaxError for each certificate that is cut, and for nothing else", () => {
  const whole = certificateOf([part(commonName, element(12, utf8("a")))], [element(0x82, utf8("b"))]);
  for (let size = 0; size < whole.length; size++) {
    assertThrows(() => readCertificateNames(whole.subarray(0, size)), SyntaxError);
  }
  for (let at = 0; at < whole.length; at++) {
    for (let byte = 0; byte < 256; byte++) {
      const changed = whole.slice();
      changed[at] = byte;
      try {
        readCertificateNames(changed);
      } catch (error) {
        assert(error instanceof SyntaxError, String(error));
      }
    }
  }
});

test("readCertificateNames() reads what openssl has made", () => {
  const { raw } = new X509Certificate(authority);
  assertEquals(readCertificateNames(raw), {
    subject: "CN=Sluice tests",
    issuer: "CN=Sluice tests",
    hosts: [],
    addresses: [],
  });
});

/** A server's name, the names in its certificate, and whether they match. */
const matches: [serverName: string, hosts: string[], addresses: string[], expected: boolean][] = [
  ["example.com", ["other.test", "EXAMPLE.com"], [], true],
  ["Example.com", ["example.com."], [], true],
  ["www.example.com", ["*.example.com"], [], true],
  ["example.com", ["*.example.com"], [], false],
  ["a.b.example.com", ["*.example.com"], [], false],
  ["www.example.com", ["w*.example.com"], [], false],
  ["www.example.com", ["www.*.com"], [], false],
  ["localhost", ["*"], [], false],
  ["localhost", ["*."], [], false],
  ["admin.test", ["other.test, DNS:admin.test"], [], false],
  ["admin.test", ["admin.test\0.other.test"], [], false],
  ["admin.test", [], [], false],
  ["127.0.0.1", [], ["127.0.0.1"], true],
  ["0:0:0:0:0:0:0:1", [], ["::1"], true],
  ["127.0.0.1", ["127.0.0.1"], [], false],
  ["127.0.0.1", ["*.0.0.1"], [], false],
];

for (const [serverName, hosts, addresses, expected] of matches) {
  test(`isFor() says ${expected} of ${JSON.stringify([...hosts, ...addresses])} for ${serverName}`, () => {
    assertEquals(isFor({ subject: `CN=${serverName}`, issuer: "", hosts, addresses }, serverName), expected);
  });
}

const forgedSubject = [
  "C=XX",
  "O=Evil\\, Inc\\0ACN=admin/O=Bank",
  "L=\\E2\\80\\AEtxt + OU=a \\+ CN=b=c",
  'CN=\\ #é\\01\\1B[31m\\;\\"\\<\\>\\\\\\ ',
].join("\n");

test("peerCertificate shows a name that looks like several as the one it is, on both sides", () =>
  Switch.run(async (sw) => {
    const forger = certificate("forger");
    const [client, server] = await securedPipe(sw, { certificate: forger }, {
      certificate: forger,
      authorities: authority,
    });
    assertEquals(client.peerCertificate?.subject, forgedSubject);
    assertEquals(client.peerCertificate?.issuer, "CN=Sluice tests");
    assertEquals(server.peerCertificate?.subject, forgedSubject);
  }));

test("TlsError quotes a name of a certificate that looks like two", () =>
  Switch.run(async (sw) => {
    const failing = securedPipe(sw, { serverName: "admin.test" }, { certificate: certificate("forger") });
    const error = await assertRejects(() => failing, TlsError);
    assertEquals(error.code, "name_mismatch");
    assert(error.message.endsWith('but it names localhost, "other.test, DNS:admin.test"'), error.message);
  }));
