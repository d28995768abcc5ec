// Copyright 2026 the Sluice authors. MIT license.

/** Time, deadlock, limits and ends of a simulation. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  awaitCancel,
  both,
  Cancelled,
  protect,
  Switch,
  tcp,
  TimeoutError,
  withTimeout,
  yieldNow,
} from "../../../../mod.ts";
import { macrotask, sleepOn, systemClock } from "../../../../switch/internal.ts";
import { DeadlockError, openCounts, type Sim, simulate } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";
import { echoServer } from "./_programs.ts";

/** Captured, because a simulation must not depend on it. */
const { setTimeout } = globalThis;

test("simulate() returns the value of its main function", async () => {
  assertEquals(await simulate({}, () => Promise.resolve(7)), 7);
});

test("simulate() throws what its main function throws", async () => {
  const error = new Error("planned");
  assertEquals(await simulate({}, () => Promise.reject(error)).catch((thrown) => thrown), error);
});

test("simulate() lets virtual time pass in no real time", async () => {
  const before = performance.now();
  await simulate({}, async (sim) => {
    assertEquals(sim.clock.now(), 0);
    await sim.run(10_000_000);
    assertEquals(sim.clock.now(), 10_000_000);
  });
  assert(performance.now() - before < 1000);
});

test("simulate() runs the library's own timers in virtual time, whatever their clock", () =>
  simulate({}, async (sim) => {
    await assertRejects(() => withTimeout(systemClock, 60_000, awaitCancel), TimeoutError);
    assertEquals(sim.clock.now(), 60_000);
    await sleepOn(systemClock, 1000);
    assertEquals(sim.clock.now(), 61_000);
  }));

test("simulate() restores real time at its end", async () => {
  await simulate({}, (sim) => sim.run(1_000_000_000));
  assert(systemClock.now() > 1.7e12);
});

test("simulate() orders events by time, and those of a time by when they were scheduled", () =>
  simulate({}, async (sim) => {
    const order: string[] = [];
    for (const [at, name] of [[2, "c"], [1, "a"], [2, "d"], [1, "b"]] as const) {
      sim.schedule(at, () => void order.push(name));
    }
    await sim.run(3);
    assertEquals(order, ["a", "b", "c", "d"]);
  }));

test("simulate() lets code that polls in a loop see time pass", () =>
  simulate({}, async (sim) => {
    while (sim.clock.now() < 1) {
      sim.schedule(1, () => {});
      await yieldNow();
    }
  }));

test("simulate() lets time pass for fibers that poll side by side, and on one host", () =>
  simulate({}, async (sim) => {
    const host = sim.host("a", { main: echoServer });
    const poll = async () => {
      for (;;) await yieldNow();
    };
    const chat = () =>
      Switch.run(async (sw) => {
        const flow = await host.net.connect(sw, tcp("127.0.0.1", 80));
        for (;;) {
          await flow.write(new Uint8Array(1));
          await flow.read(new Uint8Array(1));
        }
      });
    await assertRejects(() => withTimeout(sim.clock, 10, () => both(poll, () => both(poll, chat))), TimeoutError);
    assertEquals(sim.clock.now(), 10);
  }));

test("simulate() takes a sleep without an end for no event", async () => {
  const error = await assertRejects(() => simulate({}, () => systemClock.sleep(Infinity)), DeadlockError);
  assertEquals(error.time, 0);
});

test("simulate() runs the turns that are left when it ends", async () => {
  let turned: Promise<void> | undefined;
  await simulate({}, () => {
    turned = new Promise((resolve) => macrotask(resolve));
    return Promise.resolve();
  });
  await turned;
});

test("simulate() throws a DeadlockError that names each host and what it waits for", async () => {
  const error = await assertRejects(() =>
    simulate({}, async (sim) => {
      sim.host("server", { main: echoServer });
      const client = sim.host("client");
      await client.fork(() =>
        Switch.run(async (sw) => {
          const flow = await client.net.connect(sw, tcp("10.0.0.1", 80));
          await flow.read(new Uint8Array(1));
        })
      );
    }), DeadlockError);
  assertEquals(error.time, 3); // the acknowledgement of the handshake
  assert(error.message.includes("Cannot continue at 3 ms: everything waits"), error.message);
  const lines = error.dump.split("\n").map((line) => line.trim());
  for (
    const line of ['host "server"', "waiting: accept tcp:0.0.0.0:80", 'host "client"', "waiting: read tcp:10.0.0.1:80"]
  ) {
    assert(lines.includes(line), `${line} is not in\n${error.dump}`);
  }
});

test("simulate() throws a DeadlockError even if its main function cannot be cancelled", async () => {
  await assertRejects(() => simulate({}, () => new Promise(() => {})), DeadlockError);
});

