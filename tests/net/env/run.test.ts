// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import process from "node:process";
import { Cancelled, copyString, type Env, formatAddress, run, Switch, tcp } from "../../../mod.ts";
import { test } from "../../_test.ts";
import { ownHost, ownPort } from "../_helpers.ts";
import { outputOf, start } from "./_start.ts";

test("run() gives what main gives, and throws what it throws", async () => {
  assertEquals(await run(() => 1), 1);
  await assertRejects(() => run(() => Promise.reject(new Error("Cannot go on"))), Error, "Cannot go on");
});

test("run() runs main in a switch, with an environment that is frozen and lazy", async () => {
  const before = process.stdin.listenerCount("data");
  const env = await run((env) => env);
  assert(Object.isFrozen(env));
  assertStrictEquals(env.clock, env.net.clock);
  assertEquals(process.stdin.listenerCount("data"), before);
});

test("run() is cancelled with its caller", async () => {
  const failed = Switch.run(async (sw) => {
    sw.fork(async () => {
      assertInstanceOf(await run((env) => env.clock.sleep(60_000)).catch((error) => error), Cancelled);
    });
    await run((env) => env.clock.sleep(1));
    sw.fail(new Error("Cannot wait any longer"));
  });
  await assertRejects(() => failed, Error, "Cannot wait any longer");
});

test("run() ends the program by itself when there is nothing left to do, though standard input is open", async () => {
  await using peer = start("nothing");
  assertEquals(await peer.ended, { code: 0, signal: null });
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`stop() gives ${signal} when that comes, and leaves no handler behind`, async () => {
    await using peer = start("stop");
    assertEquals(await peer.line(), "ready 2 true");
    peer.kill(signal);
    assertEquals(await peer.line(), `${signal} 0 ${signal}`);
    assertEquals(await peer.line(), "after 0");
    assertEquals(await peer.ended, { code: 0, signal: null });
  });
}

test("stop() leaves no handler behind when no signal comes, and lets the program end", async () => {
  assertEquals(await outputOf("stopNever"), "after 0\n");
});

test("a second signal after stop() ends the program", async () => {
  await using peer = start("stopTwice");
  assertEquals(await peer.line(), "ready");
  peer.kill("SIGTERM");
  assertEquals(await peer.line(), "SIGTERM");
  peer.kill("SIGTERM");
  assertEquals((await peer.ended).signal, "SIGTERM");
});

test("the network of run() closes what main leaves open with its switch", async () => {
  const { env, closed } = await run((env) =>
    Switch.run(async (sw) => {
      const listener = await env.net.listen(sw, tcp(ownHost, ownPort()));
      return { env, closed: listener.address };
    })
  );
  const error = await run(() =>
    Switch.run((sw) => env.net.connect(sw, closed).then(() => "connected", (error) => error.message))
  );
  assertEquals(error, `Cannot connect to ${formatAddress(closed)}: connection refused`);
});

test("the environment cannot be changed, and its streams are frozen", async () => {
  await run(async (env) => {
    assertEquals(Reflect.set(env, "net", undefined), false);
    for (const stream of [env.stdin, env.stdout, env.stderr]) assert(Object.isFrozen(stream));
    await copyString("", env.stdout);
    const names: (keyof Env)[] = ["net", "clock", "stdin", "stdout", "stderr", "stop"];
    assertEquals(Object.keys(env).sort(), [...names].sort());
  });
});
