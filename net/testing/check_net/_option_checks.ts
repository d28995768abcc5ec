// Copyright 2026 the Sluice authors. MIT license.

import { both } from "../../../switch/mod.ts";
import { type Net, type NetFeature, type Socket, udp } from "../../mod.ts";
import { turns } from "../check_flow/internal.ts";
import { expect, expectSame } from "../internal.ts";
import { expectCode, here, listening, type NetCheck } from "./_net_check.ts";

/** The contract of the options of opening. */
export const optionChecks: readonly NetCheck[] = [
  {
    name: "connect() sets the options that it is told",
    async run(subject) {
      const { net, sw } = subject;
      const listener = await listening(subject);
      if (!await settable(() => listener.setOption("SO_KEEPALIVE", true))) return;
      const [client] = await both(
        () => net.connect(sw, listener.address, { socketOptions: { SO_KEEPALIVE: true } }),
        () => listener.accept(sw),
      );
      expectSame(client.getOption("SO_KEEPALIVE"), true, "the option that connect() was told");
    },
  },
  {
    name: "listen() sets the options that it is told, and its connections inherit them",
    async run(subject) {
      const { net, sw } = subject;
      const plain = await listening(subject);
      if (!await settable(() => plain.setOption("SO_KEEPALIVE", true))) return;
      const listener = await net.listen(sw, here(subject), { socketOptions: { SO_KEEPALIVE: true } });
      const [, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
      expectSame(server.getOption("SO_KEEPALIVE"), true, "the option that listen() was told");
    },
  },
  {
    name: "connect(), listen() and datagramSocket() of what is no option are invalid_option",
    async run(subject) {
      const { net, sw, ip } = subject;
      const { address } = await listening(subject);
      const socketOptions = { SO_SUCH: 1 } as never;
      await expectCode(() => net.connect(sw, address, { socketOptions }), "invalid_option", "connect() of no option");
      await expectCode(
        () => net.listen(sw, here(subject), { socketOptions }),
        "invalid_option",
        "listen() of no option",
      );
      if (!net.features.has("datagrams")) return;
      const open = () => net.datagramSocket(sw, udp(ip, 0), { socketOptions });
      await expectCode(open, "invalid_option", "datagramSocket() of no option");
    },
  },
  {
    name: "listen() with reusePort shares the port, or is not_supported, as the feature says",
    async run(subject) {
      const { net, sw } = subject;
      const open = (address = here(subject)) => net.listen(sw, address, { reusePort: true });
      await shared(net, "reusePort", () => open(), ({ address }) => open(address));
    },
  },
  {
    name: "datagramSocket() with reusePort shares the port, or is not_supported, as the feature says",
    async run({ net, sw, ip }) {
      if (!net.features.has("datagrams")) return;
      const open = (address = udp(ip, 0)) => net.datagramSocket(sw, address, { reusePort: true });
      await shared(net, "datagramReusePort", () => open(), ({ local }) => open(local));
    },
  },
  {
    name: "listen() holds no more connections than its backlog, where nobody accepts them",
    async run(subject) {
      const { net, sw } = subject;
      if (net.features.has("pullAccept")) return; // the system holds them, and does as it likes
      const listener = await net.listen(sw, here(subject), { backlog: 1 });
      for (let i = 0; i < 3; i++) await net.connect(sw, listener.address).catch(() => {}); // reset so soon
      for (let i = 0; i < 1000 && listener.dropped !== 2; i++) await turns(1);
      expectSame(listener.dropped, 2, "how many of 3 connections were dropped by a backlog of 1");
    },
  },
  {
    name: "the clock of a network goes on",
    async run({ net: { clock } }) {
      const before = clock.now();
      await clock.sleep(1);
      expect(clock.now() >= before + 1, `Expected a millisecond to go by: ${before} became ${clock.now()}`);
    },
  },
];

/** Whether the network reaches an option; if not, it must say so. */
async function settable(set: () => void): Promise<boolean> {
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
