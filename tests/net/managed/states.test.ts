// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { awaitCancel, copyString, NetError, nullFlow, pipe, Switch, tcp, writeAll } from "../../../mod.ts";
import { managedConnection, managedOf, type ManagedState } from "../../../net/managed/mod.ts";
import { memoryNet, mockClock } from "../../../net/testing/mod.ts";
import { inCancelledScope, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { finishedSwitch, reset, signal } from "../_helpers.ts";
import { connecting, managed, readSome, settle } from "./_managed.ts";

const clock = mockClock();

function reasonOf(state: ManagedState): string {
  return state.kind === "disconnected" ? state.reason : state.kind;
}

test("managedConnection() is connecting, and then connected", () =>
  connecting({}, async ({ c, opening, near, peer }) => {
    assertEquals([c.state, c.alive, c.peer], [{ kind: "connecting" }, true, undefined]);
    opening.resolve(near);
    await c.connected();
    assertEquals([c.state, c.alive, c.peer], [{ kind: "connected" }, true, peer.local]);
  }));

test("managedOf() is connected at once", () => managed({}, ({ c }) => assertEquals(c.state, { kind: "connected" })));

test("managedConnection() that cannot connect has failed with the error", () =>
  connecting({}, async ({ c, opening }) => {
    const error = new NetError("connection_refused", { operation: "connect" });
    c.send("x");
    opening.reject(error);
    await c.closed();
    assertEquals([reasonOf(c.state), c.alive], ["failed", false]);
    assertStrictEquals((c.state as { error?: unknown }).error, error);
  }));

test("managedConnection() whose open throws synchronously has failed", () =>
  Switch.run((sw) => {
    const error = new Error("Cannot open");
    const open = () => {
      throw error;
    };
    const c = managedConnection(sw, open, { clock, data: 0 });
    return c.closed().then(() => assertEquals(c.state, { kind: "disconnected", reason: "failed", error }));
  }));

test("managedConnection() has failed with the error of a fiber that open has left running", () =>
  Switch.run(async (sw) => {
    const error = new Error("Failed by the test");
    const [near] = pipe();
    const begin = signal();
    const open = (own: Switch) => {
      own.fork(async () => {
        await begin.promise;
        throw error;
      });
      return Promise.resolve(near);
    };
    const c = managedConnection(sw, open, { clock, data: 0 });
    await c.connected();
    begin.resolve();
    await c.closed();
    assertStrictEquals((c.state as { error?: unknown }).error, error);
    assertEquals(reasonOf(c.state), "failed");
  }));

test("managedConnection() whose open returns something else has failed", () =>
  connecting({}, async ({ c, opening }) => {
    opening.resolve({} as never);
    await c.closed();
    assertEquals(reasonOf(c.state), "failed");
  }));

test("an orderly end is an end, and what was received stays", () =>
  managed({}, async ({ c, peer }) => {
    await copyString("bye", peer);
    await peer.close();
    await c.closed();
    assertEquals(c.state, { kind: "disconnected", reason: "end" });
    assertEquals([textOf(c.receiveAll()), c.send("x")], ["bye", false]);
  }));

test("at an orderly end what is queued is sent first", () =>
  managed({}, async ({ c, peer }) => {
    const size = 300_000;
    c.send("x".repeat(size));
    await peer.shutdown("send");
    await settle();
    assertEquals([c.state, c.send("y")], [{ kind: "disconnecting" }, false]);
    let received = 0;
    for (let text; (text = await readSome(peer, size)) !== null;) received += text.length;
    await c.closed();
    assertEquals([received, reasonOf(c.state)], [size, "end"]);
  }));

test("a peer that ends, and then resets what is sent to it, has ended", () =>
  managed({}, async ({ c, peer }) => {
    c.send("x".repeat(300_000));
    await peer.shutdown("send");
    await settle();
    peer.abort();
    await c.closed();
    assertEquals(c.state, { kind: "disconnected", reason: "end" });
  }));

test("closeNicely() that cannot send everything is a reset", () =>
  managed({}, async ({ c, peer }) => {
    c.send("x".repeat(300_000));
    const closing = c.closeNicely();
    await settle();
    peer.abort();
    await closing;
    assertEquals(reasonOf(c.state), "reset");
  }));

test("a reset by the peer is a reset, with the error", () =>
  managed({}, async ({ c, peer }) => {
    await copyString("some", peer);
    await settle();
    peer.abort();
    await c.closed();
    const { state } = c;
    assertEquals(reasonOf(state), "reset");
    assertEquals(state.kind === "disconnected" && (state.error as NetError).code, "connection_reset");
    assertEquals(textOf(c.receiveAll()), "some");
  }));

test("a broken pipe is a reset", () =>
  Switch.run(async (sw) => {
    const [near, peer] = pipe();
    const c = managedOf(sw, { sink: near }, { clock, data: 0 });
    await peer.close();
    c.send("x");
    await c.closed();
    assertEquals(reasonOf(c.state), "reset");
  }));

test("a reset that a foreign flow reports is a reset", () =>
  Switch.run(async (sw) => {
    const c = managedOf(sw, { source: { read: () => Promise.reject(reset) } }, { clock, data: 0 });
    await c.closed();
    assertEquals(c.state, { kind: "disconnected", reason: "reset", error: reset });
  }));

test("another error has failed", () =>
  Switch.run(async (sw) => {
    const error = new Error("Disk is full");
    const sink = { write: () => Promise.reject(error) };
    const c = managedOf(sw, { sink }, { clock, data: 0 });
    c.send("x");
    await c.closed();
    assertEquals(c.state, { kind: "disconnected", reason: "failed", error });
  }));

test("a flow that other code of this side closes is closed", () =>
  Switch.run(async (sw) => {
    const [near] = pipe();
    const c = managedOf(sw, { source: near }, { clock, data: 0 });
    await near.close();
    await c.closed();
    assertEquals(c.state, { kind: "disconnected", reason: "closed" });
  }));

test("close() ends at once, drops what is unsent and keeps what is unread", () =>
  managed({}, async ({ c, peer }) => {
    await copyString("hello", peer);
    await settle();
    c.send("x");
    c.close();
    assertEquals([c.state, c.alive], [{ kind: "disconnected", reason: "closed" }, false]);
    assertEquals(await readSome(peer), null);
    assertEquals([textOf(c.receiveAll()), c.send("y")], ["hello", false]);
    c.close();
    assertEquals(reasonOf(c.state), "closed");
  }));

test("close() while connecting cancels the attempt", async () => {
  let cancelled = false;
  await Switch.run(async (sw) => {
    const open = async (): Promise<never> => {
      try {
        return await awaitCancel();
      } finally {
        cancelled = true;
      }
    };
    const c = managedConnection(sw, open, { clock, data: 0 });
    c.send("x");
    c.close();
    assertEquals(reasonOf(c.state), "closed");
    await c[Symbol.asyncDispose]();
    assertEquals(cancelled, true);
  });
});

test("close() while connecting closes a flow that arrives late", () =>
  connecting({}, async ({ c, opening, near, peer }) => {
    c.close();
    opening.resolve(near);
    await assertRejects(() => peer.read(new Uint8Array(1)), NetError, "reset");
  }));

test("close() ends the switch that open was called with", () =>
  Switch.run(async (sw) => {
    const released = signal();
    const c = managedConnection(sw, (own) => {
      own.onRelease(released.resolve);
      return Promise.resolve(pipe()[0]);
    }, { clock, data: 0 });
    await c.connected();
    c.close();
    await released.promise;
  }));

test("close() ends the fibers that open has forked", () =>
  Switch.run(async (sw) => {
    const open = (own: Switch) => {
      own.fork(awaitCancel);
      return Promise.resolve(pipe()[0]);
    };
    const c = managedConnection(sw, open, { clock, data: 0 });
    await c.connected();
    await c[Symbol.asyncDispose]();
  }));

test("close() while disconnecting ends at once", () =>
  connecting({}, async ({ c }) => {
    const closing = c.closeNicely();
    c.close();
    await closing;
    assertEquals(reasonOf(c.state), "closed");
  }));

test("closeNicely() sends everything, and then closes", () =>
  managed({}, async ({ c, peer }) => {
    const size = 300_000;
    c.send("x".repeat(size));
    const closing = c.closeNicely();
    assertEquals([c.state, c.alive, c.send("y")], [{ kind: "disconnecting" }, true, false]);
    let received = 0;
    for (let text; (text = await readSome(peer, size)) !== null;) received += text.length;
    await closing;
    assertEquals([received, c.state], [size, { kind: "disconnected", reason: "closed" }]);
  }));

test("closeNicely() ends the direction of this side, and waits for that", () =>
  Switch.run(async (sw) => {
    const calls: string[] = [];
    const flushed = signal();
    const sink = {
      write: (bytes: Uint8Array) => Promise.resolve(calls.push("write") && bytes.length),
      shutdown: (how: string) => (calls.push(`shutdown ${how}`), flushed.promise),
      close: () => Promise.resolve(calls.push("close")),
    };
    const c = managedOf(sw, { sink }, { clock, data: 0 });
    c.send("x");
    const closing = c.closeNicely();
    await settle();
    assertEquals([calls, c.state], [["write", "shutdown send"], { kind: "disconnecting" }]);
    flushed.resolve();
    await closing;
    await settle();
    assertEquals([calls, reasonOf(c.state)], [["write", "shutdown send", "close"], "closed"]);
  }));

test("closeNicely() while connecting connects first", () =>
  connecting({}, async ({ c, opening, near, peer }) => {
    c.send("hello");
    const closing = c.closeNicely();
    assertEquals(c.state, { kind: "disconnecting" });
    opening.resolve(near);
    await closing;
    assertEquals([await readSome(peer), await readSome(peer), reasonOf(c.state)], ["hello", null, "closed"]);
  }));

test("closeNicely() receives meanwhile", () =>
  managed({}, async ({ c, peer }) => {
    c.send("x".repeat(300_000));
    const closing = c.closeNicely();
    await copyString("late", peer);
    await settle();
    assertEquals([textOf(c.receiveAll()), c.state], ["late", { kind: "disconnecting" }]);
    while (await readSome(peer, 100_000) !== null);
    await closing;
  }));

test("closeNicely() is closed, even if the peer ends meanwhile", () =>
  managed({}, async ({ c, peer }) => {
    c.send("x".repeat(300_000));
    const closing = c.closeNicely();
    await peer.shutdown("send");
    await settle();
    assertEquals(c.state, { kind: "disconnecting" });
    while (await readSome(peer, 100_000) !== null);
    await closing;
    assertEquals(reasonOf(c.state), "closed");
  }));

test("closeNicely() at the end of its timeout is a timeout, and resets", () =>
  managed({}, async ({ c, peer, pass }) => {
    c.send("x".repeat(300_000));
    const closing = c.closeNicely({ timeout: 100 });
    await pass(99);
    assertEquals(c.state, { kind: "disconnecting" });
    await pass(1);
    await closing;
    assertEquals(c.state, { kind: "disconnected", reason: "timeout" });
    await assertRejects(() => writeAll(peer, new Uint8Array(1)), NetError, "reset");
  }));

test("closeNicely() again may shorten the time, not lengthen it", () =>
  managed({}, async ({ c, pass }) => {
    c.send("x".repeat(300_000));
    const closing = c.closeNicely();
    c.closeNicely({ timeout: 100 });
    c.closeNicely({ timeout: 200 });
    await pass(100);
    await closing;
    assertEquals(reasonOf(c.state), "timeout");
  }));

test("closeNicely() after the end returns", () =>
  managed({}, async ({ c }) => {
    c.close();
    await c.closeNicely({ timeout: 0 });
    assertEquals(reasonOf(c.state), "closed");
  }));

test("closeNicely() in a cancelled scope closes nicely, and does not wait", () =>
  managed({}, async ({ c, peer }) => {
    c.send("bye");
    const outcome = await inCancelledScope(() => c.closeNicely().then(() => "waited", () => "cancelled"));
    assertEquals([outcome, await readSome(peer), await readSome(peer)], ["cancelled", "bye", null]);
  }));

test("closeNicely() refuses a wrong timeout, and then does not close", () =>
  managed({}, async ({ c }) => {
    await assertRejects(() => c.closeNicely({ timeout: -1 }), RangeError);
    await assertRejects(() => c.closeNicely({ timeout: "1" as never }), TypeError);
    assertEquals(c.state, { kind: "connected" });
  }));

test("closeNicely() without a sink closes", () =>
  Switch.run(async (sw) => {
    const c = managedOf(sw, { source: pipe()[0] }, { clock, data: 0 });
    await c.closeNicely();
    assertEquals(reasonOf(c.state), "closed");
  }));

test("the end of the switch closes, connected and connecting", async () => {
  const [near, peer] = pipe();
  const connections = await Switch.run((sw) => [
    managedOf(sw, { source: near, sink: near }, { clock, data: 0, timeout: 5, ping: "x" }),
    managedConnection(sw, () => awaitCancel(), { clock, data: 0, timeout: 5 }),
  ]);
  assertEquals(connections.map(({ state }) => reasonOf(state)), ["closed", "closed"]);
  assertEquals(await peer.read(new Uint8Array(1)), null);
});

test("the end of the switch closes sockets in order: what was taken arrives", async () => {
  const net = memoryNet();
  await Switch.run(async (outer) => {
    const listener = await net.listen(outer, tcp("127.0.0.1", 80));
    const accepting = listener.accept(outer);
    await Switch.run(async (sw) => {
      const c = managedConnection(sw, (own) => net.connect(own, listener.address), { clock, data: 0 });
      c.send("bye");
      await c.flushed();
      const server = await accepting;
      await server.shutdown("send"); // so that closing need not wait for it
      await c.closed();
    });
    const server = await accepting;
    assertEquals([await readSome(server), await readSome(server)], ["bye", null]);
  });
});

test("the end of the switch waits until the flow is closed", async () => {
  const closing = signal();
  let ended = false;
  const sink = { write: () => awaitCancel(), close: () => closing.promise };
  const running = Switch.run((sw) => void managedOf(sw, { sink }, { clock, data: 0 })).then(() => ended = true);
  await settle();
  assertEquals(ended, false);
  closing.resolve();
  await running;
});

test("a switch that fails closes, and resets", async () => {
  const error = new Error("Failed by the test");
  let reason: string | undefined;
  await assertRejects(() =>
    managed({}, ({ c, sw, peer }) => {
      sw.fork(async () => {
        await c.closed().catch(() => {});
      });
      sw.onRelease(async () => {
        reason = reasonOf(c.state);
        await assertRejects(() => peer.read(new Uint8Array(1)), NetError, "reset");
      });
      sw.fail(error);
    }), Error);
  assertEquals(reason, "closed");
});

/** Runs `fn` under a switch that it has cancelled. */
async function underCancelled(fn: (sw: Switch) => void): Promise<void> {
  const error = new Error("Failed by the test");
  const thrown = await assertRejects(() =>
    Switch.run((sw) => {
      sw.fail(error);
      fn(sw);
    })
  );
  assertStrictEquals(thrown, error);
}

test("managedConnection() under a cancelled switch is closed, and opens nothing", async () => {
  let opened = false;
  await underCancelled((sw) => {
    const open = () => {
      opened = true;
      return Promise.resolve(nullFlow as never);
    };
    const c = managedConnection(sw, open, { clock, data: 0, timeout: 5 });
    assertEquals(c.state, { kind: "disconnected", reason: "closed" });
  });
  assertEquals(opened, false);
});

test("managedOf() under a cancelled switch closes its flow", async () => {
  const [near, peer] = pipe();
  await underCancelled((sw) => {
    assertEquals(managedOf(sw, { source: near }, { clock, data: 0 }).alive, false);
  });
  assertEquals(await peer.read(new Uint8Array(1)), null);
});

test("the end of the switch closes connections together with sockets of other code", () =>
  Switch.run(async (sw) => {
    const net = memoryNet({ clock: mockClock() }); // no time passes
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const accepting = listener.accept(sw);
    const c = managedConnection(sw, (own) => net.connect(own, listener.address), { clock, data: 0 });
    c.send("x");
    await c.flushed();
    await accepting;
  }));

test("managedConnection() and managedOf() under a finished switch are a TypeError", async () => {
  const sw = await finishedSwitch();
  assertThrows(() => managedConnection(sw, () => awaitCancel(), { clock, data: 0 }), TypeError, "finished");
  assertThrows(() => managedOf(sw, { sink: nullFlow }, { clock, data: 0 }), TypeError, "finished");
});

test("managedOf() without a source and a sink is a TypeError", () =>
  Switch.run((sw) => {
    assertThrows(() => managedOf(sw, {}, { clock, data: 0 }), TypeError, "at least one");
    assertThrows(() => managedOf(sw, { source: "x" as never }, { clock, data: 0 }), TypeError, "must be a source");
    assertThrows(() => managedOf(sw, { sink: 1 as never }, { clock, data: 0 }), TypeError, "must be a sink");
  }));

test("disposing closes, and waits until the flow is closed", () =>
  Switch.run(async (sw) => {
    const closing = signal();
    let disposed = false;
    const sink = { write: () => awaitCancel(), close: () => closing.promise };
    const c = managedOf(sw, { sink }, { clock, data: 0 });
    const disposing = c[Symbol.asyncDispose]().then(() => disposed = true);
    await settle();
    assertEquals([c.alive, disposed], [false, false]);
    closing.resolve();
    await disposing;
  }));
