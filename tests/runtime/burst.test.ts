// Copyright 2026 the Sluice authors. MIT license.

/** Many clients at once, and few at a time. */
import { assertEquals } from "@std/assert";
import { copyString, readExact, runServer, tcp } from "../../mod.ts";
import { withNet } from "../net/_helpers.ts";
import { test } from "../_test.ts";
import { Peer } from "./_peers.ts";

const clients = 2_000;

const script = `
  const [port, count] = args.map(Number);
  let served = 0, left = count;
  const failures = {};
  for (let i = 0; i < count; i++) {
    let got = "", how = "closed";
    net.connect(port, "127.0.0.1", function () { this.write("q"); })
      .on("data", (part) => got += part).on("error", (error) => how = error.code)
      .on("close", () => {
        if (got === "answer") served++; else failures[how] = (failures[how] ?? 0) + 1;
        if (--left === 0) say(served + " served " + JSON.stringify(failures));
      });
  }
`;

test("runServer() serves a burst of 2000 clients, 100 at a time", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    const errors: unknown[] = [];
    let most = 0;
    let now = 0;
    sw.forkDaemon(() =>
      runServer(listener, async (connection) => {
        most = Math.max(most, ++now);
        await readExact(connection, new Uint8Array(1));
        await copyString("answer", connection);
        now--;
      }, { onError: (error) => errors.push(error), maxConnections: 100 })
    );
    await using peer = Peer.node(script, listener.address.port, clients);
    assertEquals(await peer.line(), `${clients} served {}`);
    assertEquals([errors, most], [[], 100]);
  }));
