// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { acceptFork, awaitCancel, Cancelled, ClosedError, copyString, first, NetError, Switch } from "../../mod.ts";
import { test } from "../_test.ts";
import { fakeListener, FakeStream } from "./_fake_provider.ts";
import { anyPort, assertNetError, emfile, finishedSwitch, microtasks, signal, withNet } from "./_helpers.ts";

const failOnError = { onError: (error: unknown) => Promise.reject(error) };

test("accept() passes connections to concurrent callers in order", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const order: number[] = [];
    const accepting = [1, 2].map((i) => listener.accept(sw).then(() => order.push(i)));
    await microtasks();
    system.arrive();
    await accepting[0];
    assertEquals(order, [1]);
    system.arrive();
    await accepting[1];
  });
});

test("accept() takes a connection that is already waiting", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stream = system.arrive();
    assertEquals((await listener.accept(sw)).peer, stream.peer);
  });
});

test("accept() that is cancelled accepts no connection", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    await first(() => listener.accept(sw), () => microtasks());
    const stream = system.arrive();
    assertEquals(system.queue.length, 1);
    await listener.accept(sw);
    assertEquals(stream.attached, 1);
  });
});

test("accept() can be cancelled right after the call", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    for (let delay = 0; delay < 6; delay++) await first(() => listener.accept(sw), () => microtasks(delay));
    system.arrive();
    assertEquals(system.queue.length, 1);
  });
});

test("accept() under a finished switch is a TypeError and accepts no connection", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    const finished = await finishedSwitch();
    await assertRejects(() => listener.accept(finished), TypeError, "finished");
    assertEquals(system.queue.length, 1);
  });
});

test("accept() under a failed switch is Cancelled and accepts no connection", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    const failed = Switch.run(async (inner) => {
      inner.fail(new Error("Cannot go on"));
      await assertRejects(() => listener.accept(inner), Cancelled);
    });
    await assertRejects(() => failed, Error, "Cannot go on");
    assertEquals(system.queue.length, 1);
  });
});

test("accept() is woken when its switch ends, and accepts no connection", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const outcome = signal<Promise<unknown>>();
    await Switch.run(async (inner) => {
      outcome.resolve(listener.accept(inner).then(() => {}, (error) => error));
      await microtasks();
    });
    assertInstanceOf(await outcome.promise, TypeError);
    system.arrive();
    assertEquals(system.queue.length, 1);
  });
});

test("accept() passes a connection to the next caller if the switch of the first has failed", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const outcome = signal<Promise<unknown>>();
    const failed = Switch.run(async (inner) => {
      outcome.resolve(Switch.runProtected(() => listener.accept(inner)).then(() => {}, (error) => error));
      await microtasks();
      inner.fail(new Error("Cannot go on"));
      const accepting = Switch.runProtected(() => listener.accept(sw));
      await microtasks();
      system.arrive();
      await accepting;
    });
    await assertRejects(() => failed, Error, "Cannot go on");
    assertInstanceOf(await outcome.promise, Cancelled);
  });
});

test("accept() shows an error of accepting, and works again", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const accepting = assertNetError(() => listener.accept(sw), "too_many_open_files");
    await microtasks();
    system.fail(emfile);
    assertEquals((await accepting).context, ["accepting on tcp:10.0.0.2:80"]);
    system.arrive();
    await listener.accept(sw);
  });
});

test("accept() closes its connection when its switch ends", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stream = system.arrive();
    await Switch.run((inner) => listener.accept(inner));
    assertEquals(stream.state, "closed");
  });
});

test("accept() loses no connection if the backend signals one while it returns another", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.tellsAgain = true;
    const accepting = [1, 2, 3].map(() => listener.accept(sw));
    system.queue.push(new FakeStream());
    system.arrive();
    for (const connection of accepting.slice(0, 2)) await (await connection).close();
    await listener.close();
    await assertRejects(() => accepting[2], ClosedError);
  });
});

test("acceptFork() closes the connection when the handler returns", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const serving = acceptFork(sw, listener, () => {}, failOnError);
    const client = await net.connect(sw, listener.address);
    await serving;
    assertEquals(await client.read(new Uint8Array(1)), null);
  });
});

test("acceptFork() hands the connection and its peer to the handler", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stream = system.arrive();
    const seen = signal<unknown>();
    await acceptFork(sw, listener, (flow, peer) => seen.resolve([flow.peer, peer]), failOnError);
    assertEquals(await seen.promise, [stream.peer, stream.peer]);
  });
});

