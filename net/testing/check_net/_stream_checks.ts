// Copyright 2026 the Sluice authors. MIT license.

import { both, Cancelled, Switch } from "../../../switch/mod.ts";
import { formatAddress, NetError, sameAddress, type StreamSocket, tcp, udp } from "../../mod.ts";
import { expectEnd, inCancelledScope, readPattern, writePieces } from "../check_flow/internal.ts";
import { expect, expectError, expectSame, pattern } from "../internal.ts";
import {
  connected,
  deserted,
  expectCode,
  expectContext,
  finishedSwitch,
  here,
  listening,
  type NetCheck,
} from "./_net_check.ts";

/** The contract of connecting and listening. */
export const streamChecks: readonly NetCheck[] = [
  {
    name: "listen() on port 0 tells the real port, and a client can use it",
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
    name: "connect() where nobody listens is connection_refused, and says where",
    async run(subject) {
      const address = await deserted(subject);
      const { net, sw } = subject;
      const error = await expectCode(() => net.connect(sw, address), "connection_refused", "connect() to nobody");
      expectContext(error, `connecting to ${formatAddress(address)}`);
    },
  },
  {
    name: "connect() may be told where to connect from",
    async run(subject) {
      const { net, sw, ip } = subject;
      const listener = await listening(subject);
      const other = await listening(subject);
      await other.close();
      const { port } = other.address; // which is free again
      const [client, server] = await both(
        () => net.connect(sw, listener.address, { bindTo: tcp(ip, port) }),
        () => listener.accept(sw),
      );
      expectSame(formatAddress(client.local), formatAddress(tcp(ip, port)), "the address that was asked for");
      expectSame(formatAddress(server.peer), formatAddress(tcp(ip, port)), "the address that the other side sees");
    },
  },
  {
    name: "connect() refuses what is no stream address, and a timeout that is no time",
    async run({ net, sw, ip }) {
      const bad = () => net.connect(sw, udp(ip, 80) as never);
      await expectError(bad, TypeError, "connect() to a UDP address");
      for (const timeout of [-1, NaN]) {
        await expectError(() => net.connect(sw, tcp(ip, 80), { timeout }), RangeError, `a timeout of ${timeout} ms`);
      }
    },
  },
  {
    name: "listen() on a port in use is address_in_use, and says where",
    async run(subject) {
      const { net, sw } = subject;
      const { address } = await listening(subject);
      const error = await expectCode(() => net.listen(sw, address), "address_in_use", "listen() on a port in use");
      expectContext(error, `listening on ${formatAddress(address)}`);
    },
  },
  {
    name: "listen() on a port that was closed takes it again",
    async run(subject) {
      const listener = await listening(subject);
      await connected(subject, listener); // so that no other process gets the port meanwhile
      await listener.close();
      const again = await subject.net.listen(subject.sw, listener.address);
      await connected(subject, again);
    },
  },
  {
    name: "connect(), listen() and accept() refuse a finished switch, and take nothing",
    async run(subject) {
      const { net } = subject;
      const over = await finishedSwitch();
      const listener = await listening(subject);
      await expectError(() => net.connect(over, listener.address), TypeError, "connect() under a finished switch");
      await expectError(() => net.listen(over, here(subject)), TypeError, "listen() under a finished switch");
      await expectError(() => listener.accept(over), TypeError, "accept() under a finished switch");
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
        await expectError(() => net.listen(sw, here(subject)), Cancelled, "listen() in a cancelled scope");
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
      const { server, gone } = await Switch.run(async (inner) => {
        const own = await net.listen(inner, here(subject));
        const [, server] = await both(() => net.connect(inner, listener.address), () => listener.accept(sw));
        return { server, gone: own.address };
      });
      await expectEnd(server);
      await expectCode(() => net.connect(sw, gone), "connection_refused", "connect() to a listener that is gone");
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
      await expectOver(servers[0]);
    },
  },
];

/** The other side has closed, in whatever way. */
async function expectOver(flow: StreamSocket): Promise<void> {
  try {
    await expectEnd(flow);
  } catch (error) {
    expect(error instanceof NetError && error.code === "connection_reset", `Expected the end or a reset: ${error}`);
  }
}
