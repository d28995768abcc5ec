// Copyright 2026 the Sluice authors. MIT license.

/** The scope of a connection: the third argument of a handler. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  acceptFork,
  awaitCancel,
  Cancelled,
  ClosedError,
  type ConnectionInfo,
  type ConnectionScope,
  MultipleErrors,
  runServer,
  Switch,
  yieldNow,
} from "../../../mod.ts";
import { type MockFlow, mockFlow, type MockListener, mockListener } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";
import { microtasks, signal } from "../_helpers.ts";

type Handler = (scope: ConnectionScope) => unknown;

/** Returns a listener that accepts `flows`, and then no more. */
function listenerOf(...flows: MockFlow[]): MockListener {
  const listener = mockListener("listener");
  listener.onAccept(...flows.map((flow) => ({ return: flow })), { run: awaitCancel });
  return listener;
}

/** Returns what has become of a connection. */
function stateOf({ log }: MockFlow): string {
  return log.at(-1)?.replace(/^.*: /, "") ?? "open";
}

/**
 * Serves one connection with `handler`, and returns the reported errors and the connection's state
 * at each report.
 */
async function serveOne(handler: Handler): Promise<{ errors: unknown[]; states: string[]; infos: ConnectionInfo[] }> {
  const errors: unknown[] = [];
  const states: string[] = [];
  const infos: ConnectionInfo[] = [];
  const flow = mockFlow("flow");
  const stop = signal();
  await runServer(listenerOf(flow), async (_connection, _peer, scope) => {
    try {
      await handler(scope);
    } finally {
      stop.resolve();
    }
  }, {
    onError: (error, info) => {
      errors.push(error);
      infos.push(info);
      states.push(stateOf(flow));
    },
    stop: stop.promise,
  });
  assertEquals(flow.log, ["flow: closed"]);
  return { errors, states, infos };
}

test("a handler's switch releases what was opened in it before the connection is closed", async () => {
  const log: string[] = [];
  await Switch.run(async (sw) => {
    const flow = mockFlow("flow");
    await acceptFork(sw, listenerOf(flow), (_connection, _peer, scope) => {
      scope.sw.onRelease(() => log.push(`first, connection ${stateOf(flow)}`));
      scope.sw.onRelease(() => log.push("second"));
      log.push("handler");
    }, { onError: (error) => sw.fail(error) });
  });
  assertEquals(log, ["handler", "second", "first, connection open"]);
});

test("a handler's switch waits for its fibers, and cancels its daemons", async () => {
  const log: string[] = [];
  const { errors } = await serveOne(({ sw }) => {
    sw.fork(async () => {
      await microtasks();
      log.push("fiber");
    });
    sw.forkDaemon(async () => {
      await awaitCancel().catch((error) => log.push(error.name));
    });
  });
  assertEquals([log, errors], [["fiber", "Cancelled"], []]);
});

test("a handler's switch is one and the same however often it is asked for", async () => {
  await serveOne((scope) => {
    assertEquals(scope.sw, scope.sw);
    assertEquals(scope.sw.name, "connection");
  });
});

test("a failure in a handler's switch cancels the handler, and is reported with the connection closed", async () => {
  const failure = new Error("Cannot reach the upstream");
  let seen: unknown;
  const { errors, states, infos } = await serveOne(async ({ sw }) => {
    sw.fork(() => Promise.reject(failure));
    seen = await awaitCancel().catch((error) => error);
    throw seen;
  });
  assertInstanceOf(seen, Cancelled);
  assertEquals([errors, states], [[failure], ["closed"]]);
  assertEquals(infos.map(({ peer, local }) => [peer.transport, local.transport]), [["tcp", "tcp"]]);
});

test("what a release hook of a handler's switch throws is reported together with what the handler threw", async () => {
  const { errors } = await serveOne(({ sw }) => {
    sw.onRelease(() => {
      throw new Error("Cannot clean up");
    });
    throw new Error("Cannot serve");
  });
  const [error] = errors as [MultipleErrors];
  assertInstanceOf(error, MultipleErrors);
  assertEquals(error.errors.map(({ message }) => message), ["Cannot serve", "Cannot clean up"]);
});

test("onError runs in the scope of the server, although the handler's switch has failed", async () => {
  let ran = false;
  const stop = signal();
  const listener = listenerOf(mockFlow("flow"));
  await runServer(listener, (_connection, _peer, scope) => scope.sw.fail(new Error("Cannot serve")), {
    onError: async () => {
      await yieldNow();
      ran = true;
      stop.resolve();
    },
    stop: stop.promise,
  });
  assert(ran);
});

test("a handler's switch that is failed with a Cancelled does not end the server", async () => {
  const { errors } = await serveOne(async ({ sw }) => {
    sw.fail(new Cancelled());
    await awaitCancel();
  });
  assertEquals(errors, []);
});

test("a call that a handler forgot to await is cancelled before the connection is closed, and reported", async () => {
  let outcome: unknown;
  const { errors, states } = await serveOne(() => {
    Switch.run(awaitCancel, { name: "upload" }).catch((error) => outcome = error);
  });
  assertInstanceOf(outcome, Cancelled);
  assertEquals(states, ["closed"]);
  assertEquals(errors.map(String), ['Error: Cannot end a fiber: a Switch.run "upload" was not awaited']);
});

test("an operation that a handler forgot to await is not reported", async () => {
  const { errors } = await serveOne((_scope) => {
    awaitCancel();
    yieldNow();
  });
  assertEquals(errors, []);
});

