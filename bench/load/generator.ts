// Copyright 2026 the Sluice authors. MIT license.

/**
 * The load generator: reads orders from standard input, one line of JSON each, carries them out one after the other, and answers each with one line of
 * JSON. It lives as long as the runner, so that its own code is warm.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { cpuBetween, readCpu } from "./_cpu.ts";
import { Load } from "./_load.ts";
import { bulk, connectClose, kilobyteRoundTrip, relay, roundTrip, validate } from "./_shapes.ts";

const shapes = { roundTrip, kilobyteRoundTrip, bulk, relay, connectClose, validate };

/** What one load is to be. */
export interface Order {
  /** What is done. `validate` takes its own time and is not measured. */
  readonly shape: keyof typeof shapes;
  /** Where the server listens on 127.0.0.1. */
  readonly port: number;
  /** The server's process, whose CPU time is read. */
  readonly pid: number;
  /** How many connections at once. */
  readonly connections: number;
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
  /** The CPU time of this generator in that time, in nanoseconds. */
  readonly ownCpu: number;
  /** That time itself, in nanoseconds. */
  readonly wall: number;
}

const leastOperations = 100;
const mostTries = 5;
const nothing: Answer = { operations: 0, cpu: 0, ownCpu: 0, wall: 0 };

for await (const line of createInterface({ input: process.stdin })) {
  const order: Order = JSON.parse(line);
  const load = new Load(order.port);
  const answer = await carryOut(order, load).catch((error) => ({ ...nothing, error: String(error) }));
  load.abandon();
  console.log(JSON.stringify(answer));
}

async function carryOut(order: Order, load: Load): Promise<Answer> {
  shapes[order.shape](load, order.connections);
  if (order.shape === "validate") {
    await load.stop();
    return { ...nothing, operations: load.done };
  }
  await Promise.race([setTimeout(order.warmup), load.failed]);
  const before = look();
  let after = before;
  // On a busy machine a short time may hold too few operations to say anything.
  for (let tries = 0; after.done - before.done < leastOperations && tries < mostTries; tries++) {
    await Promise.race([setTimeout(order.ms), load.failed]);
    after = look();
  }
  await load.stop();
  if (after.done === before.done) throw new Error(`Server did nothing within ${mostTries * order.ms} ms`);
  return {
    operations: after.done - before.done,
    cpu: cpuBetween(before.cpu, after.cpu),
    ownCpu: cpuBetween(before.ownCpu, after.ownCpu),
    wall: (after.time - before.time) * 1e6,
  };

  function look() {
    return { done: load.done, cpu: readCpu(order.pid), ownCpu: readCpu(process.pid), time: performance.now() };
  }
}
