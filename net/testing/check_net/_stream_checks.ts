// Copyright 2026 the Sluice authors. MIT license.

import { both, Cancelled, Switch } from "../../../switch/mod.ts";
import { formatAddress, NetError, sameAddress, type StreamSocket, tcp, udp } from "../../mod.ts";
import { expectEnd, inCancelledScope, readPattern, writePieces } from "../check_flow/internal.ts";
import { expect, expectError, expectSame, pattern } from "../internal.ts";
import {
  anyPort,
  connected,
  expectCode,
  expectContext,
  finishedSwitch,
  listening,
  type NetCheck,
  refusingAddress,
} from "./_net_check.ts";

/** Checks of `connect()` and `listen()`. */
export const streamChecks: readonly NetCheck[] = [
  {
    name: "listen() on port 0 reports the real port, and clients connect to it",
    async run(subject) {
      const listener = await listening(subject);
      expect(listener.address.port > 0, `Expected a real port: ${listener.address.port}`);
      expectSame(listener.address.ip.toString(), subject.ip.toString(), "the address of the listener");
      const [client, server] = await connected(subject, listener);
      await both(() => writePieces(client, pattern(0, 100)), () => readPattern(server, 0, 100));
    },
  },
  {
    name: "connect() and accept() agree on the addresses of a connection",
    async run(subject) {
      const listener = await listening(subject);
      const [client, server] = await connected(subject, listener);
      const pairs: [StreamSocket, StreamSocket][] = [[client, server], [server, client]];
      for (const [one, other] of pairs) {
        const addresses = `${formatAddress(one.local)} and ${formatAddress(other.peer)}`;
        expect(sameAddress(one.local, other.peer), `Expected both to know the same address: ${addresses}`);
      }
      expect(
        sameAddress(client.peer, listener.address),
        `Expected the listener's address: ${formatAddress(client.peer)}`,
      );
    },
  },
  {
    name: "connect() without a listener is connection_refused, and names the address",
    async run(subject) {
      const address = await refusingAddress(subject);
      const { net, sw } = subject;
      const error = await expectCode(
        () => net.connect(sw, address),
        "connection_refused",
        "connect() without a listener",
      );
      expectContext(error, `connecting to ${formatAddress(address)}`);
    },
  },
  {
    name: "connect() connects from bindTo",
    async run(subject) {
      const { net, sw, ip } = subject;
      const listener = await listening(subject);
      const other = await listening(subject);
      await other.close();
      const { port } = other.address; // free again
      const [client, server] = await both(
        () => net.connect(sw, listener.address, { bindTo: tcp(ip, port) }),
        () => listener.accept(sw),
      );
      expectSame(formatAddress(client.local), formatAddress(tcp(ip, port)), "the requested address");
      expectSame(formatAddress(server.peer), formatAddress(tcp(ip, port)), "the address that the server sees");
    },
  },
  {
    name: "connect() refuses other kinds of addresses, and an invalid timeout",
    async run({ net, sw, ip }) {
      const bad = () => net.connect(sw, udp(ip, 80) as never);
      await expectError(bad, TypeError, "connect() to a UDP address");
      for (const timeout of [-1, NaN]) {
        await expectError(() => net.connect(sw, tcp(ip, 80), { timeout }), RangeError, `a timeout of ${timeout} ms`);
      }
    },
  },
  {
    name: "listen() on a port in use is address_in_use, and names the address",
    async run(subject) {
      const { net, sw } = subject;
      const { address } = await listening(subject);
      const error = await expectCode(() => net.listen(sw, address), "address_in_use", "listen() on a port in use");
      expectContext(error, `listening on ${formatAddress(address)}`);
    },
  },
  {
    name: "listen() binds a port that was closed",
    async run(subject) {
      const listener = await listening(subject);
      await connected(subject, listener); // keeps the port from other processes
      await listener.close();
      const again = await subject.net.listen(subject.sw, listener.address);
      await connected(subject, again);
    },
  },
  {
    name: "connect(), listen() and accept() refuse a finished switch, and take no connection",
    async run(subject) {
      const { net } = subject;
      const ended = await finishedSwitch();
      const listener = await listening(subject);
      await expectError(() => net.connect(ended, listener.address), TypeError, "connect() under a finished switch");
      await expectError(() => net.listen(ended, anyPort(subject)), TypeError, "listen() under a finished switch");
      await expectError(() => listener.accept(ended), TypeError, "accept() under a finished switch");
      await connected(subject, listener);
    },
  },
  {
    name: "connect(), listen() and accept() are refused in a cancelled scope",
    async run(subject) {
      const { net, sw } = subject;
      const listener = await listening(subject);
      await inCancelledScope(async () => {
        await expectError(() => net.connect(sw, listener.address), Cancelled, "connect() in a cancelled scope");
        await expectError(() => net.listen(sw, anyPort(subject)), Cancelled, "listen() in a cancelled scope");
        await expectError(() => listener.accept(sw), Cancelled, "accept() in a cancelled scope");
      });
      await connected(subject, listener);
    },
  },
  {
    name: "a switch that ends closes its connections and listeners",
    async run(subject) {
      const { net, sw } = subject;
      const listener = await listening(subject);
      const { server, closed } = await Switch.run(async (inner) => {
        const own = await net.listen(inner, anyPort(subject));
        const [, server] = await both(() => net.connect(inner, listener.address), () => listener.accept(sw));
        return { server, closed: own.address };
      });
      await expectEnd(server);
      await expectCode(() => net.connect(sw, closed), "connection_refused", "connect() to a closed listener");
    },
  },
  {
    name: "a switch that fails closes its connections at once",
    async run(subject) {
      const { net, sw } = subject;
      const listener = await listening(subject);
      const servers: StreamSocket[] = [];
      class Failure extends Error {}
      const fail = async () =>
        await Switch.run(async (inner) => {
          const [, server] = await both(() => net.connect(inner, listener.address), () => listener.accept(sw));
          servers.push(server);
          inner.fail(new Failure());
        });
      await expectError(fail, Failure, "the switch");
      await expectClosed(servers[0]);
    },
  },
];

/** Throws unless the peer has closed or reset the connection. */
async function expectClosed(flow: StreamSocket): Promise<void> {
  try {
    await expectEnd(flow);
  } catch (error) {
    expect(error instanceof NetError && error.code === "connection_reset", `Expected the end or a reset: ${error}`);
  }
}
