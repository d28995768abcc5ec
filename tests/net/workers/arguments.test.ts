// Copyright 2026 the Sluice authors. MIT license.

/** What `runWorkers` refuses, and workers that cannot start. */
import { assert, assertEquals } from "@std/assert";
import { type Net, NetError, run, Switch, tcp, type TcpAddress, unix } from "../../../mod.ts";
import { createWorkerManager } from "../../../net/env/internal.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { runWorkers, type RunWorkersOptions, workerServer } from "../../../net/workers/mod.ts";
import { outcomeOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { moduleOf } from "./_helpers.ts";

const valid: RunWorkersOptions = {
  module: moduleOf("_commands.ts"),
  address: tcp("127.0.0.1", 0),
  workers: 1,
  onError: () => {},
};

/** Returns the error with which `runWorkers` rejects. */
function failureOf(options: object): Promise<Error & { code?: string }> {
  return run((env) => outcomeOf(() => runWorkers(env.workers, { ...valid, ...options }))) as Promise<Error>;
}

for (
  const [what, options, name, text] of [
    ["a module that is no URL", { module: "./serve.ts" }, "TypeError", "module must be a URL"],
    ["an address that is none", { address: "127.0.0.1:0" }, "TypeError", "address"],
    ["an onError that is no function", { onError: undefined }, "TypeError", "onError"],
    ["an onListen that is no function", { onListen: 1 }, "TypeError", "onListen"],
    ["no workers", { workers: 0 }, "RangeError", "workers must be a whole number >= 1"],
    ["half a worker", { workers: 1.5 }, "RangeError", "workers must be a whole number >= 1"],
    ["fewer connections than workers", { workers: 3, maxConnections: 2 }, "RangeError", "at least workers (3)"],
    ["a negative grace", { grace: -1 }, "RangeError", "grace"],
    ["a stop that is no promise", { stop: 1 }, "TypeError", "Cannot run workers as stop must be"],
    ["a monitor that is none", { monitor: {} }, "TypeError", "monitor"],
    ["data that cannot be cloned", { data: { f: () => 1 } }, "TypeError", "structuredClone"],
    ["a Unix path", { address: unix("/tmp/x") as unknown as TcpAddress }, "NetError", "Unix path"],
  ] as const
) {
  test(`runWorkers() refuses ${what}`, async () => {
    const error = await failureOf(options);
    assertEquals(error.name, name, String(error));
    assert(error.message.includes(text), error.message);
  });
}

test("runWorkers() refuses what is not env.workers", async () => {
  const error = await outcomeOf(() => runWorkers({ parallelism: 1 }, valid)) as Error;
  assertEquals(error.message, "Cannot run workers as workers must be env.workers: current value is an object");
});

test("runWorkers() refuses the workers of a run that has ended", async () => {
  const workers = await run((env) => env.workers);
  const error = await outcomeOf(() => runWorkers(workers, valid)) as Error;
  assertEquals(error.message, "Cannot use an environment: its run has ended");
});

test("runWorkers() is not supported by a network without reusePort", async () => {
  const whole = memoryNet();
  const net: Net = { ...whole, features: new Set([...whole.features].filter((name) => name !== "reusePort")) };
  const start = () => Promise.reject(new Error("Cannot start a thread in this test"));
  const manager = createWorkerManager(() => ({ net, nameServers: undefined, start }));
  const error = await outcomeOf(() => runWorkers(manager, valid));
  assert(error instanceof NetError);
  assertEquals(error.code, "not_supported");
});

test("workerServer() refuses what is no function", async () => {
  const error = await outcomeOf(() => workerServer({} as () => never)) as Error;
  assertEquals([error.name, error.message], ["TypeError", "Cannot make a worker server: an object is not a function"]);
});

for (
  const [what, options, name, text] of [
    ["is missing", { module: moduleOf("_missing.ts") }, undefined, "_missing.ts"],
    ["throws at top level", { module: moduleOf("_bad_load.ts") }, "RangeError", "thrown at top level"],
    ["exports no server", { module: moduleOf("_bad_export.ts") }, "TypeError", "is not made by workerServer()"],
    ["throws in prepare", { module: moduleOf("_bad_service.ts"), data: "throw" }, "TypeError", "thrown in prepare"],
    ["prepares no handler", { module: moduleOf("_bad_service.ts") }, "TypeError", "has no handler"],
    ["exits", { module: moduleOf("_bad_service.ts"), data: "exit" }, "Error", "exited with code 3"],
  ] as const
) {
  test(`runWorkers() fails at once if the module ${what}`, async () => {
    const reported: unknown[] = [];
    const error = await failureOf({ ...options, workers: 2, onError: (one: unknown) => reported.push(one) });
    if (name !== undefined) assertEquals(error.name, name);
    assert(error.message.includes(text), error.message);
    if (text === "thrown at top level") assertEquals(error.code, "ELOAD");
    assertEquals(reported, []);
  });
}

test("runWorkers() fails if its workers cannot listen", () =>
  run(({ net, workers }) =>
    Switch.run(async (sw) => {
      const { address } = await net.listen(sw, tcp("127.0.0.1", 0));
      const error = await outcomeOf(() => runWorkers(workers, { ...valid, address })) as Error & { code: string };
      assertEquals([error.name, error.code], ["NetError", "address_in_use"]);
    })
  ));
