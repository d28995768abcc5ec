// Copyright 2026 the Sluice authors. MIT license.

/** The contract of flows over the system's sockets. */
import { createNet } from "../../net/provider/mod.ts";
import { type Net, type StreamAddress, type Switch, tcp, unix } from "../../mod.ts";
import { checkFlow, type FlowPair } from "../../net/testing/mod.ts";
import { systemProvider } from "../../net/backends/auto.ts";
import { test } from "../_test.ts";

async function connected(net: Net, sw: Switch, address: StreamAddress, linger: number): Promise<FlowPair> {
  const listener = await net.listen(sw, address, { linger });
  const accepting = listener.accept(sw);
  const client = await net.connect(sw, listener.address, { linger });
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
  const make = (linger: number) => (sw: Switch) => connected(createNet(systemProvider()), sw, address(), linger);
  // A clogged connection holds megabytes, which a busy machine reads slowly.
  for (const check of checkFlow(make(100), { clogged: make(10_000) })) {
    test(`${kind}: ${check.name}`, () => check.run());
  }
}
