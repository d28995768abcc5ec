// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import {
  type ConnectOptions,
  type DatagramOptions,
  type ListenOptions,
  NetError,
  Switch,
  tcp,
  udp,
  unix,
} from "../../mod.ts";
import type { StreamAddress } from "../../mod.ts";
import { test } from "../_test.ts";
import { fakeNet } from "./_fake_provider.ts";
import { anyPort } from "./_helpers.ts";

// deno-lint-ignore no-explicit-any
type Refusal<Options> = [what: string, address: any, options: Partial<Record<keyof Options, unknown>>, error: any];

const ip4 = tcp("127.0.0.1", 80);
const path = unix("/run/socket");
const longPath = unix("/" + "x".repeat(108));

const connects: Refusal<ConnectOptions>[] = [
  ["no address", undefined, {}, TypeError],
  ["text for an address", "tcp:127.0.0.1:80", {}, TypeError],
  ["an address of no transport", { ip: ip4.ip, port: 80 }, {}, TypeError],
  ["a datagram address", udp("127.0.0.1", 80), {}, TypeError],
  ["an IP address that is text", { transport: "tcp", ip: "127.0.0.1", port: 80 }, {}, TypeError],
  ["a port of text", { ...ip4, port: "80" }, {}, TypeError],
  ["port 65536", { ...ip4, port: 65536 }, {}, RangeError],
  ["port -1", { ...ip4, port: -1 }, {}, RangeError],
  ["port 1.5", { ...ip4, port: 1.5 }, {}, RangeError],
  ["port NaN", { ...ip4, port: NaN }, {}, RangeError],
  ["port 0", anyPort, {}, RangeError],
  ["port 0 of a host", { transport: "host", name: "example.com", port: 0 }, {}, RangeError],
  ["a host name that cannot be", { transport: "host", name: "a b", port: 80 }, {}, SyntaxError],
  ["an empty Unix path", unix(""), {}, TypeError],
  ["a Unix path that is too long", longPath, {}, TypeError],
  ["a Unix path with a NUL", { transport: "unix", path: "/a\0b" }, {}, TypeError],
  ["timeout NaN", ip4, { timeout: NaN }, RangeError],
  ["timeout -1", ip4, { timeout: -1 }, RangeError],
  ["timeout of text", ip4, { timeout: "9" }, TypeError],
  ["linger NaN", ip4, { linger: NaN }, RangeError],
  ["linger -1", ip4, { linger: -1 }, RangeError],
  ["linger of text", ip4, { linger: "9" }, TypeError],
  ["bindTo of another transport", ip4, { bindTo: path }, TypeError],
  ["bindTo of another transport for a Unix path", path, { bindTo: anyPort }, TypeError],
  ["bindTo of another IP version", ip4, { bindTo: tcp("::1", 0) }, TypeError],
  ["bindTo that is a host", ip4, { bindTo: { transport: "host", name: "localhost", port: 80 } }, TypeError],
  ["bindTo of a Unix path, for now", path, { bindTo: unix("/run/other") }, NetError],
  ["a socket option that it does not reach", ip4, { socketOptions: { TCP_CORK: true } }, NetError],
  ["a socket option that there is not", ip4, { socketOptions: { SO_NOTHING: true } }, NetError],
  ["a socket option of another IP version", ip4, { socketOptions: { IPV6_TCLASS: 1 } }, NetError],
  ["a socket option of the wrong kind", ip4, { socketOptions: { TCP_NODELAY: 1 } }, TypeError],
  ["a socket option out of range", ip4, { socketOptions: { IP_TOS: 256 } }, RangeError],
  ["a socket option for a Unix path", path, { socketOptions: { SO_KEEPALIVE: true } }, NetError],
  ["options that are null", ip4, null as unknown as object, TypeError],
];

for (const [what, address, options, expected] of connects) {
  test(`connect() refuses ${what} before any system call`, async () => {
    const { net, provider } = fakeNet();
    await Switch.run((sw) => assertRejects(() => net.connect(sw, address, options as ConnectOptions), expected));
    assertEquals(provider.calls, []);
  });
}

