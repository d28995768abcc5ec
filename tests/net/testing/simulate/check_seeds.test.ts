// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Cancelled, Switch, tcp, TimeoutError, udp } from "../../../../mod.ts";
import {
  checkSeeds,
  DeadlockError,
  SeedError,
  type Sim,
  type SimFault,
  simulate,
} from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";

/** Sends a question every 10 ms, and counts the answers: each must come. */
async function asking(sim: Sim): Promise<void> {
  const [a, b, c] = [sim.host("a"), sim.host("b"), sim.host("c")];
  await Switch.run(async (sw) => {
    const server = await b.net.datagramSocket(sw, udp(b.ip, 53));
    sw.forkDaemon(async () => {
      for (;;) for (const { data, from } of await server.recvMany()) await server.send(data, from);
    });
    const client = await a.net.datagramSocket(sw, udp(a.ip, 0));
    await c.net.datagramSocket(sw, udp(c.ip, 53));
    for (let i = 0; i < 100; i++) {
      await client.send(Uint8Array.of(i), server.local);
      await sim.run(10);
      assertEquals((await client.recvMany()).map(({ data }) => data[0]), [i]);
    }
  });
}

const faults = { partitions: 3, pauses: 3, drops: 5, within: 1000 };

test("checkSeeds() passes a scenario that holds, once for each seed", async () => {
  const numbers = new Set<number>();
  await checkSeeds(50, async (sim) => {
    numbers.add(sim.host("a").random());
    await sim.run(1);
  });
  assertEquals(numbers.size, 50);
});

test("checkSeeds() throws a SeedError with the seed, the cause, the trace and the fewest faults", async () => {
  const error = await assertRejects(() => checkSeeds(100, asking, { faults }), SeedError);
  assertInstanceOf(error.cause, DeadlockError);
  assertEquals(error.faults.length, 1);
  const [{ what, host, peer }] = error.faults;
  assert(what !== "pause" && [host, peer].sort().join() === "a,b", JSON.stringify(error.faults));
  assert(error.trace.some((event) => event.what === what));
  for (
    const part of [`Cannot pass seed ${error.seed}: `, JSON.stringify(error.faults[0]), "the last events:", "send UDP"]
  ) {
    assert(error.message.includes(part), `${part} is not in ${error.message}`);
  }
});

test("checkSeeds() shows the trace up to the failure, whether main, a program or an invariant fails", async () => {
  const talking = (fail: (sim: Sim) => Promise<void>) => async (sim: Sim) => {
    const [server, client] = [sim.host("server"), sim.host("client")];
    void server.fork(() => Switch.run(async (sw) => (await server.net.listen(sw, tcp(server.ip, 80))).accept(sw)));
    void client.fork(() =>
      Switch.run(async (sw) => {
        await client.net.connect(sw, tcp(server.ip, 80));
        await client.clock.sleep(Infinity); // its end resets the connection
      })
    );
    await sim.run(10);
    sim.schedule(20, () => sim.partition(server, client));
    await sim.run(10);
    await fail(sim);
  };
  const error = new Error("planned");
  const ways: ((sim: Sim) => Promise<void>)[] = [
    () => Promise.reject(error),
    (sim) => sim.host("other").fork(() => Promise.reject(error)),
    async (sim) => {
      sim.invariant("nothing fails", () => {
        throw error;
      });
      await sim.run(1);
    },
  ];
  for (const way of ways) {
    const { message, trace } = await assertRejects(() => checkSeeds(1, talking(way)), SeedError, "planned");
    assertEquals(trace.at(-1)?.what, "partition");
    assert(message.includes("client:32768 -> server:80\n"), message);
  }
});

test("checkSeeds() replays a seed with its faults, and passes without them", async () => {
  const { seed, faults: found, trace } = await assertRejects(() => checkSeeds(100, asking, { faults }), SeedError);
  await checkSeeds([seed], asking);
  const again = await assertRejects(() => checkSeeds([seed], asking, { faults: found }), SeedError);
  assertEquals([again.faults, again.trace], [found, trace]);
  const copied = JSON.parse(JSON.stringify(found)) as SimFault[];
  assertEquals((await assertRejects(() => checkSeeds([seed], asking, { faults: copied }), SeedError)).trace, trace);
});

test("checkSeeds() finds a fault that needs another one", async () => {
  // Fails only if both hosts are down at once.
  const scenario = async (sim: Sim) => {
    const up = new Set<string>();
    const main = async ({ name, clock }: { name: string; clock: { sleep(ms: number): Promise<void> } }) => {
      up.add(name);
      try {
        await clock.sleep(Infinity);
      } finally {
        up.delete(name);
      }
    };
    sim.host("a", { main });
    sim.host("b", { main });
    sim.invariant("a host is up", () => assert(up.size > 0 || sim.clock.now() > 5000));
    await sim.run(5000);
  };
  const plan = { partitions: 4, crashes: 4, pauses: 4, within: 5000 };
  const error = await assertRejects(() => checkSeeds(1000, scenario, { faults: plan }), SeedError, "a host is up");
  assertEquals(error.faults.map(({ what }) => what), ["crash", "crash"]);
  assertEquals(error.faults.map(({ host }) => host).sort(), ["a", "b"]);
});

test("checkSeeds() restarts what crashes, ends what is cut, and goes on", () =>
  checkSeeds(20, async (sim) => {
    let starts = 0;
    for (const name of ["a", "b"]) sim.host(name, { main: () => starts++ });
    await sim.run(2000);
    const kinds = sim.trace().map(({ what }) => what);
    const count = (kind: string) => kinds.filter((each) => each === kind).length;
    assertEquals([count("restart"), starts], [count("crash"), 2 + count("crash")]);
    assert(count("crash") > 0 && count("heal") > 0);
  }, { faults: { crashes: 3, partitions: 3, within: 1000 } }));

test("checkSeeds() applies the limits of a simulation", async () => {
  const error = await assertRejects(() => checkSeeds([9], (sim) => sim.run(100), { deadline: 50 }), SeedError);
  assertEquals(error.seed, 9);
  assertInstanceOf(error.cause, TimeoutError);
});

test("checkSeeds() is cancelled with its caller's scope", async () => {
  const reason = new Error("planned");
  let runs = 0;
  const outcome = await Switch.run(async (sw) => {
    await assertRejects(() =>
      checkSeeds(1000, async (sim) => {
        if (++runs === 3) sw.fail(reason);
        await sim.run(1);
      }), Cancelled);
  }).catch((error) => error);
  assertEquals([outcome, runs], [reason, 3]);
});

test("checkSeeds() checks its arguments", async () => {
  const pass = () => Promise.resolve();
  await assertRejects(() => checkSeeds(0, pass), RangeError);
  await assertRejects(() => checkSeeds(1, 5 as never), TypeError);
  await assertRejects(() => checkSeeds(1, pass, { faults: { drops: -1 } }), RangeError);
  await assertRejects(() => checkSeeds(1, pass, { faults: 3 as never }), TypeError);
  await assertRejects(() => checkSeeds(1, pass, { faults: [{ what: "flood" } as never] }), TypeError);
  await assertRejects(() => checkSeeds([0.5], pass), RangeError);
  await assertRejects(() => checkSeeds(1, pass, { deadline: -1 }), RangeError);
  assertEquals(await simulate({}, () => Promise.resolve(1)), 1); // nothing is left running
});
