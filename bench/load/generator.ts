// Copyright 2026 the Sluice authors. MIT license.

/**
 * The load generator: reads orders from standard input, one line of JSON each, carries them out one after the other, and answers each with one line of
 * JSON. It lives as long as the runner, so that its own code is warm. What the program in C can do is done by that, where the command line names it.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { CompiledLoad, isCompiled } from "./_compiled.ts";
import { cpuBetween, readCpu } from "./_cpu.ts";
import { datagramFlood, datagramRoundTrip } from "./_datagrams.ts";
import { httpPosts } from "./_http.ts";
import { Load, type Target } from "./_load.ts";
import { countDescriptors, descriptorLimit, readMemory, resetPeak } from "./_memory.ts";
import { bulk, connectClose, hold, relay, roundTrip, validate } from "./_shapes.ts";

const shapes = {
  roundTrip,
  bulk,
  relay,
  connectClose,
  validate,
  hold,
  httpPosts,
  datagramRoundTrip,
  datagramFlood,
};

/** What one load is to be. */
export interface Order {
  /** What is done. `validate` takes its own time and is not measured; of `hold` only the memory is. */
  readonly shape: keyof typeof shapes;
  /** Where the server is. */
  readonly target: Target;
  /** The server's process, whose CPU time is read. */
  readonly pid: number;
  /** How many connections at once. */
  readonly connections: number;
  /** How long a message is, in bytes, where there are any. */
  readonly size: number;
  /** How long to go before the measurement, in milliseconds. */
  readonly warmup: number;
  /** How long to measure, in milliseconds. */
  readonly ms: number;
}

/** What one load came to. */
export interface Answer {
  /** What went wrong. */
  readonly error?: string;
  /** How many operations were completed in the measured time. */
  readonly operations: number;
  /** The CPU time of the server in that time, in nanoseconds. */
  readonly cpu: number;
  /** The CPU time of the process that made the load in that time, in nanoseconds. */
  readonly ownCpu: number;
  /** That time itself, in nanoseconds. */
  readonly wall: number;
  /** The most memory that the server had resident in that time; of `hold`, what it has more than before. In bytes. */
  readonly memory: number;
}

const leastOperations = 100;
const mostTries = 5;
const nothing: Answer = { operations: 0, cpu: 0, ownCpu: 0, wall: 0, memory: 0 };

/** Descriptors that a process has beside its connections, at the most. */
const otherDescriptors = 200;

/** How long a server may take to accept everybody, in milliseconds. */
const patience = 30_000;

/** Where the program in C is, when there is one. */
const [compiled] = process.argv.slice(2);

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await carryOut(JSON.parse(line)).catch((error) => ({ ...nothing, error: String(error) }));
  console.log(JSON.stringify(answer));
}

async function carryOut(order: Order): Promise<Answer> {
  checkDescriptors(order);
  if (compiled !== undefined && isCompiled(order.shape)) {
    const load = new CompiledLoad(compiled, order);
    return await measure(order, load, load.begun).finally(() => load.abandon());
  }
  const load = new Load(order.target);
  return await carryOutHere(order, load).finally(() => load.abandon());
}

async function carryOutHere(order: Order, load: Load): Promise<Answer> {
  const { shape, connections, size } = order;
  if (shape === "hold") return await holdAll(order, load);
  const begun = Promise.resolve(shapes[shape](load, connections, size));
  if (shape !== "validate") return await measure(order, load, begun);
  await Promise.race([begun, load.failed]);
  await load.stop();
  return { ...nothing, operations: load.done };
}

async function measure(order: Order, load: Load | CompiledLoad, begun: Promise<void>): Promise<Answer> {
  await Promise.race([begun, load.failed]);
  await Promise.race([setTimeout(order.warmup), load.failed]);
  resetPeak(order.pid);
  const before = await look();
  let after = before;
  // On a busy machine a short time may hold too few operations to say anything.
  for (let tries = 0; after.done - before.done < leastOperations && tries < mostTries; tries++) {
    await Promise.race([setTimeout(order.ms), load.failed]);
    after = await look();
  }
  const memory = readMemory(order.pid, "peak");
  await load.stop();
  if (after.done === before.done) throw new Error(`Server did nothing within ${mostTries * order.ms} ms`);
  return {
    operations: after.done - before.done,
    cpu: cpuBetween(before.cpu, after.cpu),
    ownCpu: cpuBetween(before.ownCpu, after.ownCpu),
    wall: (after.time - before.time) * 1e6,
    memory,
  };

  async function look() {
    const done = await load.look();
    return { done, cpu: readCpu(order.pid), ownCpu: readCpu(load.pid), time: performance.now() };
  }
}

/** Opens the connections, waits until the server has accepted them all and a while longer, and reads what its memory has grown by. */
async function holdAll({ connections, pid, ms }: Order, load: Load): Promise<Answer> {
  const memory = readMemory(pid, "now");
  const descriptors = countDescriptors(pid);
  await Promise.race([hold(load, connections), load.failed]);
  for (const from = performance.now(); countDescriptors(pid) < descriptors + connections;) {
    if (performance.now() - from > patience) throw new Error(`Server has not accepted ${connections} connections`);
    await setTimeout(20);
  }
  await Promise.race([setTimeout(ms), load.failed]);
  return { ...nothing, operations: connections, memory: readMemory(pid, "now") - memory };
}

/** Says so where the system allows too few descriptors, here or to the server, instead of failing in the midst. */
function checkDescriptors({ connections, pid }: Order): void {
  const limit = Math.min(descriptorLimit("self"), descriptorLimit(pid));
  if (connections + otherDescriptors <= limit) return;
  throw new Error(`Cannot open ${connections} connections: a process may have ${limit} descriptors (ulimit -n)`);
}