test("acceptFork() closes the connection before onError runs", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stream = system.arrive();
    const seen = signal<string>();
    await acceptFork(sw, listener, () => Promise.reject(new Error("Cannot serve")), {
      onError: () => seen.resolve(stream.state),
    });
    assertEquals(await seen.promise, "closed");
  });
});

test("acceptFork() closes the connection before the switch fails with what onError throws", async () => {
  const stream = new FakeStream();
  let stateThen = "";
  const failed = Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    sw.signal.addEventListener("abort", () => stateThen = stream.state);
    system.arrive(stream);
    await acceptFork(sw, listener, () => Promise.reject(new Error("Cannot serve")), failOnError);
    await awaitCancel();
  });
  await assertRejects(() => failed, Error, "Cannot serve");
  assertEquals(stateThen, "closed");
});

test("acceptFork() reports a synchronous throw of the handler", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    const seen = signal<unknown>();
    const thrower = () => {
      throw new Error("Cannot serve");
    };
    await acceptFork(sw, listener, thrower, { onError: seen.resolve });
    assertInstanceOf(await seen.promise, Error);
  });
});

test("acceptFork() adds the peer to a NetError", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    const seen = signal<unknown>();
    const failing = () => Promise.reject(new NetError("connection_reset", { operation: "read" }));
    await acceptFork(sw, listener, failing, { onError: seen.resolve });
    assertEquals((await seen.promise as NetError).context, ["handling connection from tcp:10.0.0.1:40000"]);
  });
});

test("acceptFork() passes on other errors than a NetError unchanged", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    const seen = signal<unknown>();
    const problem = new Error("Cannot serve");
    await acceptFork(sw, listener, () => Promise.reject(problem), { onError: seen.resolve });
    assert(await seen.promise === problem);
    assertEquals(problem.message, "Cannot serve");
  });
});

test("acceptFork() resets the connection and calls no onError when the switch fails", async () => {
  const stream = new FakeStream();
  const reported: unknown[] = [];
  const failed = Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive(stream);
    await acceptFork(sw, listener, () => awaitCancel(), { onError: (error) => reported.push(error) });
    sw.fail(new Error("Cannot go on"));
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals([stream.state, reported.length], ["aborted", 0]);
});

test("acceptFork() on a failed switch never runs the handler", async () => {
  let ran = false;
  const failed = Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    sw.fail(new Error("Cannot go on"));
    await acceptFork(sw, listener, () => ran = true, failOnError);
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(ran, false);
});

test("acceptFork() lets the handler close the connection itself", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const serving = acceptFork(sw, listener, (flow) => flow.close(), failOnError);
    const client = await net.connect(sw, listener.address);
    await serving;
    assertEquals(await client.read(new Uint8Array(1)), null);
  });
});

test("acceptFork() lets a handler that cancelled its own read reply", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const serving = acceptFork(sw, listener, async (flow) => {
      const reading = Switch.run(async (inner) => {
        inner.fork(() => flow.read(new Uint8Array(1)));
        inner.fail(new Error("Cannot wait any longer"));
        await awaitCancel();
      });
      await reading.catch(() => {});
      await copyString("cancelled", flow);
    }, failOnError);
    const client = await net.connect(sw, listener.address);
    await serving;
    assertEquals(await client.read(new Uint8Array(99)), "cancelled".length);
  });
});

test("acceptFork() closes the connection only after the handler's own switch has ended", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stream = system.arrive();
    const go = signal();
    const states: string[] = [];
    await acceptFork(sw, listener, () =>
      Switch.run((own) => {
        for (let i = 0; i < 3; i++) own.fork(() => go.promise.then(() => states.push(stream.state)));
      }), failOnError);
    await microtasks();
    go.resolve();
    await microtasks();
    assertEquals([...states, stream.state], ["open", "open", "open", "closed"]);
  });
});

test("acceptFork() that is cancelled while it waits serves no connection", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    await first(() => acceptFork(sw, listener, () => {}, failOnError), () => microtasks());
    system.arrive();
    assertEquals(system.queue.length, 1);
  });
});

test("acceptFork() on a closed listener is a ClosedError", async () => {
  await Switch.run(async (sw) => {
    const { listener } = await fakeListener(sw);
    await listener.close();
    await assertRejects(() => acceptFork(sw, listener, () => {}, failOnError), ClosedError);
  });
});

test("acceptFork() refuses callbacks that are not functions before it accepts", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    const nothing = undefined as unknown as () => void;
    await assertRejects(() => acceptFork(sw, listener, nothing, failOnError), TypeError, "handler must be a function");
    await assertRejects(() => acceptFork(sw, listener, () => {}, { onError: nothing }), TypeError, "onError must be");
    assertEquals(system.queue.length, 1);
  });
});
