// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Cancelled, first, Queue, Switch, yieldNow } from "../../switch/mod.ts";
import { turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { rejectionOf } from "./_helpers.ts";

test("Queue hands values over in order, and makes push() wait while it is full", async () => {
  const queue = new Queue<number>(2);
  const log: string[] = [];
  await Switch.run(async (sw) => {
    sw.fork(async () => {
      for (let n = 1; n <= 4; n++) {
        await queue.push(n);
        log.push(`pushed ${n}`);
      }
    });
    await yieldNow();
    assertEquals([log.splice(0), queue.size], [["pushed 1", "pushed 2"], 2]);
    for (let n = 1; n <= 4; n++) assertEquals(await queue.pop(), n);
  });
  assertEquals([log, queue.size], [["pushed 3", "pushed 4"], 0]);
});

test("Queue makes pop() wait while it is empty, and serves the calls in order", async () => {
  const queue = new Queue<string>(1);
  const log: string[] = [];
  await Switch.run(async (sw) => {
    for (const name of ["a", "b"]) sw.fork(() => queue.pop().then((value) => log.push(name + value)));
    await queue.push("1");
    await queue.push("2");
  });
  assertEquals([log, queue.size], [["a1", "b2"], 0]);
});

test("Queue with a capacity of 0 makes push() wait for a pop()", async () => {
  const queue = new Queue<number>(0);
  const log: string[] = [];
  await Switch.run(async (sw) => {
    sw.fork(() => queue.push(1).then(() => log.push("pushed")));
    await yieldNow();
    assertEquals([log, queue.size], [[], 0]);
    assertEquals(await queue.pop(), 1);
    await yieldNow();
    assertEquals(log, ["pushed"]);
    sw.fork(() => queue.pop().then((value) => log.push(`popped ${value}`)));
    await queue.push(2);
  });
  assertEquals(log, ["pushed", "popped 2"]);
});

test("Queue.tryPush() and tryPop() never wait", async () => {
  const queue = new Queue<number>(1);
  assertEquals([queue.tryPop(), queue.tryPush(1), queue.tryPush(2), queue.size], [undefined, true, false, 1]);
  assertEquals([queue.tryPop(), queue.tryPop()], [1, undefined]);
  await Switch.run((sw) => {
    sw.fork(async () => assertEquals(await queue.pop(), 3));
    assertEquals([queue.tryPush(3), queue.size], [true, 0]);
  });
});

test("Queue.tryPush() and tryPop() meet a call that waits where the capacity is 0", async () => {
  const queue = new Queue<number>(0);
  assertEquals([queue.tryPush(1), queue.tryPop()], [false, undefined]);
  await Switch.run((sw) => {
    sw.fork(() => queue.push(1));
    assertEquals(queue.tryPop(), 1);
    sw.fork(async () => assertEquals(await queue.pop(), 2));
    assert(queue.tryPush(2));
  });
});

test("Queue holds undefined as any other value", async () => {
  const queue = new Queue<undefined>(1);
  await Switch.run(async (sw) => {
    await queue.push(undefined);
    sw.fork(() => queue.push(undefined));
    assertEquals([await queue.pop(), await queue.pop(), queue.size], [undefined, undefined, 0]);
  });
});

test("Queue loses no value to a pop() that is cancelled", async () => {
  const queue = new Queue<number>(1);
  const winner = await first(() => queue.pop(), () => yieldNow().then(() => "late"));
  assertEquals(winner, "late");
  await queue.push(1);
  assertEquals(await queue.pop(), 1);
});

test("Queue ignores the value of a cancelled push(), and admits the next one", async () => {
  const queue = new Queue<number>(1);
  await queue.push(1);
  await Switch.run(async (sw) => {
    const controller = new AbortController();
    const cancelled = rejectionOf(Switch.run(() => queue.push(2), { signal: controller.signal }));
    sw.fork(() => queue.push(3));
    controller.abort();
    assertInstanceOf(await cancelled, Cancelled);
    assertEquals([await queue.pop(), await queue.pop()], [1, 3]);
  });
});

test("Queue refuses to push and to pop in a cancelled scope", async () => {
  const queue = new Queue<number>(1);
  const refused: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(new Error("Cannot go on"));
    refused.push(await rejectionOf(queue.push(1)), await rejectionOf(queue.pop()));
  }));
  for (const error of refused) assertInstanceOf(error, Cancelled);
  assertEquals(queue.size, 0);
});

