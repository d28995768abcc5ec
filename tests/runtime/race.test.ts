// Copyright 2026 the Sluice authors. MIT license.

/** The race to connect against addresses of the system, one of which is a black hole. */
import { assert, assertEquals } from "@std/assert";
import { connectAny, first, type Net, type Switch, tcp, type TcpAddress } from "../../mod.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, until, withNet } from "../net/_helpers.ts";
import { descriptors, Peer } from "./_peers.ts";

/** Runs `fn` with an address to which attempts to connect are neither accepted nor refused: the queue of its stopped listener is full. */
async function withBlackHole(fn: (hole: TcpAddress, sw: Switch, net: Net) => Promise<void>): Promise<void> {
  await using peer = Peer.node(`
    const server = net.createServer(() => {});
    server.listen({ host: "127.0.0.2", port: 0, backlog: 1 }, () => say(server.address().port));
  `);
  const hole = tcp("127.0.0.2", Number(await peer.line()));
  peer.kill("SIGSTOP");
  await withNet(async (sw, net) => {
    for (let full = false; !full;) {
      await net.connect(sw, hole, { timeout: 300 }).catch((error) => full = error.code === "connection_timeout");
    }
    await fn(hole, sw, net);
  });
}

test("connectAny() goes on after 250 ms when an address does not answer, and closes the loser", async () => {
  await withBlackHole(async (hole, sw, net) => {
    const { address } = await net.listen(sw, anyPort);
    const before = descriptors();
    const started = performance.now();
    const flow = await connectAny(net, sw, [hole, address]);
    const took = performance.now() - started;
    assertEquals(flow.peer, address);
    assert(took >= 249 && took < 2000, `took ${took} ms`);
    await flow.close();
    await until(() => descriptors() <= before + 1); // the listener's own side of the connection
  });
});

test("connectAny() leaves no socket behind when it is cancelled amid attempts that hang", async () => {
  await withBlackHole(async (hole, sw, net) => {
    const before = descriptors();
    await first(() => connectAny(net, sw, [hole]), () => until(() => descriptors() > before));
    await until(() => descriptors() <= before);
  });
});

test("connectAny() gives up when its time is over, and leaves no socket behind", async () => {
  await withBlackHole(async (hole, sw, net) => {
    const before = descriptors();
    await assertNetError(() => connectAny(net, sw, [hole], { timeout: 50 }), "connection_timeout");
    await until(() => descriptors() <= before);
  });
});
