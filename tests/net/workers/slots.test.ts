// Copyright 2026 the Sluice authors. MIT license.

/** The limit that workers share, without threads: messages are delivered when the test says. */
import { assert, assertEquals } from "@std/assert";
import { type Permit, Switch } from "../../../mod.ts";
import { SlotDesk, slotMemory, WorkerSlots } from "../../../net/workers/_slots.ts";
import { turn } from "../../_helpers.ts";
import { test } from "../../_test.ts";

/** Workers and the main thread, and the messages between them that have not arrived. */
function connect(workers: number, max: number) {
  const memory = slotMemory(workers, max);
  const desk = new SlotDesk(memory);
  let messages: { readonly worker: number; deliver(): void }[] = [];
  const make = (worker: number): WorkerSlots => {
    const send = (deliver: () => void) => void messages.push({ worker, deliver });
    const slots: WorkerSlots = new WorkerSlots(memory, worker, max, {
      wanted: () => send(() => desk.wanted(worker, () => send(() => slots.granted()))),
      freed: () => send(() => desk.freed()),
    });
    return slots;
  };
  return {
    make,
    deliver: () => {
      for (let next = messages.shift(); next !== undefined; next = messages.shift()) next.deliver();
    },
    die: (worker: number) => {
      messages = messages.filter((message) => message.worker !== worker);
      desk.ended(worker);
    },
    free: () => Atomics.load(memory, 0),
    waiting: () => Atomics.load(memory, 1),
  };
}

test("WorkerSlots() keeps one slot for each worker, and shares the others", () => {
  const { make } = connect(2, 4);
  const [one, two] = [make(0), make(1)];
  assertEquals([1, 2, 3, 4].map(() => one.tryAcquire() !== null), [true, true, true, false]);
  assertEquals([1, 2].map(() => two.tryAcquire() !== null), [true, false]);
});

test("WorkerSlots() grants freed slots in FIFO order over all workers", async () => {
  const { make, deliver, free, waiting } = connect(3, 4);
  const [one, two, three] = [make(0), make(1), make(2)];
  const held = [one, two, three, one].map((slots) => slots.tryAcquire() as Permit);
  const order: string[] = [];
  const waits = [two, three].map(async (slots, i) => {
    const permit = await slots.acquire();
    order.push(["two", "three"][i]);
    permit.release();
  });
  deliver();
  assertEquals([free(), waiting()], [0, 2]);
  held[3].release();
  assertEquals(one.tryAcquire(), null); // others are first
  while (order.length < 2) {
    deliver();
    await turn();
  }
  await Promise.all(waits);
  deliver();
  assertEquals(order, ["two", "three"]);
  assertEquals([free(), waiting()], [1, 0]);
});

test("WorkerSlots() wakes a waiter with the slot of its own worker, and gives the other one back", async () => {
  const { make, deliver, free, waiting } = connect(2, 3);
  const [one, two] = [make(0), make(1)];
  const own = one.tryAcquire() as Permit;
  const shared = [two.tryAcquire(), two.tryAcquire()];
  const waiter = one.acquire();
  own.release();
  const permit = await waiter;
  deliver();
  shared[1]?.release();
  deliver();
  assertEquals([free(), waiting()], [1, 0]);
  permit.release();
  assertEquals([free(), waiting()], [1, 0]);
});

test("SlotDesk() frees what a dead worker held and waited for, whatever was under way", () =>
  Switch.run(async (sw) => {
    const { make, deliver, die, free, waiting } = connect(2, 4);
    const [one, two] = [make(0), make(1)];
    for (const slots of [one, one, one, two]) assert(slots.tryAcquire() !== null);
    sw.forkDaemon(() => one.acquire());
    const waiter = two.acquire();
    deliver();
    sw.forkDaemon(() => one.acquire()); // its message is lost
    die(0);
    deliver();
    await waiter;
    assertEquals([free(), waiting()], [1, 0]);
    assert(make(0).tryAcquire() !== null);
  }));

test("WorkerSlots() never exceeds the limit, and forgets no waiter, in any order of events", async () => {
  let seed = 1;
  const random = (n: number) => (seed = seed * 48271 % 2147483647) % n;
  for (let round = 0; round < 30; round++) {
    const [workers, max] = [2 + random(3), 6 + random(4)];
    const { make, deliver, free, waiting } = connect(workers, max);
    const slots = Array.from({ length: workers }, (_, i) => make(i));
    const held: Permit[] = [];
    let pending = 0;
    for (let step = 0; step < 200; step++) {
      if (random(2) === 0) {
        pending++;
        void slots[random(workers)].acquire().then((permit) => {
          pending--;
          held.push(permit);
        });
      } else held.splice(random(held.length + 1), 1)[0]?.release();
      if (random(3) === 0) deliver();
      await Promise.resolve();
      assert(held.length <= max, `${held.length} of ${max}`);
    }
    while (pending > 0 || held.length > 0) {
      held.pop()?.release();
      deliver();
      await Promise.resolve();
    }
    deliver();
    assertEquals([free(), waiting()], [max - workers, 0]);
  }
});
