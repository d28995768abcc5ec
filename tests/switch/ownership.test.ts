// Copyright 2026 the Sluice authors. MIT license.

/** The functions by which the rest of the library uses a switch. */
import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { awaitCancel, Cancelled, first, isCancelled, MultipleErrors, Switch, yieldNow } from "../../switch/mod.ts";
import { adopt, isSwitchCancelled, runUnder, type ScopeSwitch, switchOver } from "../../switch/_ownership.ts";
import { currentScope } from "../../switch/_scope.ts";
import { test } from "../_test.ts";
import { failure, rejectionOf } from "./_helpers.ts";

/**
 * Runs `handler` in a fiber with the fiber's own switch, as a server does. Returns the error of
 * `end`.
 */
async function inFiber(handler: (own: ScopeSwitch, outer: Switch) => unknown): Promise<unknown> {
  let ending: unknown;
  await Switch.run((outer) =>
    outer.fork(async () => {
      const own = switchOver(currentScope()!, "connection");
      let thrown: { readonly error: unknown } | undefined;
      try {
        await handler(own, outer);
      } catch (error) {
        thrown = { error };
      }
      ending = await own.end(thrown).catch((error) => error);
    })
  );
  return ending;
}

test("switchOver() ends forked fibers, daemons and release hooks in that order", async () => {
  const log: string[] = [];
  const ending = await inFiber(({ sw }) => {
    sw.onRelease(() => log.push("first hook"));
    sw.onRelease(() => log.push("second hook"));
    sw.forkDaemon(() => awaitCancel().catch(() => log.push("daemon")));
    sw.fork(async () => {
      await yieldNow();
      log.push("fiber");
    });
  });
  assertEquals([ending, log], [undefined, ["fiber", "daemon", "second hook", "first hook"]]);
});

test("switchOver() makes a switch whose failure cancels the fiber that runs in it, and no other", async () => {
  const seen: unknown[] = [];
  const ending = await inFiber(async ({ sw }, outer) => {
    sw.fail(failure);
    seen.push(isCancelled(), isSwitchCancelled(outer));
    await yieldNow();
  });
  assertEquals([ending, seen], [failure, [true, false]]);
});

test("switchOver() makes a switch that is cancelled with the fiber", async () => {
  let reason: unknown;
  const thrown = await rejectionOf(Switch.run((outer) => {
    outer.fork(async () => {
      const { sw, end } = switchOver(currentScope()!);
      sw.fork(() => awaitCancel().catch((error) => reason = error));
      await end();
    });
    outer.fail(failure);
  }));
  assertStrictEquals(thrown, failure);
  assertInstanceOf(reason, Cancelled);
});

test("switchOver() combines what the main function threw with what failed after it", async () => {
  const late = new Error("Cannot clean up");
  const ending = await inFiber(({ sw }) => {
    sw.onRelease(() => Promise.reject(late));
    throw failure;
  });
  assertInstanceOf(ending, MultipleErrors);
  assertEquals(ending.errors, [failure, late]);
});

test("switchOver() reports a call in the fiber that was not awaited", async () => {
  const ending = await inFiber(() => void Switch.run(awaitCancel).catch(() => {}));
  assertEquals(String(ending), 'Error: Cannot end a fiber "connection": a Switch.run was not awaited');
});

test("switchOver() leaves the scope to its fiber when it has ended", async () => {
  await Switch.run((outer) =>
    outer.fork(async () => {
      const { sw, end } = switchOver(currentScope()!);
      await end();
      assertThrows(() => sw.check(), TypeError);
      await yieldNow();
      assertEquals(outer.dump(), "switch\n  fiber");
    })
  );
});

test("adopt() lets a release hook leave work that its switch awaits after the other hooks", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.onRelease(() => log.push("other hook"));
    sw.onRelease(() => {
      adopt(sw, runUnder(sw, () => yieldNow()).then(() => log.push("work")));
      log.push("hook");
    });
  });
  assertEquals(log, ["hook", "other hook", "work"]);
});

test("runUnder() keeps the switch until what it began there has ended", async () => {
  const log: string[] = [];
  const { promise: owner, resolve: own } = Promise.withResolvers<Switch>();
  const work = owner.then((sw) => runUnder(sw, () => first(yieldNow, awaitCancel)).then(() => log.push("work")));
  await Switch.run((sw) => own(sw));
  log.push("switch");
  await work;
  assertEquals(log, ["work", "switch"]);
});

test("adopt() fails the switch with what the work is rejected with", async () => {
  const thrown = await rejectionOf(Switch.run((sw) => void sw.onRelease(() => adopt(sw, Promise.reject(failure)))));
  assertStrictEquals(thrown, failure);
});

test("adopt() leaves work that is cancelled with the switch, although that is releasing", async () => {
  let seen: unknown;
  const thrown = await rejectionOf(Switch.run((sw) => {
    sw.onRelease(async () => {
      await yieldNow();
      sw.fail(failure);
    });
    sw.onRelease(() => adopt(sw, runUnder(sw, () => awaitCancel()).catch((error) => seen = error)));
  }));
  assertStrictEquals(thrown, failure);
  assertInstanceOf(seen, Cancelled);
});

test("adopt() refuses a finished switch", async () => {
  const finished = await Switch.run((sw) => sw);
  const error = assertThrows(() => adopt(finished, Promise.resolve()), TypeError);
  assert(error.message.includes("the switch is finished"));
});