const listens: Refusal<ListenOptions>[] = [
  ["no address", null, {}, TypeError],
  ["text for an address", "tcp:127.0.0.1:80", {}, TypeError],
  ["a host", { transport: "host", name: "localhost", port: 80 }, {}, TypeError],
  ["a datagram address", udp("127.0.0.1", 80), {}, TypeError],
  ["port 65536", { ...anyPort, port: 65536 }, {}, RangeError],
  ["a port of text", { ...anyPort, port: "80" }, {}, TypeError],
  ["an empty Unix path", unix(""), {}, TypeError],
  ["a Unix path that is too long", longPath, {}, TypeError],
  ["an abstract name that is empty", unix("\0"), {}, TypeError],
  ["backlog 0", anyPort, { backlog: 0 }, RangeError],
  ["backlog -1", anyPort, { backlog: -1 }, RangeError],
  ["backlog 1.5", anyPort, { backlog: 1.5 }, RangeError],
  ["backlog NaN", anyPort, { backlog: NaN }, RangeError],
  ["backlog Infinity", anyPort, { backlog: Infinity }, RangeError],
  ["linger -1", anyPort, { linger: -1 }, RangeError],
  ["linger NaN", anyPort, { linger: NaN }, RangeError],
  ["mode -1", path, { mode: -1 }, RangeError],
  ["mode 0o1000", path, { mode: 0o1000 }, RangeError],
  ["mode 1.5", path, { mode: 1.5 }, RangeError],
  ["mode NaN", path, { mode: NaN }, RangeError],
  ["a mode for TCP", anyPort, { mode: 0o600 }, TypeError],
  ["a mode for an abstract name", unix("\0name"), { mode: 0o600 }, TypeError],
  ["a socket option that it does not reach", anyPort, { socketOptions: { SO_RCVBUF: 1 } }, NetError],
  ["reusePort, where it is not a feature", anyPort, { reusePort: true }, NetError],
  ["IPV6_V6ONLY for IPv4", anyPort, { socketOptions: { IPV6_V6ONLY: true } }, NetError],
];

for (const [what, address, options, expected] of listens) {
  test(`listen() refuses ${what} before any system call`, async () => {
    const { net, provider } = fakeNet();
    await Switch.run((sw) => assertRejects(() => net.listen(sw, address, options as ListenOptions), expected));
    assertEquals(provider.calls, []);
  });
}

const datagrams: Refusal<DatagramOptions>[] = [
  ["no address", undefined, {}, TypeError],
  ["a family that is not udp4 or udp6", "udp", {}, TypeError],
  ["a stream address", anyPort, {}, TypeError],
  ["an empty Unix path", unix(""), {}, TypeError],
  ["a Unix path that is too long", longPath, {}, TypeError],
  ["a Unix path", path, {}, NetError],
  ["port 65536", { ...udp("::1", 0), port: 65536 }, {}, RangeError],
  ["remote of another transport", "udp4", { remote: path }, TypeError],
  ["remote that is a stream address", "udp4", { remote: ip4 }, TypeError],
  ["remote of IPv6 for an IPv4 socket", "udp4", { remote: udp("::1", 9) }, TypeError],
  ["remote with port 0", "udp4", { remote: udp("127.0.0.1", 0) }, RangeError],
  ["reusePort, where it is not a feature", "udp4", { reusePort: true }, NetError],
  ["a socket option that it does not reach", "udp4", { socketOptions: { SO_DEBUG: true } }, NetError],
  ["a socket option of TCP", "udp4", { socketOptions: { TCP_NODELAY: true } }, NetError],
  ["IPV6_V6ONLY for IPv4", "udp4", { socketOptions: { IPV6_V6ONLY: true } }, NetError],
];

for (const [what, address, options, expected] of datagrams) {
  test(`datagramSocket() refuses ${what} before any system call`, async () => {
    const { net, provider } = fakeNet();
    await Switch.run((sw) =>
      assertRejects(() => net.datagramSocket(sw, address, options as DatagramOptions), expected)
    );
    assertEquals(provider.calls, []);
  });
}

test("an option that is undefined is an option that is absent", async () => {
  const { net, provider } = fakeNet();
  const options = { timeout: undefined, linger: undefined, bindTo: undefined, socketOptions: undefined };
  await Switch.run((sw) => {
    net.connect(sw, ip4, options).catch(() => {});
  });
  assertEquals(provider.calls, ["connect"]);
});

test("an address may be just an object, and is read once", async () => {
  const { net, provider } = fakeNet();
  let reads = 0;
  const address = {
    transport: "tcp",
    ip: ip4.ip,
    get port() {
      return reads++ === 0 ? 80 : 0;
    },
  } as StreamAddress;
  await Switch.run((sw) => {
    net.connect(sw, address).catch(() => {});
  });
  assertEquals([provider.calls, reads], [["connect"], 1]);
});
