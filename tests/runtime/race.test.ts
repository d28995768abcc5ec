// Copyright 2026 the Sluice authors. MIT license.

/** The race to connect against addresses of the system, one of which is a black hole. */
import { assert, assertEquals } from "@std/assert";
import { connectAny, first, type Net, type Switch, type TcpAddress } from "../../mod.ts";
import { until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, withNet } from "../net/_helpers.ts";
import { descriptors, descriptorsBack } from "./_helpers.ts";
import { withDeafPeer } from "./_peers.ts";

/** Runs `fn` with an address to which attempts to connect are neither accepted nor refused. */
function withBlackHole(fn: (hole: TcpAddress, sw: Switch, net: Net) => Promise<void>): Promise<void> {
  return withDeafPeer((hole) => withNet((sw, net) => fn(hole, sw, net)));
}

test("connectAny() goes on after 250 ms when an address does not answer, and closes the loser", async () => {
  await withBlackHole(async (hole, sw, net) => {
    const { address } = await net.listen(sw, anyPort);
    const before = descriptors();
    const started = performance.now();
    const flow = await connectAny(net, sw, [hole, address]);
    const took = performance.now() - started;
    assertEquals(flow.peer, address);
    assert(took >= 249, `took ${took} ms`);
    await flow.close();
    await descriptorsBack(before + 1); // the listener's own side of the connection
  });
});

test("connectAny() leaves no socket behind when it is cancelled amid attempts that hang", async () => {
  await withBlackHole(async (hole, sw, net) => {
    const before = descriptors();
    await first(() => connectAny(net, sw, [hole]), () => until(() => descriptors() > before));
    await descriptorsBack(before);
  });
});

test("connectAny() fails when its time is over, and leaves no socket open", async () => {
  await withBlackHole(async (hole, sw, net) => {
    const before = descriptors();
    await assertNetError(() => connectAny(net, sw, [hole], { timeout: 50 }), "connection_timeout");
    await descriptorsBack(before);
  });
});