test("a handler's switch cannot be asked for once the handler has ended", async () => {
  let late: ConnectionScope | undefined;
  await serveOne((scope) => late = scope);
  assertThrows(() => late!.sw, TypeError, "its handler has ended");
});

test("a handler's switch has ended once the handler has", async () => {
  let late: Switch | undefined;
  await serveOne(({ sw }) => late = sw);
  assertThrows(() => late!.fork(() => {}), TypeError, "finished");
});

test("stopping is aborted in the handlers of a server that stops, and in those that read it later", async () => {
  await Switch.run(async (sw) => {
    const listener = listenerOf(mockFlow("flow"), mockFlow("flow"));
    const stop = signal();
    const later = signal();
    const seen: boolean[][] = [];
    const server = runServer(listener, async (_connection, _peer, scope) => {
      const early = scope.stopping;
      const before = early.aborted;
      await new Promise((resolve) => early.addEventListener("abort", resolve));
      seen.push([before, early.aborted]);
    }, { onError: (error) => sw.fail(error), stop: stop.promise });
    const lateServer = runServer(listenerOf(), () => {}, {
      onError: () => {},
      stop: stop.promise,
    });
    await microtasks();
    stop.resolve();
    later.resolve();
    await Promise.all([server, lateServer]);
    assertEquals(seen, [[false, true], [false, true]]);
  });
});

test("stopping of acceptFork is never aborted", async () => {
  await Switch.run(async (sw) => {
    const listener = listenerOf(mockFlow("flow"));
    await acceptFork(sw, listener, (_connection, _peer, { stopping }) => assertEquals(stopping.aborted, false), {
      onError: (error) => sw.fail(error),
    });
  });
});

test("runServer() whose listener is closed in the turn of the stop lets its handlers end", async () => {
  for (const when of ["before", "after", "a turn later"]) {
    await Switch.run(async (sw) => {
      const listener = listenerOf(mockFlow("flow"));
      const stop = signal<string>();
      const finish = signal();
      let served = 0;
      if (when === "before") stop.promise.then(() => listener.close());
      const server = runServer(listener, async () => {
        await finish.promise;
        served++;
      }, { onError: (error) => sw.fail(error), stop: stop.promise });
      if (when === "after") stop.promise.then(() => listener.close());
      if (when === "a turn later") stop.promise.then(() => setImmediate(() => listener.close()));
      await microtasks();
      stop.resolve("stopped");
      await yieldNow();
      await yieldNow();
      finish.resolve();
      assertEquals([await server, served], ["stopped", 1]);
    });
  }
});

test("runServer() whose listener is closed by a listener of its own stop signal lets its handlers end", async () => {
  await Switch.run(async (sw) => {
    const listener = listenerOf(mockFlow("flow"));
    const stop = new AbortController();
    stop.signal.addEventListener("abort", () => listener.close());
    const finish = signal();
    let served = 0;
    const server = runServer(listener, async () => {
      await finish.promise;
      served++;
    }, { onError: (error) => sw.fail(error), stop: stop.signal });
    await microtasks();
    stop.abort();
    await yieldNow();
    finish.resolve();
    await server;
    assertEquals(served, 1);
  });
});

test("runServer() whose listener is closed before the stop is a ClosedError however soon the stop follows", async () => {
  const listener = listenerOf();
  const stop = signal();
  const server = runServer(listener, () => {}, { onError: () => {}, stop: stop.promise });
  await microtasks();
  await listener.close();
  await assertRejects(() => server, ClosedError);
  stop.resolve();
});

test("work that a handler starts on stopping belongs to the handler", async () => {
  await Switch.run(async (sw) => {
    const listener = listenerOf(mockFlow("flow"), mockFlow("flow"));
    const stop = signal();
    const outcomes: string[] = [];
    const server = runServer(listener, async (_connection, _peer, { stopping }) => {
      const work = async () => {
        await Switch.run(async () => {
          for (let i = 0; i < 5; i++) await yieldNow();
        });
        return "done";
      };
      outcomes.push(
        await new Promise<string>((resolve) => stopping.addEventListener("abort", () => resolve(work()))),
      );
    }, { onError: (error) => sw.fail(error), stop: stop.promise });
    await microtasks();
    stop.resolve();
    await server;
    assertEquals(outcomes, ["done", "done"]);
  });
});

test("the signal of a handler that has ended is not aborted, and its server keeps none", async () => {
  await Switch.run(async (sw) => {
    const flows = [mockFlow("one"), mockFlow("two")];
    const listener = listenerOf(...flows);
    const stop = signal();
    const heard: number[] = [];
    const signals: AbortSignal[] = [];
    const server = runServer(listener, (_connection, _peer, { stopping }) => {
      signals.push(stopping);
      stopping.addEventListener("abort", () => heard.push(signals.length));
    }, { onError: (error) => sw.fail(error), stop: stop.promise });
    while (flows.some((flow) => stateOf(flow) !== "closed")) await yieldNow();
    stop.resolve();
    await server;
    assertEquals([heard, new Set(signals).size, signals.some(({ aborted }) => aborted)], [[], 2, false]);
  });
});

test("runServer() whose listener is closed by a handler in the turn of the accept is one ClosedError", async () => {
  const listener = listenerOf(mockFlow("flow"));
  const server = runServer(listener, () => listener.close(), { onError: () => {} });
  const error = await server.then(() => undefined, (reason) => reason);
  assertInstanceOf(error, ClosedError);
});

test("runServer() on a listener that is closed already is a ClosedError", async () => {
  const listener = listenerOf();
  await listener.close();
  await assertRejects(() => runServer(listener, () => {}, { onError: () => {} }), ClosedError);
});
