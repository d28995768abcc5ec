// Copyright 2026 the Sluice authors. MIT license.

/** The contract of flows over TLS. */
import { assertRejects } from "@std/assert";
import { BrokenPipeError, pipe, type Switch } from "../../../mod.ts";
import { createNet } from "../../../net/provider/mod.ts";
import { systemProvider } from "../../../net/backends/auto.ts";
import { checkFlow, type FlowPair } from "../../../net/testing/mod.ts";
import { thisRuntime } from "../../_runtimes.ts";
import { test } from "../../_test.ts";
import { anyPort } from "../_helpers.ts";
import { secured } from "./_helpers.ts";

/**
 * Many checks close one end before they use the other, which takes as long as closing lingers. A
 * clogged flow needs that time.
 */
function options(capacity: number | undefined): { linger: number | undefined } {
  return { linger: capacity === undefined ? 60 : undefined };
}

function overPipe(sw: Switch, capacity?: number): Promise<FlowPair> {
  return secured(sw, pipe({ capacity }), options(capacity), options(capacity));
}

async function overTls(sw: Switch, capacity?: number): Promise<FlowPair> {
  return await secured(sw, await overPipe(sw, capacity), options(capacity), options(capacity));
}

async function overSockets(sw: Switch, capacity?: number): Promise<FlowPair> {
  const net = createNet(systemProvider());
  const listener = await net.listen(sw, anyPort);
  const accepting = listener.accept(sw);
  const client = await net.connect(sw, listener.address);
  const server = await accepting;
  await listener.close();
  return await secured(sw, [client, server], options(capacity), options(capacity));
}

const kinds: [string, typeof overPipe][] = [["a pipe", overPipe], ["TLS", overTls], ["sockets", overSockets]];

/** On Bun, an end that receives the peer's end also ends its own direction. */
const lacking = thisRuntime().name === "bun" ? 'shutdown("send") leaves the other direction open' : undefined;

for (const [kind, make] of kinds) {
  for (const check of checkFlow((sw) => make(sw), { clogged: (sw) => make(sw, 1000) })) {
    test(`TLS over ${kind}: ${check.name}`, async () => {
      if (check.name === lacking) await assertRejects(() => check.run(), BrokenPipeError);
      else await check.run();
    });
  }
}
