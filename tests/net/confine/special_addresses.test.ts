// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { IpAddress } from "../../../mod.ts";
import { AddressBlocks } from "../../../net/blocks/internal.ts";
import { carriedAddresses } from "../../../net/confine/addresses/_carried_addresses.ts";
import { whyNotPublic, whyNotPublicName } from "../../../net/confine/addresses/_public_address.ts";
import { registryDate, specialBlocks4, specialBlocks6 } from "../../../net/confine/addresses/_special_addresses.ts";
import { parseRule } from "../../../net/confine/_rule.ts";
import { test } from "../../_test.ts";
import { generator } from "../_helpers.ts";

const rows = readFileSync(new URL("../../fixtures/special_purpose_addresses.csv", import.meta.url), "utf8").split("\n")
  .filter((line) => line !== "" && !line.startsWith("#")).map((line) => line.split(","));

/** Returns the bits of an address as an integer. */
function valueOf(ip: IpAddress): bigint {
  return ip.bytes.reduce((value, byte) => value << 8n | BigInt(byte), 0n);
}

/** Returns the address of a version with these bits. */
function ipOf(value: bigint, version: 4 | 6): IpAddress {
  const size = version === 4 ? 4 : 16;
  return IpAddress.fromBytes(
    Uint8Array.from({ length: size }, (_, i) => Number(value >> BigInt(8 * (size - 1 - i)) & 255n)),
  );
}

/** A block as a range of integers: the oracle. */
function rangeOf(block: string): { version: 4 | 6; first: bigint; last: bigint } {
  const [address, prefix] = block.split("/");
  const ip = IpAddress.parse(address);
  const bits = BigInt((ip.version === 4 ? 32 : 128) - Number(prefix));
  return { version: ip.version, first: valueOf(ip), last: valueOf(ip) | (1n << bits) - 1n };
}

test("the special addresses have every block of the registries", () => {
  assertEquals(rows.length, 51);
  for (const [block] of rows) {
    if (block === "64:ff9b::/96") continue; // judged by the IPv4 address
    const { version, first, last } = rangeOf(block);
    const inside = [first, last, (first + last) / 2n];
    if (block === "::ffff:0:0/96") continue;
    for (const value of inside) {
      assert(whyNotPublic(ipOf(value, version)) !== undefined, `${block}: ${ipOf(value, version)}`);
    }
  }
});

test("the special addresses have the date of the registries", () => {
  assertEquals(rows.map(([, , , allocation]) => allocation).sort().at(-1), registryDate);
});

test("the special addresses are named by their most specific block", () => {
  const purposes = {
    "10.1.2.3": "10.0.0.0/8, private use (RFC 1918)",
    "2001::1": "2001::/32, Teredo (RFC 4380)",
    "2001:4:112::1": "2001:4:112::/48, AS112 (RFC 7535)",
    "2001:1::1": "2001::/23, IETF protocol assignments (RFC 2928)",
  };
  for (const [ip, purpose] of Object.entries(purposes)) assertEquals(whyNotPublic(IpAddress.parse(ip)), purpose);
});

test("every special block is written without host bits", () => {
  for (const [block] of [...specialBlocks4, ...specialBlocks6]) parseRule("deny", block);
});

test("public addresses are public", () => {
  const ips = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0"];
  const more = ["192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.15", "168.63.129.17"];
  const v6 = [
    "2606:4700::1111",
    "2001:200::1",
    "2001:4860::8888",
    "2a00:1450::1",
    "3ffe::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
  ];
  for (const ip of [...ips, ...more, ...v6]) assertEquals(whyNotPublic(IpAddress.parse(ip)), undefined, ip);
});

test("addresses of IPv6 outside 2000::/3 are not public", () => {
  for (const ip of ["4000::1", "1fff::1", "::2", "a000::1", "0:0:0:0:ffff:0:808:808", "::8.8.8.8"]) {
    assert(whyNotPublic(IpAddress.parse(ip)) !== undefined, ip);
  }
});

test("an address of IPv6 carries the IPv4 addresses that its packets could go to", () => {
  const forms = {
    "::ffff:10.0.0.1": ["10.0.0.1"],
    "::10.0.0.1": ["10.0.0.1"],
    "::ffff:0:10.0.0.1": ["10.0.0.1"],
    "64:ff9b::10.0.0.1": ["10.0.0.1"],
    "2002:a00:1::": ["10.0.0.1"],
    "2001:0:a00:1::f5ff:fffe": ["10.0.0.1", "10.0.0.1"],
    "2a00::5efe:10.0.0.1": ["10.0.0.1"],
    "64:ff9b:1:a00:0:100::": ["0.0.0.0", "10.0.0.1", "0.0.1.0", "0.1.0.0"],
    "64:ff9b:1:aa0a:0:1::": ["0.0.0.0", "170.10.0.0", "10.0.0.1", "0.0.1.0"],
    "64:ff9b:1:aabb:a:0:100:0": ["1.0.0.0", "170.187.10.0", "187.10.0.0", "10.0.0.1"],
    "2a00::1": [],
    "10.0.0.1": [],
  };
  for (const [ip, carried] of Object.entries(forms)) {
    assertEquals(carriedAddresses(IpAddress.parse(ip)).map(String), carried, ip);
  }
});

test("local names are not public", () => {
  for (
    const name of ["localhost", "a.localhost", "printer.local", "metadata.google.internal", "db", "x.svc", "home.arpa"]
  ) {
    assert(whyNotPublicName(name) !== undefined, name);
  }
  for (const name of ["example.com", "local.example.com", "notlocal.example", "internal.example.com"]) {
    assertEquals(whyNotPublicName(name), undefined, name);
  }
});

test("blocks of addresses agree with a naive oracle on every special block and on 100 000 addresses", () => {
  const next = generator(13);
  const random = (bits: bigint) => {
    let value = 0n;
    for (let done = 0n; done < bits; done += 16n) value = value << 16n | BigInt(next(65_536));
    return value & ((1n << bits) - 1n);
  };
  const all = [...specialBlocks4, ...specialBlocks6, ["0.0.0.0/0"], ["::/0"], ["2000::/3"]].map(([block]) => {
    const range = rangeOf(block);
    const blocks = new AddressBlocks();
    blocks.add(ipOf(range.first, range.version), Number(block.split("/")[1]));
    return { block, range, blocks };
  });
  let checked = 0;
  for (const { block, range: { version, first, last }, blocks } of all) {
    const highest = (1n << (version === 4 ? 32n : 128n)) - 1n;
    const agree = (value: bigint) => {
      const ip = ipOf(value, version);
      // A mapped address is IPv4, whichever block of IPv6 it is in.
      const expected = ip.unmapped().version === version && value >= first && value <= last;
      assertEquals(blocks.has(ip), expected, `${block} ${ip}`);
      assertEquals(
        blocks.has(version === 4 ? IpAddress.parse(`::ffff:${ip}`) : IpAddress.any4),
        version === 4 && expected,
      );
      checked++;
    };
    for (const edge of [first - 1n, first, last, last + 1n]) if (edge >= 0n && edge <= highest) agree(edge);
    const count = Math.ceil(100_000 / all.length);
    for (let i = 0; i < count; i++) {
      agree(i % 2 === 0 ? random(version === 4 ? 32n : 128n) : first + random(128n) % (last - first + 1n));
    }
  }
  assert(checked >= 100_000);
});
