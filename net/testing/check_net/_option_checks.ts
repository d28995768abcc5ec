// Copyright 2026 the Sluice authors. MIT license.

import { both } from "../../../switch/mod.ts";
import { type Net, type NetFeature, type Socket, udp } from "../../mod.ts";
import { turns } from "../check_flow/internal.ts";
import { expect, expectSame } from "../internal.ts";
import { anyPort, expectCode, listening, type NetCheck } from "./_net_check.ts";

/** Checks of the options of `connect()`, `listen()` and `datagramSocket()`, and of the clock. */
export const optionChecks: readonly NetCheck[] = [
  {
    name: "connect() sets its socketOptions",
    async run(subject) {
      const { net, sw } = subject;
      const listener = await listening(subject);
      if (!await isSupported(() => listener.setOption("SO_KEEPALIVE", true))) return;
      const [client] = await both(
        () => net.connect(sw, listener.address, { socketOptions: { SO_KEEPALIVE: true } }),
        () => listener.accept(sw),
      );
      expectSame(client.getOption("SO_KEEPALIVE"), true, "the option of connect()");
    },
  },
  {
    name: "listen() sets its socketOptions, and connections inherit them",
    async run(subject) {
      const { net, sw } = subject;
      const plain = await listening(subject);
      if (!await isSupported(() => plain.setOption("SO_KEEPALIVE", true))) return;
      const listener = await net.listen(sw, anyPort(subject), { socketOptions: { SO_KEEPALIVE: true } });
      const [, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
      expectSame(server.getOption("SO_KEEPALIVE"), true, "the option of listen()");
    },
  },
  {
    name: "connect(), listen() and datagramSocket() with an unknown option are invalid_option",
    async run(subject) {
      const { net, sw, ip } = subject;
      const { address } = await listening(subject);
      const socketOptions = { SO_SUCH: 1 } as never;
      await expectCode(
        () => net.connect(sw, address, { socketOptions }),
        "invalid_option",
        "connect() with an unknown option",
      );
      await expectCode(
        () => net.listen(sw, anyPort(subject), { socketOptions }),
        "invalid_option",
        "listen() with an unknown option",
      );
      if (!net.features.has("datagrams")) return;
      const open = () => net.datagramSocket(sw, udp(ip, 0), { socketOptions });
      await expectCode(open, "invalid_option", "datagramSocket() with an unknown option");
    },
  },
  {
    name: "listen() with reusePort shares the port, or is not_supported without the feature",
    async run(subject) {
      const { net, sw } = subject;
      const open = (address = anyPort(subject)) => net.listen(sw, address, { reusePort: true });
      await shared(net, "reusePort", () => open(), ({ address }) => open(address));
    },
  },
  {
    name: "datagramSocket() with reusePort shares the port, or is not_supported without the feature",
    async run({ net, sw, ip }) {
      if (!net.features.has("datagrams")) return;
      const open = (address = udp(ip, 0)) => net.datagramSocket(sw, address, { reusePort: true });
      await shared(net, "datagramReusePort", () => open(), ({ local }) => open(local));
    },
  },
  {
    name: "listen() holds no more connections than its backlog",
    async run(subject) {
      const { net, sw } = subject;
      // The system keeps the backlog, whose limit is not exact.
      if (net.features.has("pullAccept")) return;
      const listener = await net.listen(sw, anyPort(subject), { backlog: 1 });
      // A connection may be reset before connect() returns.
      for (let i = 0; i < 3; i++) await net.connect(sw, listener.address).catch(() => {});
      for (let i = 0; i < 1000 && listener.dropped !== 2; i++) await turns(1);
      expectSame(listener.dropped, 2, "how many of 3 connections were dropped by a backlog of 1");
    },
  },
  {
    name: "the clock of a network advances",
    async run({ net: { clock } }) {
      const before = clock.now();
      await clock.sleep(1);
      expect(clock.now() >= before + 1, `Expected a millisecond to pass: ${before} became ${clock.now()}`);
    },
  },
];

/** Reports whether the network supports an option; if not, setting it must be `not_supported`. */
async function isSupported(set: () => void): Promise<boolean> {
  try {
    set();
    return true;
  } catch (error) {
    await expectCode(() => Promise.reject(error), "not_supported", "setOption()");
    return false;
  }
}

async function shared<S extends Socket>(
  net: Net,
  feature: NetFeature,
  first: () => Promise<S>,
  again: (one: S) => Promise<S>,
): Promise<void> {
  if (net.features.has(feature)) await again(await first());
  else await expectCode(first, "not_supported", `opening without the feature ${feature}`);
}