test("Queue rejects an impossible capacity with RangeError", () => {
  for (const capacity of [-1, 1.5, NaN, Infinity, 2 ** 53, undefined as never]) {
    const message = `Cannot make a queue as capacity must be a whole number >= 0: current value is ${capacity}`;
    assertThrows(() => new Queue(capacity), RangeError, message);
  }
  assertThrows(() => new Queue("3" as never), RangeError, 'current value is "3"');
});

test("Queue cannot be changed by other code", () => {
  for (const frozen of [Queue, Queue.prototype]) assert(Object.isFrozen(frozen));
});

test("Queue passes 200 000 values quickly", async () => {
  const count = 200_000;
  const queue = new Queue<number>(count);
  for (let n = 0; n < count; n++) queue.tryPush(n);
  const start = performance.now();
  for (let n = 0; n < count; n++) if (await queue.pop() !== n) throw new Error("Out of order");
  assert(performance.now() - start < 10_000);
});

/** A call of push or pop that is pending in the model. */
interface Call {
  readonly id: number;
  readonly value: number;
}

/** A model of a queue, made of plain arrays. */
class Model {
  readonly values: number[] = [];
  readonly pushes: Call[] = [];
  readonly pops: Call[] = [];
  readonly log: string[] = [];
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  push(call: Call): void {
    this.pushes.push(call);
    this.settle();
  }

  pop(call: Call): void {
    this.pops.push(call);
    this.settle();
  }

  cancel(id: number): void {
    for (const calls of [this.pushes, this.pops]) {
      const index = calls.findIndex((call) => call.id === id);
      if (index >= 0) {
        calls.splice(index, 1);
        this.log.push(`${id} cancelled`);
      }
    }
  }

  settle(): void {
    for (;;) {
      const [pop] = this.pops;
      const [push] = this.pushes;
      if (pop !== undefined && this.values.length > 0) {
        this.pops.shift();
        this.log.push(`${pop.id} popped ${this.values.shift()}`);
      } else if (pop !== undefined && push !== undefined) {
        this.pops.shift();
        this.pushes.shift();
        this.log.push(`${pop.id} popped ${push.value}`, `${push.id} pushed`);
      } else if (push !== undefined && this.values.length < this.capacity) {
        this.pushes.shift();
        this.values.push(push.value);
        this.log.push(`${push.id} pushed`);
      } else return;
    }
  }
}

test("Queue does what a model of plain arrays does, through any pushing, popping and cancelling", async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("push" as const, "pop" as const) },
    { weight: 2, arbitrary: fc.constantFrom("tryPush" as const, "tryPop" as const) },
    { weight: 2, arbitrary: fc.nat(30) },
  );
  const script = fc.array(step, { maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(fc.nat(3), script, fc.boolean(), async (capacity, steps, slowly) => {
      const queue = new Queue<number>(capacity);
      const model = new Model(capacity);
      const log: string[] = [];
      const controllers: AbortController[] = [];
      for (const step of steps) {
        const id = controllers.length;
        if (step === "push" || step === "pop") {
          const controller = new AbortController();
          controllers.push(controller);
          const call = step === "push"
            ? () => queue.push(id).then(() => log.push(`${id} pushed`))
            : () => queue.pop().then((value) => log.push(`${id} popped ${value}`));
          Switch.run(call, { signal: controller.signal }).catch(() => log.push(`${id} cancelled`));
          if (step === "push") model.push({ id, value: id });
          else model.pop({ id, value: id });
        } else if (step === "tryPush") {
          const fits = model.pops.length > 0 || model.values.length < capacity;
          assertEquals(queue.tryPush(1000), fits);
          if (fits) model.push({ id: -1, value: 1000 });
        } else if (step === "tryPop") {
          const there = model.values.length > 0 || model.pushes.length > 0;
          const value = queue.tryPop();
          assertEquals(value !== undefined, there);
          if (there) model.pop({ id: -1, value: 0 });
        } else {
          controllers[step]?.abort();
          model.cancel(step);
        }
        assertEquals(queue.size, model.values.length);
        if (slowly) await turn();
      }
      await turn();
      const expected = model.log.filter((line) => !line.startsWith("-1 "));
      assertEquals(log.toSorted(), expected.toSorted());
      for (const controller of controllers) controller.abort();
      await turn();
    }),
    { numRuns: 150 },
  );
});
