// Copyright 2026 the Sluice authors. MIT license.

/** Addresses on interfaces whose names no user could write as a zone: the kernel refuses only "/", ":" and white space. */
import { assertEquals, assertFalse, assertThrows } from "@std/assert";
import { formatAddress, IpAddress, parseAddress, type StreamAddress, tcp } from "../../mod.ts";
import { hostText, tcpEnd } from "../../net/backends/shared/_peer.ts";
import { hasPlainZone, systemIp } from "../../net/ip_address.ts";
import { test } from "../_test.ts";

const unusual = ["en@x", "\x1b[31mred", "a]b[c", "é€", "\u202eabc", "a\\u{41}", "%25x", "25x", "*"];

test("an address that the system tells has the zone as it is, and a text on one line", () => {
  for (const zone of unusual) {
    const ip = systemIp(`fe80::1%${zone}`);
    assertEquals([ip.zone, ip.bytes], [zone, IpAddress.parse("fe80::1").bytes]);
    const text = formatAddress(tcpEnd(`fe80::1%${zone}`, 80) as StreamAddress);
    assertFalse(/[\p{C}\p{Z}]/u.test(text), text);
    assertEquals(text.match(/[\][]/g), ["[", "]"]);
    assertEquals(formatAddress(tcp(ip, 80)), text);
    assertFalse(hasPlainZone(ip));
    assertThrows(() => parseAddress(text), SyntaxError);
  }
});

test("an address that the system tells is what a user writes, where the zone is plain", () => {
  for (const text of ["fe80::1%eth0", "fe80::1%2", "::1", "127.0.0.1", "::ffff:127.0.0.1"]) {
    assertEquals(systemIp(text), IpAddress.parse(text));
    assertEquals(hostText(systemIp(text)), text);
  }
});

test("addresses that the system tells are equal exactly when their zones are", () => {
  const ips = [...unusual, "a", "aA", "a\\", "\\u{5c}"].map((zone) => systemIp(`fe80::1%${zone}`));
  for (const [i, a] of ips.entries()) {
    for (const [j, b] of ips.entries()) assertEquals(a.equals(b), i === j, `${a} ${b}`);
  }
});

test("IpAddress.parse() and the constructor refuse such zones, before and after the system has told one", () => {
  for (const zone of unusual) {
    systemIp(`fe80::1%${zone}`);
    assertThrows(() => systemIp(`nonsense%${zone}`), SyntaxError);
    assertThrows(() => IpAddress.parse(`fe80::1%${zone}`), SyntaxError);
    assertThrows(() => new IpAddress(new Uint8Array(16), zone), SyntaxError);
  }
});

test("the host that a runtime is given for such an address has the zone as it is, if the interface is unknown", () => {
  for (const zone of unusual) assertEquals(hostText(systemIp(`fe80::1%${zone}`)), `fe80::1%${zone}`);
});
