// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import process from "node:process";
import { inspect, types } from "node:util";
import { awaitCancel, Cancelled, copyString, type Env, formatAddress, run, Switch, tcp } from "../../../mod.ts";
import { test } from "../../_test.ts";
import { ownHost, ownPort } from "../_helpers.ts";
import { Peer } from "../../runtime/_peers.ts";
import { command, outputOf, start } from "./_helpers.ts";

test("run() returns what main returns, and throws what it throws", async () => {
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

test("run() cancels with an error that costs little to make: on Deno, one that no constructor has made", async () => {
  const failure = new Error("Cannot go on");
  let reason: unknown;
  await run(() =>
    Switch.run((sw) => {
      sw.fork(async () => {
        await awaitCancel().catch((error) => reason = error);
      });
      sw.fail(failure);
    }).catch(() => {})
  );
  assertInstanceOf(reason, Cancelled);
  assertEquals([inspect(reason), String(reason)], [inspect(new Cancelled(failure)), String(new Cancelled(failure))]);
  assertEquals(types.isNativeError(reason), !("Deno" in globalThis));
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

test("stop() that is chained with then() is not an unhandled rejection, and stays pending when main ends", async () => {
  assertEquals(await outputOf("stopThen"), "pending 0\n");
});

test("stop() of a fiber that has ended still waits for the signal", async () => {
  await using peer = start("stopInFiber");
  assertEquals(await peer.line(), "ready");
  peer.kill("SIGINT");
  assertEquals(await peer.line(), "SIGINT");
  assertEquals(await peer.ended, { code: 0, signal: null });
});

test("stop() is cancelled with its scope, or with the nearest live one around that", async () => {
  const cancelled = "Cancelled: Operation was cancelled: Its result is no longer needed";
  assertEquals(await outputOf("stopCancelled"), `${cancelled}\nError: Cannot go on 0\n`);
});

test("stop() after run() has ended is a TypeError, and no unhandled rejection", async () => {
  assertEquals(await outputOf("stopLate"), "TypeError: Cannot use an environment: its run has ended 0\n");
});

/** Starts a program as process 1 of its own namespace, as in a container. */
function startAlone(...args: string[]): Peer {
  return new Peer("unshare", ["--pid", "--fork", "--kill-child", "--mount-proc", ...command, "stopAlone", ...args]);
}

/** Only root can create a namespace. */
const peers = process.getuid?.() === 0 ? ["unshare"] : ["unshare-as-root"];

for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
  test(`a second signal after stop() ends the first process of a container: ${signal}`, async () => {
    await using peer = startAlone(signal);
    assertEquals((await peer.ended).code, code);
    assertEquals(peer.output, "ready 1\nSIGTERM 2\n");
  }, { peers });
}

test("stop() leaves no handler behind in the first process of a container", async () => {
  await using peer = startAlone("once");
  assertEquals(await peer.ended, { code: 0, signal: null });
  assertEquals(peer.output, "ready 1\nSIGTERM 2\nafter 0\n");
}, { peers });

test("run() gives main the switch of main itself", async () => {
  const log: string[] = [];
  await run((env) => {
    env.sw.onRelease(() => log.push("released"));
    env.sw.fork(() => env.clock.sleep(1).then(() => log.push("forked")));
    log.push("main");
  });
  assertEquals(log, ["main", "forked", "released"]);
});

test("run() is rejected with what its switch fails with, which cancels main", async () => {
  const failure = new Error("Cannot go on");
  let seen: unknown;
  const running = run(async (env) => {
    env.sw.fork(() => env.sw.fail(failure));
    await env.clock.sleep(60_000).catch((error) => seen = error);
  });
  assertStrictEquals(await running.catch((error) => error), failure);
  assertInstanceOf(seen, Cancelled);
});

test("run() leaves a switch that is finished", async () => {
  const { sw } = await run((env) => env);
  assertThrows(() => sw.fork(() => {}), TypeError, "the switch is finished");
});

test("run() lets release hooks of main use the environment for the first time", async () => {
  await run((env) => void env.sw.onRelease(() => copyString("", env.stdout)));
});

test("run() reports a call that main did not await, and ends it", async () => {
  let ended = false;
  const running = run((env) => {
    Switch.run(() => env.clock.sleep(60_000).finally(() => ended = true));
  });
  await assertRejects(() => running, Error, 'Cannot end a switch "main": a Switch.run was not awaited');
  assertEquals(ended, true);
});

test("run() refuses a main that is not a function", async () => {
  await assertRejects(() => run(5 as never), TypeError, "Cannot run a program: 5 is not a function");
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
    const names: (keyof Env)[] = ["sw", "net", "clock", "workers", "stdin", "stdout", "stderr", "stop"];
    assertEquals(Object.keys(env).sort(), [...names].sort());
  });
});
