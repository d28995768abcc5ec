// Copyright 2026 the Sluice authors. MIT license.

/** Workers that end because their caller does, and what they do under load. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { all, first, formatAddress, isCancelled, run, Switch, tcp } from "../../../mod.ts";
import { serverMonitor } from "../../../net/server/mod.ts";
import { runWorkers } from "../../../net/workers/mod.ts";
import { outcomeOf, until } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { moduleOf, withWorkers } from "./_helpers.ts";

test("runWorkers() cancels handlers at once when its caller is cancelled, and ends its threads", () =>
  run(async ({ net, workers }) => {
    const monitor = serverMonitor();
    let answered = false; // the handler has read the command: it does not end with its client
    const outcome = await first(async () => {
      try {
        return await runWorkers(workers, {
          module: moduleOf("_commands.ts"),
          address: tcp("127.0.0.1", 0),
          workers: 2,
          monitor,
          onError: () => {},
          onListen: (address) =>
            Switch.run(async (sw) => {
              const flow = await net.connect(sw, address);
              await flow.write(new TextEncoder().encode("forever\n"));
              await flow.read(new Uint8Array(10));
              answered = true;
              await flow.read(new Uint8Array(10));
            }, { name: "client" }).catch(() => {}),
        });
      } finally {
        assert(isCancelled());
      }
    }, () => until(() => answered && monitor.accepted === 1));
    assertEquals(outcome, undefined);
    assertEquals([monitor.state, monitor.active, monitor.report?.forced], ["stopped", 0, monitor.accepted]);
  }));

test("runWorkers() is cancelled while its workers start", () =>
  run(async ({ workers, clock }) => {
    const options = { module: moduleOf("_commands.ts"), address: tcp("127.0.0.1", 0), onError: () => {} };
    assertEquals(await first(() => runWorkers(workers, options), () => clock.sleep(0)), undefined);
  }));

test("runWorkers() settles at once if it has been told to stop before", () =>
  run(async ({ workers }) => {
    const options = { module: moduleOf("_commands.ts"), address: tcp("127.0.0.1", 0), onError: () => {} };
    assertEquals(await runWorkers(workers, { ...options, stop: AbortSignal.abort() }), undefined);
    assertEquals(await runWorkers(workers, { ...options, stop: Promise.resolve(5) }), 5);
    await assertRejects(() => runWorkers(workers, { ...options, stop: Promise.reject(new Error("no")) }), Error, "no");
  }));

test("runWorkers() fails with what onListen throws", () =>
  run(async ({ workers }) => {
    const options = { module: moduleOf("_commands.ts"), address: tcp("127.0.0.1", 0), workers: 1, onError: () => {} };
    const fail = () => Promise.reject(new Error("of onListen"));
    await assertRejects(() => runWorkers(workers, { ...options, onListen: fail }), Error, "of onListen");
  }));

test("runWorkers() fails with what onError throws", async () => {
  const error = await outcomeOf(() =>
    withWorkers({ onError: () => Promise.reject(new Error("of onError")) }, async ({ ask, ended }) => {
      await ask("net error");
      await ended;
    })
  ) as Error;
  assertEquals(error.message, "of onError");
});

test("runWorkers() runs beside itself, and several times", () =>
  all([1, 2].map(() => () => withWorkers({ workers: 1 }, async ({ ask }) => assert(await ask("thread") !== "")))));

test("runWorkers() lists the connections of all workers in its monitor", () =>
  withWorkers({}, async ({ openHeld, monitor }) => {
    const { flow } = await openHeld("hold");
    await openHeld("hold");
    await until(() =>
      monitor.connections().length === 2 && monitor.connections().every(({ bytesOut }) => bytesOut > 0)
    );
    const [one, two] = monitor.connections();
    assertEquals([one.id, two.id], [1, 2]);
    assert([one, two].some(({ peer }) => formatAddress(peer) === formatAddress(flow.local)));
    assertEquals(one.waiting.length, 1);
    assertEquals([monitor.accepted, monitor.active, monitor.state], [2, 2, "serving"]);
    flow.abort();
    await until(() => monitor.connections().length === 1);
  }));

test("runWorkers() serves all clients of a flood in which workers are killed, and loses only theirs", () =>
  withWorkers({ workers: 2, maxConnections: 8 }, async ({ ask, errors, monitor }) => {
    let served = 0;
    let lost = 0;
    const client = async (command: string) => {
      const answer = await outcomeOf(() => ask(command));
      if (typeof answer === "string" && answer !== "") served++;
      else lost++;
    };
    await all(Array.from({ length: 200 }, (_, i) => () => client(i % 100 === 50 ? "exit" : "thread")));
    assertEquals(served + lost, 200);
    assert(served > 0);
    // Every slot that a dead worker has held is free again: as many as before are served at once.
    await until(() => monitor.active === 0);
    while (errors.length < 2) await client("exit");
    for (let after = 0; after < 20;) {
      const before = served;
      await client("thread");
      after = served > before ? after + 1 : 0;
    }
  }));
