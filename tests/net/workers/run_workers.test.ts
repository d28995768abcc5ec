// Copyright 2026 the Sluice authors. MIT license.

/** Workers in real threads: what they share, how they stop, and how they die. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { writeAll } from "../../../mod.ts";
import { outcomeOf, until } from "../../_helpers.ts";
import { thisRuntime } from "../../_runtimes.ts";
import { test } from "../../_test.ts";
import { withWorkers, type Workers } from "./_helpers.ts";

/** Holds connections until both workers have one. Returns one of each. */
async function holdBoth({ openHeld }: Workers, command: string) {
  const held = [await openHeld(command)];
  while (held.every(({ thread }) => thread === held[0].thread)) held.push(await openHeld(command));
  return held;
}

test("runWorkers() serves in each worker, on the port that was chosen once", () =>
  withWorkers({}, async (workers) => {
    assertNotEquals(workers.address.port, 0);
    await holdBoth(workers, "hold");
  }));

test("runWorkers() gives each worker a copy of data, made at the call", () => {
  const data = { a: [1] };
  return withWorkers({ data }, async ({ ask }) => {
    data.a.push(2);
    assertEquals(await ask("data"), '{"a":[1]}');
  });
});

test("runWorkers() settles as its stop promise does", () =>
  withWorkers({}, async ({ stop, ended, monitor }) => {
    stop();
    assertEquals(await ended, "told");
    assertEquals(monitor.state, "stopped");
  }));

test("runWorkers() tells the handlers of every worker that it is stopping", () =>
  withWorkers({}, async (workers) => {
    await holdBoth(workers, "stopping");
    workers.stop();
    assertEquals(await workers.ended, "told");
    const { served, drained, forced } = workers.monitor.report ?? {};
    assertEquals([drained, forced], [served, 0]);
  }));

test("runWorkers() cancels the handlers of every worker after one grace period", () =>
  withWorkers({ grace: 50 }, async (workers) => {
    await holdBoth(workers, "forever");
    workers.stop();
    assertEquals(await workers.ended, "told");
    const { served, drained, forced } = workers.monitor.report ?? {};
    assertEquals([drained, forced], [0, served]);
    assertEquals(workers.errors, []);
  }));

test("runWorkers() terminates a worker that is too busy to notice its stop", () =>
  withWorkers({ grace: 0 }, async ({ openHeld, stop, ended, errors, monitor }) => {
    await openHeld("spin");
    await until(() => monitor.accepted === 1);
    stop();
    assertEquals(await ended, "told");
    assertEquals([monitor.lost, monitor.active], [1, 0]);
    assert(/too busy to stop/.test(errors[0]?.message), errors[0]?.message);
  }));

test("runWorkers() serves at most maxConnections over all workers", () =>
  withWorkers({ maxConnections: 3 }, async (workers) => {
    const { monitor, open } = workers;
    const flows = [];
    for (let i = 0; i < 12; i++) flows.push(await open("hold"));
    let most = 0;
    for (let closed = 0; closed < 12; closed++) {
      await until(() => monitor.accepted >= Math.min(12, closed + 2)); // one slot may be held by an idle worker
      most = Math.max(most, monitor.active);
      // Whichever is served: all of them end, and each is served once a slot is free.
      await flows[closed].shutdown("send");
      await until(() => monitor.accepted - monitor.active > closed || monitor.active < 2);
    }
    await until(() => monitor.accepted === 12 && monitor.active === 0);
    assert(most <= 3, `${most} at once`);
  }));

test("runWorkers() copies the error of a handler to onError", () =>
  withWorkers({}, async ({ ask, reported, monitor }) => {
    assertEquals(await ask("net error"), "");
    const error = await reported("refused") as Error & { code: string; context: string[] };
    assert(error instanceof Error);
    assertEquals([error.name, error.code], ["NetError", "connection_refused"]);
    assertEquals(error.context.length, 2);
    assertEquals(error.context[0], "connecting to tcp:10.0.0.1:80");
    assert(error.message.includes("(handling connection from tcp:127.0.0.1:"), error.message);
    assert(error.stack?.includes("_commands"), error.stack);
    await until(() => monitor.failed === 1);
  }));

test("runWorkers() reports what a handler throws that is no error", () =>
  withWorkers({}, async ({ ask, reported }) => {
    await ask("string");
    assert(await reported("a string") instanceof Error);
  }));

for (
  const [command, message, code] of [
    ["exit", "exited with code 7", undefined],
    ["throw", "uncaught", "EUNCAUGHT"],
    ["reject", "of a fiber", undefined],
  ]
) {
  test(`runWorkers() reports and replaces a worker that ends by "${command}"`, () =>
    withWorkers({ workers: 1 }, async ({ openHeld, open, ask, reported, monitor }) => {
      const { flow } = await openHeld("hold");
      await open(command as string);
      const error = await reported(message as string);
      assert(error.message.startsWith("Worker 1 died: "), error.message);
      if (code !== undefined) assertEquals(String(error.cause).includes("uncaught"), true);
      assertEquals((await outcomeOf(() => flow.read(new Uint8Array(1)))) !== undefined, true);
      assertEquals(monitor.lost, 2);
      let next: string | undefined;
      while (next === undefined || next === "") next = (await outcomeOf(() => ask("thread"))) as string;
    }));
}

test("runWorkers() reports and replaces a worker that runs out of memory, on Node", async () => {
  if (thisRuntime().name !== "node") return; // the others end the process
  setFlagsFromString("--max-old-space-size=32"); // MiB, for threads that start from now on
  try {
    await withWorkers({ workers: 1 }, async ({ open, ask, reported, monitor }) => {
      await open("eat");
      const error = await reported("Worker 1 died") as Error & { code?: string };
      assertEquals([error.code, monitor.lost], ["ERR_WORKER_OUT_OF_MEMORY", 1]);
      while (!await ask("thread").catch(() => "")); // until its replacement listens
    });
  } finally {
    setFlagsFromString("--max-old-space-size=0"); // the default
  }
});

test("runWorkers() keeps serving in the other workers while one is dead", () =>
  withWorkers({}, async (workers) => {
    const held = await holdBoth(workers, "hold");
    await workers.open("exit");
    await workers.reported("exited with code 7");
    const answers = await Promise.all(held.map(async ({ flow }) => {
      try {
        await writeAll(flow, new Uint8Array(1));
        return await flow.read(new Uint8Array(1));
      } catch {
        return null;
      }
    }));
    assert(answers.includes(1));
    assertEquals(workers.monitor.state, "serving");
  }));
