// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeReply, type DnsQuery, encodeQuery, type RecordType } from "../../../../net/backends/dns/_message.ts";
import { test } from "../../../_test.ts";

/** The size of the largest reply. */
const longest = 65_535;

const query = encodeQuery(1, "a.example", "PTR");
const addressQuery = encodeQuery(1, "a", "A");
const question = pointer(12);

function pointer(at: number): number[] {
  return [0xc0 | at >> 8, at & 255];
}

function record(owner: number[], type: number, data: number[]): number[] {
  return [...owner, 0, type, 0, 1, 0, 0, 0, 0, data.length >> 8, data.length & 255, ...data];
}

/** Returns a reply of the largest size: `first`, and as many records of `make` as fit. */
function filled(to: DnsQuery<RecordType>, first: number[][], make: (index: number) => number[]): Uint8Array {
  const bytes = new Uint8Array(longest);
  bytes.set(to.bytes);
  let at = to.bytes.length;
  let count = 0;
  for (let next = first[0] ?? make(count); at + next.length <= longest; next = first[count] ?? make(count)) {
    bytes.set(next, at);
    at += next.length;
    count++;
  }
  bytes.set([0x81, 0x80], 2);
  bytes.set([count >> 8, count & 255], 6);
  return bytes;
}

/** The offset of the first record's data, if its owner is the question's name. */
const firstData = query.bytes.length + 12;

/** A name of 127 labels, the maximum. */
const manyLabels = [...Array(126).fill([1, 0x61]).flat(), 0];

const chained = () => {
  const at = firstData + 2;
  const chain = Array.from({ length: 8000 }, (_, i) => pointer(i === 0 ? 12 : at + 2 * (i - 1))).flat();
  const last = pointer(at + 2 * 7999);
  return filled(query, [record(question, 99, [0, 0, ...chain])], () => record(last, 12, last));
};

const hostile: [shape: string, query: DnsQuery<RecordType>, make: () => Uint8Array][] = [
  ["a chain of pointers", query, chained],
  [
    "pointers to a name of 127 labels",
    query,
    () => filled(query, [record(question, 99, manyLabels)], () => record(pointer(firstData), 12, pointer(firstData))),
  ],
  ["names of two labels before a long one", query, () => {
    const rest = pointer(firstData);
    const name = (i: number) => [2, i >> 8, i & 255, ...rest];
    return filled(query, [record(question, 99, manyLabels.slice(4))], (i) => record(name(i), 12, name(i + 7)));
  }],
  ["values of a long name that follow one label", query, () => {
    const rest = pointer(firstData);
    return filled(
      query,
      [record(question, 99, manyLabels.slice(4))],
      (i) => record(question, 12, [1, i & 255, ...rest]),
    );
  }],
  ["labels that overlap", query, () => {
    const data = Array.from({ length: 16_000 }, (_, i) => i % 64 === 63 ? 0 : 62 - i % 64);
    return filled(query, [record(question, 99, data)], (i) => record(pointer(firstData + (i * 4) % 15_900), 12, [0]));
  }],
  [
    "labels of 63 bytes at every place",
    query,
    () => filled(query, [record(question, 99, Array(16_000).fill(63))], (i) => record(pointer(firstData + i), 12, [0])),
  ],
  [
    "labels that are all escaped",
    query,
    () => filled(query, [], (i) => record(question, 12, [63, ...Array(63).fill(i & 31), 63, ...Array(63).fill(46), 0])),
  ],
  [
    "as many addresses as there is room for",
    addressQuery,
    () => filled(addressQuery, [], (i) => record(question, 1, [10, 0, i >> 8, i & 255])),
  ],
  ["aliases of aliases", addressQuery, () => {
    const name = (i: number) => i === 0 ? question : [4, 120, i >> 8, i & 255, 1, 0];
    return filled(addressQuery, [], (i) => record(name(i), 5, name(i + 1)));
  }],
  [
    "two names that are aliases of each other",
    addressQuery,
    () =>
      filled(addressQuery, [], (i) => i % 2 === 0 ? record(question, 5, [1, 98, 0]) : record([1, 98, 0], 5, question)),
  ],
  ["pointers forwards", addressQuery, () => filled(addressQuery, [], () => record([0xff, 0xff], 1, [10, 0, 0, 1]))],
  [
    "a pointer to itself",
    addressQuery,
    () => filled(addressQuery, [], () => record(pointer(addressQuery.bytes.length), 1, [10, 0, 0, 1])),
  ],
  ["records without anything", addressQuery, () => filled(addressQuery, [], () => record([0], 99, []))],
  ["nothing but zeros", addressQuery, () => filled(addressQuery, [], () => Array(longest / 5).fill(0))],
];

/** Counts the bytes that a decoder reads. */
function countReads(decode: () => unknown): number {
  const { getUint8, getUint16 } = DataView.prototype;
  let reads = 0;
  DataView.prototype.getUint8 = function (at) {
    reads++;
    return getUint8.call(this, at);
  };
  DataView.prototype.getUint16 = function (at) {
    reads += 2;
    return getUint16.call(this, at);
  };
  try {
    decode();
  } catch (error) {
    assert(error instanceof RangeError, String(error));
  } finally {
    Object.assign(DataView.prototype, { getUint8, getUint16 });
  }
  return reads;
}

for (const [shape, to, make] of hostile) {
  test(`decodeReply() looks at each byte a few times at most, of a reply with ${shape}`, () => {
    const message = make();
    const reads = countReads(() => decodeReply(message, to));
    assert(reads <= 4 * longest, `${reads} reads`);
  });
}

/** Counts the characters of the names in a reply. */
function textIn(values: readonly unknown[]): number {
  return values.map((value) => String(value).length).reduce((sum, size) => sum + size, 0);
}

test("decodeReply() refuses a reply with more than 32 Ki characters of names", () => {
  const reply = (count: number) => {
    const rest = pointer(firstData);
    const make = (i: number) => i > count ? record([0], 99, []) : record(question, 12, [1, 97 + i % 26, ...rest]);
    return filled(query, [record(question, 99, manyLabels.slice(4))], make);
  };
  assert(textIn(decodeReply(reply(128), query)!.values) > 31_000);
  assertThrows(() => decodeReply(reply(140), query), RangeError, "too long");
});

test("decodeReply() refuses a reply with more than 32 Ki characters of labels", () => {
  const reply = (count: number) =>
    filled(query, [], (i) => record(question, i > count ? 99 : 12, [63, ...Array(63).fill(97 + i % 26), 0]));
  assertEquals(decodeReply(reply(490), query)!.values.length, 491);
  const escaped = (count: number) =>
    filled(query, [], (i) => record(question, i > count ? 99 : 12, [63, ...Array(63).fill(i & 31), 0]));
  assertEquals(decodeReply(escaped(35), query)!.values.length, 36);
  assertThrows(() => decodeReply(escaped(45), query), RangeError, "too long");
});

test("decodeReply() reads the first 500 records of a reply, and ignores the others", () => {
  const message = filled(addressQuery, [], (i) => record(question, 1, [10, 0, i >> 8, i & 255]));
  const { values } = decodeReply(message, addressQuery)!;
  assertEquals([values.length, String(values.at(-1))], [500, "10.0.1.243"]);
});

test("decodeReply() reads hundreds of records that point to one long name", () => {
  const message = filled(query, [record(question, 99, manyLabels)], () => record(question, 12, pointer(firstData)));
  const { values } = decodeReply(message, query)!;
  assertEquals([values.length, values.at(-1)], [499, Array(126).fill("a").join(".")]);
});
