// Copyright 2026 the Sluice authors. MIT license.

/** The contract of flows over the system's sockets. */
import { createNet } from "../../net/provider/mod.ts";
import { type Net, type StreamAddress, type Switch, tcp, unix } from "../../mod.ts";
import { checkFlow, type FlowPair } from "../../net/testing/mod.ts";
import { systemProvider } from "../../net/backends/auto.ts";
import { test } from "../_test.ts";

async function connected(net: Net, sw: Switch, address: StreamAddress): Promise<FlowPair> {
  const listener = await net.listen(sw, address, { linger: 100 });
  const accepting = listener.accept(sw);
  const client = await net.connect(sw, listener.address, { linger: 100 });
  const server = await accepting;
  await listener.close();
  return [client, server];
}

const kinds: [string, () => StreamAddress][] = [
  ["TCP", () => tcp("127.0.0.1", 0)],
  ["TCP over IPv6", () => tcp("::1", 0)],
  ["a Unix socket", () => unix(`\0sluice-flow-${Math.random()}`)],
];

for (const [kind, address] of kinds) {
  const make = (sw: Switch) => connected(createNet(systemProvider()), sw, address());
  for (const check of checkFlow(make, { clogged: make })) {
    test(`${kind}: ${check.name}`, () => check.run());
  }
}
