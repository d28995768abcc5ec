// Copyright 2026 the Sluice authors. MIT license.

/** A proxy whose handler opens the upstream connection under the only switch in sight leaks nothing either. */
import { assert, assertEquals } from "@std/assert";
import { copy, copyString, proxy, readAll, runServer, type StreamSocket, Switch, tcp } from "../../mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { until } from "../_helpers.ts";
import { withNet } from "../net/_helpers.ts";
import { test } from "../_test.ts";

const requests = 50;

/** What a client does with its connection. */
const clients: Record<string, (flow: StreamSocket) => Promise<unknown>> = {
  "that end": async (flow) => {
    await copyString("x", flow);
    await flow.shutdown("send");
    await readAll(flow);
  },
  "that reset": async (flow) => {
    await copyString("x", flow);
    await flow.read(new Uint8Array(1));
    flow.abort();
  },
};
for (const [who, request] of Object.entries(clients)) {
  test(`proxy() to a connection of an outer switch leaves nothing of clients ${who}`, () =>
    withNet(async (sw, net) => {
      const stop = new AbortController();
      const onError = () => {};
      const upstream = await net.listen(sw, tcp("127.0.0.1", 0));
      const front = await net.listen(sw, tcp("127.0.0.1", 0));
      const echo = sw.forkPromise(() =>
        runServer(upstream, (flow) => copy(flow, flow), { onError, stop: stop.signal })
      );
      const served = sw.forkPromise(() =>
        runServer(front, async (flow) => await proxy(flow, await net.connect(sw, upstream.address)), {
          onError,
          stop: stop.signal,
        })
      );
      for (let i = 0; i < requests; i++) {
        await Switch.run(async (inner) => await request(await net.connect(inner, front.address)));
      }
      await until(() => openCounts().sockets === 0);
      const resources = sw.dump().split("\n").filter((line) => line.includes("resource"));
      assert(resources.length < 10, `${resources.length} resources are left`);
      stop.abort();
      assertEquals(await Promise.all([echo, served]), [undefined, undefined]);
    }));
}