test("simulate() throws a DeadlockError for two peers that write and never read", async () => {
  const error = await assertRejects(() =>
    simulate({}, (sim) => {
      const [a, b] = [sim.host("a"), sim.host("b")];
      return Switch.run(async (sw) => {
        const listener = await a.net.listen(sw, tcp(a.ip, 80));
        const flood = async (flow: { write(bytes: Uint8Array): Promise<number> }) => {
          for (;;) await flow.write(new Uint8Array(10_000));
        };
        sw.fork(async () => await flood(await listener.accept(sw)));
        await flood(await b.net.connect(sw, listener.address));
      });
    }), DeadlockError);
  assertEquals(error.dump.split("waiting: write").length, 3, error.dump);
});

test("simulate() waits for a foreign promise before it calls it a deadlock", async () => {
  const value = await simulate({}, () => new Promise((resolve) => setTimeout(resolve, 3, "late")));
  assertEquals(value, "late");
});

test("simulate() in strict mode refuses a foreign promise", async () => {
  const yielding = () => new Promise((resolve) => setImmediate(() => setImmediate(() => setImmediate(resolve))));
  await assertRejects(() => simulate({ strict: true }, yielding), DeadlockError, "settled from outside");
  const turning = async (sim: Sim) => {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    await sim.run(1);
  };
  await assertRejects(() => simulate({ strict: true }, turning), DeadlockError, "settled from outside");
});

test("external() stops virtual time, also in strict mode", () =>
  simulate({ strict: true }, async (sim) => {
    let ticks = 0;
    sim.schedule(1, () => ticks++);
    const value = await sim.external(new Promise((resolve) => setTimeout(resolve, 20, "real")));
    assertEquals([value, sim.clock.now(), ticks], ["real", 0, 0]);
    await sim.run(1);
    assertEquals([sim.clock.now(), ticks], [1, 1]);
    const error = new Error("planned");
    assertEquals(await sim.external(Promise.reject(error)).catch((thrown) => thrown), error);
  }));

test("simulate() fails with a TimeoutError after its deadline", async () => {
  let now = 0;
  const error = await assertRejects(
    () =>
      simulate({ deadline: 100 }, async (sim) => {
        for (;;) {
          await sim.run(7);
          now = sim.clock.now();
        }
      }),
    TimeoutError,
    "Cannot finish the simulation within 100 ms",
  );
  assertEquals([error.ms, now], [100, 98]);
});

test("simulate() lets its hosts end after its deadline", async () => {
  let end = 0;
  const value = await simulate({ deadline: 100 }, async (sim) => {
    sim.host("a", { main: ({ clock }) => protect(() => clock.sleep(1000).then(() => end = clock.now())) });
    await sim.run(10);
    return "done";
  });
  assertEquals([value, end], ["done", 1000]);
});

test("simulate() fails after maxEvents", async () => {
  const run = () =>
    simulate({ maxEvents: 10 }, async (sim) => {
      for (;;) await sim.run(1);
    });
  await assertRejects(run, Error, "Cannot continue the simulation at 10 ms: it had 10 events, which is maxEvents");
});

test("invariant() is checked after each event, and fails the simulation", async () => {
  let balance = 0;
  const cause = new Error("negative");
  const error = await assertRejects(
    () =>
      simulate({}, async (sim) => {
        sim.invariant("the balance is positive", () => {
          if (balance < 0) throw cause;
        });
        sim.schedule(5, async () => {
          balance = -1;
          await yieldNow();
          balance = 1;
        });
        await sim.run(100);
      }),
    Error,
    'Cannot continue the simulation at 5 ms: "the balance is positive" does not hold: Error: negative',
  );
  assertEquals(error.cause, cause);
});

test("invariant() is not checked in the middle of an event's promise jobs", () =>
  simulate({}, async (sim) => {
    let [one, other] = [0, 0];
    sim.invariant("both are equal", () => assertEquals(one, other));
    sim.schedule(1, async () => {
      one++;
      for (let i = 0; i < 50; i++) await null;
      other++;
    });
    await sim.run(2);
    assertEquals(one, 1);
  }));

test("schedule() fails the simulation with what its function throws", async () => {
  const error = new Error("planned");
  const run = (what: () => unknown) =>
    simulate({}, async (sim) => {
      sim.schedule(1, what);
      await sim.run(10);
    }).catch((thrown) => thrown);
  assertEquals(await run(() => Promise.reject(error)), error);
  assertEquals(
    await run(() => {
      throw error;
    }),
    error,
  );
});

test("fork() returns a value or an error if it is awaited, and fails the simulation otherwise", async () => {
  const error = new Error("planned");
  const fail = () => Promise.reject(error);
  await simulate({}, async (sim) => {
    const host = sim.host("a");
    assertEquals(await host.fork(() => 1), 1);
    assertEquals(await host.fork(fail).catch((thrown) => thrown), error);
    assertEquals(await Promise.all([host.fork(() => 2), host.fork(async () => await Promise.resolve(3))]), [2, 3]);
  });
  const forgetful = simulate({}, async (sim) => {
    void sim.host("a").fork(fail);
    await sim.run(10);
  });
  assertEquals(await forgetful.catch((thrown) => thrown), error);
});

