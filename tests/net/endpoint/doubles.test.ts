// Copyright 2026 the Sluice authors. MIT license.

/** Connectors over networks of tests: scripted, and simulated. */
import { assertEquals } from "@std/assert";
import { BufReader, copyString, hostAddress, NetError, Switch, tcp } from "../../../mod.ts";
import { createConnector, systemResolver } from "../../../net/endpoint/mod.ts";
import { mockClock, mockFlow, mockNet, type SimHost, simulate } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";
import { startServer } from "./_helpers.ts";

test("connect() asks a scripted network once for each endpoint, and closes what it returns", async () => {
  const net = mockNet({ clock: mockClock() });
  const server = mockFlow("server", { log: net.log });
  server.onRead({ return: "hello\n" });
  net.onConnect({ throw: new NetError("connection_refused", { operation: "connect" }) }, { return: server });
  await Switch.run(async (sw) => {
    const candidates = [tcp("10.0.0.5", 80), hostAddress("db.test", 7000)];
    const connection = await createConnector({ net }).connect(sw, candidates);
    assertEquals(connection.endpoint, candidates[1]);
    assertEquals(await new BufReader(connection, { maxSize: 100 }).line(), "hello");
  });
  assertEquals(net.log, [
    "net: connect to tcp:10.0.0.5:80",
    "net: connect to host:db.test:7000",
    'server: read "hello\\n"',
    "server: closed",
  ]);
});

test("an attempt over a simulated network fails when its host does", async () => {
  await simulate({ seed: 1, link: { latency: 5 } }, async (sim) => {
    const client = sim.host("client");
    const served = ({ net }: SimHost) =>
      Switch.run(async (sw) => {
        await startServer(sw, net, tcp("0.0.0.0", 80), (connection) => copyString("hello\n", connection));
        await net.clock.sleep(10_000);
      });
    const server = sim.host("server", { main: served });
    const { net } = client;
    const connector = createConnector({ net, timeout: 1_000 });
    const ask = () =>
      Switch.run(async (sw) => {
        const connection = await connector.connectUrl(sw, "http://server", systemResolver(net));
        return await new BufReader(connection, { maxSize: 100 }).line();
      });
    await sim.run(100);
    assertEquals(await ask(), "hello");
    sim.crash(server);
    const start = net.clock.now();
    const error = await ask().catch((error) => error);
    assertEquals([error.code, net.clock.now() - start], ["connection_timeout", 1_000]);
  });
});
