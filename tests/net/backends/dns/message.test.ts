// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeReply, type DnsQuery, encodeQuery, type RecordType } from "../../../../net/backends/dns/_message.ts";
import { test } from "../../../_test.ts";

const query = encodeQuery(0x1234, "A.example.", "A");
const pointerToQuestion = [0xc0, 12];

/** Encodes a record for the name in the question, or for `owner`. */
function record(type: number, data: number[], owner: number[] = pointerToQuestion, kind = 1): number[] {
  return [...owner, 0, type, 0, kind, 0, 0, 0, 9, data.length >> 8, data.length & 255, ...data];
}

function label(text: string): number[] {
  return [text.length, ...new TextEncoder().encode(text)];
}

function reply(to: DnsQuery<RecordType>, records: number[][], flags = 0x8180): Uint8Array {
  const bytes = Uint8Array.from([...to.bytes, ...records.flat()]);
  bytes.set([flags >> 8, flags & 255], 2);
  bytes.set([records.length >> 8, records.length & 255], 6);
  return bytes;
}

const ips = (records: number[][]) => decodeReply(reply(query, records), query)?.values.map(String);

test("encodeQuery() writes one question, in lower case and without a dot at the end", () => {
  const header = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  assertEquals([...query.bytes], [...header, ...label("a"), ...label("example"), 0, 0, 1, 0, 1]);
});

test("decodeReply() returns the addresses of the name, and no other records", () => {
  const other = [...label("b"), 0];
  assertEquals(
    ips([record(1, [10, 0, 0, 1]), record(1, [10, 0, 0, 2], other), record(16, [0]), record(1, [10, 0, 0, 3])]),
    [
      "10.0.0.1",
      "10.0.0.3",
    ],
  );
  assertEquals(ips([record(1, [10, 0, 0, 1], pointerToQuestion, 3)]), []); // a different class
});

test("decodeReply() follows aliases, in whatever order, and refuses those without end", () => {
  const alias = [...label("b"), 0];
  assertEquals(ips([record(1, [10, 0, 0, 1], alias), record(5, alias)]), ["10.0.0.1"]);
  assertThrows(() => ips([record(5, alias), record(5, pointerToQuestion, alias)]), RangeError, "too many aliases");
});

test("decodeReply() follows 16 aliases, and refuses more", () => {
  const name = (i: number) => i === 0 ? pointerToQuestion : [...label(`x${i}`), 0];
  const chain = (length: number) => [
    ...Array.from({ length }, (_, i) => record(5, name(i + 1), name(i))),
    record(1, [10, 0, 0, 1], name(length)),
  ];
  assertEquals(ips(chain(16)), ["10.0.0.1"]);
  assertThrows(() => ips(chain(17)), RangeError, "too many aliases");
});

test("decodeReply() reads AAAA, PTR and SRV", () => {
  const v6 = encodeQuery(1, "a", "AAAA");
  assertEquals(decodeReply(reply(v6, [record(28, [...Array(15).fill(0), 1])]), v6)?.values.map(String), ["::1"]);
  const ptr = encodeQuery(1, "1.0.0.10.in-addr.arpa", "PTR");
  assertEquals(decodeReply(reply(ptr, [record(12, [...label("db"), ...label("example"), 0])]), ptr)?.values, [
    "db.example",
  ]);
  const srv = encodeQuery(1, "_http._tcp.a", "SRV");
  assertEquals(decodeReply(reply(srv, [record(33, [0, 1, 0, 2, 1, 0, 0])]), srv)?.values, [
    { name: "", port: 256, priority: 1, weight: 2 },
  ]);
});

test("decodeReply() escapes what no label of a host name has, so that different names have different texts", () => {
  const ptr = encodeQuery(1, "a", "PTR");
  const text = (...labels: string[]) =>
    decodeReply(reply(ptr, [record(12, [...labels.flatMap(label), 0])]), ptr)?.values[0];
  assertEquals(text("good\\", "example"), "good\\\\.example");
  assertEquals(text("good\\.example"), "good\\\\\\.example");
  assertEquals(text("a\n\x1b\0 \x7f", "b"), "a\\010\\027\\000\\032\\127.b");
});

