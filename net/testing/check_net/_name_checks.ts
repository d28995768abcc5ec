// Copyright 2026 the Sluice authors. MIT license.

import { both, Cancelled } from "../../../switch/mod.ts";
import { formatAddress, hostAddress, NetError, tcp, udp, withTcpConnect } from "../../mod.ts";
import { inCancelledScope, readPattern, writePieces } from "../check_flow/internal.ts";
import { expect, expectError, expectSame, pattern } from "../internal.ts";
import { expectCode, expectContext, listening, type NetCheck, refusingAddress } from "./_net_check.ts";

/** Invalid host names, some of which resolvers take for addresses. */
const invalidNames = [
  "",
  "127.1",
  "0x7f000001",
  "2130706433",
  "127.0.0.1\0.example.com",
  "a b",
  "x".repeat(64),
  "１２７.0.0.1",
];

/** Checks of name resolution. */
export const nameChecks: readonly NetCheck[] = [
  {
    name: "getAddrInfo() of an IP address returns it, for the requested transports",
    async run({ net }) {
      const lookUp = async (options?: Parameters<typeof net.getAddrInfo>[1]) =>
        (await net.getAddrInfo("192.0.2.7", options)).map(formatAddress).join();
      expectSame(await lookUp({ type: "stream" }), "tcp:192.0.2.7:0", "a stream address without a service");
      expectSame(await lookUp({ type: "datagram", service: "53" }), "udp:192.0.2.7:53", "a datagram address");
      expectSame(await lookUp({ service: "80" }), "tcp:192.0.2.7:80,udp:192.0.2.7:80", "both kinds");
      const [six] = await net.getAddrInfo("2001:db8::7", { type: "stream", service: "http" });
      expectSame(formatAddress(six), "tcp:[2001:db8::7]:80", "a literal with a service by name");
    },
  },
  {
    name: "getAddrInfo() of an invalid host name is NONAME",
    async run({ net }) {
      for (const name of invalidNames) {
        await expectLookupCode(() => net.getAddrInfo(name), "NONAME", JSON.stringify(name));
      }
    },
  },
  {
    name: "getAddrInfo() of an unknown service is SERVICE",
    async run({ net }) {
      for (const service of ["no-such-service", "65536", "-1", "80 "]) {
        await expectLookupCode(() => net.getAddrInfo("192.0.2.7", { service }), "SERVICE", JSON.stringify(service));
      }
    },
  },
  {
    name: "getAddrInfo() is refused in a cancelled scope",
    async run({ net }) {
      await inCancelledScope(async () => {
        await expectError(() => net.getAddrInfo("192.0.2.7"), Cancelled, "getAddrInfo() in a cancelled scope");
      });
    },
  },
  {
    name: "addresses() of an IP address yields it",
    async run({ net }) {
      expectSame((await collect(net.addresses("192.0.2.7"))).join(), "192.0.2.7", "the addresses of an IP address");
    },
  },
  {
    name: "addresses() of a name yields each address that getAddrInfo() returns once",
    needs: "name",
    async run({ net, name }) {
      const known = (await net.getAddrInfo(name, { type: "stream" })).map(({ ip }) => `${ip}`);
      const yielded = (await collect(net.addresses(name))).join().split(",");
      expectSame(yielded.sort().join(), known.sort().join(), "the addresses of a name");
    },
  },
  {
    name: "addresses() fails as getAddrInfo() does",
    async run({ net }) {
      for (const name of invalidNames) {
        await expectLookupCode(() => collect(net.addresses(name)), "NONAME", JSON.stringify(name));
      }
      await inCancelledScope(async () => {
        await expectError(() => collect(net.addresses("192.0.2.7")), Cancelled, "addresses() in a cancelled scope");
      });
    },
  },
  {
    name: "getServices() of an invalid name is NONAME",
    async run({ net }) {
      for (const name of ["", "a b", "_http._tcp.a\0b"]) {
        await expectLookupCode(() => net.getServices(name), "NONAME", JSON.stringify(name));
      }
    },
  },
  {
    name: "getNameInfo() returns a host name, and the service's name or port",
    needs: "name",
    async run({ net, ip }) {
      const { hostname, service } = await net.getNameInfo(tcp(ip, 80));
      expect(typeof hostname === "string" && hostname !== "", `Expected a name: ${hostname}`);
      expectSame(service, "http", "the service of port 80");
      expectSame((await net.getNameInfo(udp(ip, 48_999))).service, "48999", "the service of a port without a name");
    },
  },
  {
    name: "connect() to a name connects to its address",
    needs: "name",
    async run(subject) {
      const { net, sw, name } = subject;
      const listener = await listening(subject);
      const [client, server] = await both(
        () => net.connect(sw, hostAddress(name, listener.address.port)),
        () => listener.accept(sw),
      );
      expectSame(formatAddress(client.peer), formatAddress(listener.address), "the peer's address");
      await both(() => writePieces(client, pattern(0, 100)), () => readPattern(server, 0, 100));
    },
  },
  {
    name: "connect() to a name whose addresses all fail reports every attempt",
    needs: "name",
    async run(subject) {
      const { net, sw, name } = subject;
      const target = hostAddress(name, (await refusingAddress(subject)).port);
      const error = await expectError(() => net.connect(sw, target), NetError, "connect() to a name");
      expectContext(error, `connecting to ${formatAddress(target)}`);
      const { cause } = error;
      expect(cause instanceof AggregateError, `Expected an AggregateError as the cause: ${cause}`);
      expect(cause.errors.length >= 1, "Expected an error for each attempt");
      for (const each of cause.errors) expect(each instanceof NetError, `Expected NetErrors: ${each}`);
      const last = cause.errors[cause.errors.length - 1] as NetError;
      expectSame(error.code, last.code, "the code, which is that of the last attempt");
    },
  },
  {
    name: "withTcpConnect() connects to a name, and closes the connection",
    needs: "name",
    async run(subject) {
      const { net, sw, name } = subject;
      const listener = await listening(subject);
      const service = String(listener.address.port);
      await both(
        () => withTcpConnect(net, { host: name, service }, (flow) => writePieces(flow, pattern(0, 100))),
        async () => {
          const server = await listener.accept(sw);
          await readPattern(server, 0, 100);
          expectSame(await server.read(new Uint8Array(1)), null, "what is read after the peer has closed");
        },
      );
    },
  },
];

async function collect<T>(lists: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const list of lists) all.push(...list);
  return all;
}

async function expectLookupCode(operation: () => Promise<unknown>, lookupCode: string, what: string): Promise<void> {
  const error = await expectCode(operation, "address_lookup_failed", `the lookup of ${what}`);
  expectSame(error.lookupCode, lookupCode, `the resolver's code for ${what}`);
}