test("simulate() ends the programs of its hosts with its main function", async () => {
  const ended: string[] = [];
  await simulate({}, async (sim) => {
    const main = async ({ name }: { name: string }) => {
      try {
        await awaitCancel();
      } finally {
        ended.push(name);
      }
    };
    sim.host("a", { main });
    sim.host("b", { main });
    await sim.run(1);
    assertEquals(ended, []);
  });
  assertEquals(ended, ["b", "a"]);
  assertEquals(openCounts().operations, 0);
});

test("simulate() is cancelled with its caller's scope", async () => {
  const reason = new Error("planned");
  const outcome = await Switch.run(async (sw) => {
    sw.fork(() => simulate({}, (sim) => (sim.schedule(1, () => sw.fail(reason)), awaitCancel())));
    await awaitCancel();
  }).catch((error) => error);
  assertEquals(outcome, reason);
});

test("simulate() waits until earlier simulations have ended", async () => {
  const log: string[] = [];
  const run = (name: string) =>
    simulate({}, async (sim) => {
      log.push(`${name} begins`);
      await sim.run(1000);
      log.push(`${name} ends at ${sim.clock.now()}`);
    });
  const reason = new Error("planned");
  const cancelled = Switch.run(async (sw) => {
    const waiting = sw.forkPromise(() => run("never"));
    sw.fail(reason);
    await waiting;
  }).catch((error) => error);
  const failing = simulate({}, () => Promise.reject(reason)).catch((error) => error);
  await Promise.all([run("a"), run("b")]);
  assertEquals(log, ["a begins", "a ends at 1000", "b begins", "b ends at 1000"]);
  assertEquals([await cancelled, await failing], [reason, reason]);
});

test("simulate() delays real sleeps of other code at most until it ends", async () => {
  let isOver = false;
  const sleeping = systemClock.sleep(5).then(() => assert(isOver));
  await simulate({}, async (sim) => {
    await sim.external(new Promise((resolve) => setTimeout(resolve, 40)));
    await sim.run(1000);
    isOver = true;
  });
  await sleeping;
});

test("simulate() in a simulation is refused", () =>
  simulate({}, async (sim) => {
    const error = await assertRejects(() => sim.host("a").fork(() => simulate({}, () => Promise.resolve())));
    assertInstanceOf(error, Error);
    assertEquals(error.message, "Cannot simulate: the code runs in a simulation");
  }));

test("simulate() checks its arguments", async () => {
  await assertRejects(() => simulate({}, 1 as never), TypeError, "Cannot simulate: 1 is not a function");
  for (const options of [{ seed: 0.5 }, { deadline: -1 }, { maxEvents: 0 }, { trace: -1 }, { link: { loss: 2 } }]) {
    await assertRejects(() => simulate(options, () => Promise.resolve()), RangeError);
  }
  await simulate({}, (sim) => {
    const host = sim.host("a");
    assertEquals(sim.host("a"), host);
    assertThrows(() => sim.host("A", {}), TypeError, 'Cannot add a host: there is one named "A"');
    assertThrows(() => sim.host("b", { ip: "10.0.0.1" }), TypeError, "10.0.0.1 is the address of another");
    assertThrows(() => sim.host("a b"), SyntaxError);
    assertThrows(() => sim.crash({} as never), TypeError, "is not a host of this simulation");
    assertThrows(() => sim.pause(host, -1), RangeError);
    assertThrows(() => sim.schedule(NaN, () => {}), RangeError);
    return Promise.resolve();
  });
});

test("clock of a host runs with its own skew and rate", () =>
  simulate({}, async (sim) => {
    const host = sim.host("a", { clockSkew: 500, clockRate: 1.25 });
    assertEquals(host.clock.now(), 500);
    await host.clock.sleep(100);
    assertEquals([host.clock.now(), sim.clock.now()], [600, 80]);
    await host.net.clock.sleepUntil(725);
    assertEquals(sim.clock.now(), 180);
    const odd = sim.host("b", { clockRate: 1 / 3 });
    const wake = odd.clock.now() + 0.1;
    await odd.clock.sleepUntil(wake);
    assert(odd.clock.now() >= wake);
  }));

test("clock of a host ends a sleep that is cancelled", () =>
  simulate({}, async (sim) => {
    const host = sim.host("a");
    await assertRejects(() => withTimeout(host.clock, 10, () => host.clock.sleep(Infinity)), TimeoutError);
    await Switch.run(async (sw) => {
      const sleeping = sw.forkPromise(() => host.clock.sleep(5));
      await host.clock.sleep(1);
      sw.fail(new Error("planned"));
      await assertRejects(() => sleeping, Cancelled);
    }).catch(() => {});
    assertEquals(sim.clock.now(), 11);
  }));

test("random() of a host depends on the seed and its name only", async () => {
  const draw = (seed: number, others: string[]) =>
    simulate({ seed }, (sim) => {
      for (const name of others) sim.host(name).random();
      const { random } = sim.host("a");
      return Promise.resolve([random(), random()]);
    });
  const numbers = await draw(1, []);
  assertEquals(await draw(1, ["b", "c"]), numbers);
  assert((await draw(2, []))[0] !== numbers[0]);
});