test("decodeReply() parts no labels at a dot that is in one", () => {
  const ptr = encodeQuery(1, "a", "PTR");
  assertEquals(decodeReply(reply(ptr, [record(12, [...label("good.example"), 0])]), ptr)?.values, ["good\\.example"]);
});

test("decodeReply() accepts the question in upper or lower case", () => {
  const shouting = reply(query, [record(1, [10, 0, 0, 1])]);
  shouting[13] = "A".charCodeAt(0);
  assertEquals(decodeReply(shouting, query)?.values.length, 1);
});

test("decodeReply() is undefined if the message is not a reply to the question", () => {
  const good = reply(query, []);
  const changed = (at: number, byte: number) => {
    const bytes = good.slice();
    bytes[at] = byte;
    return bytes;
  };
  const wrong = {
    "nothing": new Uint8Array(0),
    "half a header": good.subarray(0, 11),
    "another number": changed(0, 0xff),
    "a query": changed(2, 1),
    "a reply to a notify": changed(2, 0xa1),
    "two questions": changed(5, 2),
    "no question": changed(5, 0),
    "another name": changed(13, 0x62),
    "another type": changed(query.bytes.length - 3, 28),
    "a question that is cut": good.subarray(0, query.bytes.length - 1),
  };
  for (const [what, bytes] of Object.entries(wrong)) assertEquals(decodeReply(bytes, query), undefined, what);
});

test("decodeReply() reports errors and truncation", () => {
  assertEquals(decodeReply(reply(query, [], 0x8182), query), { code: 2, truncated: false, values: [] });
  assertEquals(decodeReply(reply(query, [record(1, [1])], 0x8380), query), { code: 0, truncated: true, values: [] });
  const blank = Uint8Array.of(0x12, 0x34, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0);
  assertEquals(decodeReply(blank, query), { code: 1, truncated: false, values: [] });
});

const broken: [what: string, records: number[][]][] = [
  ["a record without data", [[...pointerToQuestion, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4]]],
  ["an address of 3 bytes", [record(1, [10, 0, 0])]],
  ["a name that points to itself", [record(1, [10, 0, 0, 1], [0xc0, query.bytes.length])]],
  ["a name that points forwards", [record(1, [10, 0, 0, 1], [0xc0, 0xff])]],
  ["a label of a kind that is not known", [record(1, [10, 0, 0, 1], [0x40, 1])]],
  ["a name that is too long", [record(1, [10, 0, 0, 1], [...Array(5).fill(label("x".repeat(63))).flat(), 0])]],
];

for (const [what, records] of broken) {
  test(`decodeReply() refuses ${what}`, () => {
    assertThrows(() => decodeReply(reply(query, records), query), RangeError);
  });
}

test("decodeReply() refuses fewer records than the reply says it has", () => {
  const bytes = reply(query, [record(1, [10, 0, 0, 1])]);
  bytes[7] = 2;
  assertThrows(() => decodeReply(bytes, query), RangeError);
});

test("decodeReply() ends for every reply that is cut or has a byte changed", () => {
  const alias = [...label("b"), 0];
  const good = reply(query, [record(5, alias), record(1, [10, 0, 0, 1], [0xc0, query.bytes.length + 12])]);
  assertEquals(decodeReply(good, query)?.values.map(String), ["10.0.0.1"]);
  let refusals = 0;
  const attempt = (bytes: Uint8Array) => {
    try {
      decodeReply(bytes, query);
    } catch (error) {
      assert(error instanceof RangeError, String(error));
      refusals++;
    }
  };
  for (let at = 0; at < good.length; at++) {
    attempt(good.subarray(0, at));
    for (let byte = 0; byte < 256; byte++) {
      const changed = good.slice();
      changed[at] = byte;
      attempt(changed);
    }
  }
  assert(refusals > 0);
});
