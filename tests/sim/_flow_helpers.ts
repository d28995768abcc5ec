// Copyright 2026 the Sluice authors. MIT license.

/** What the scenarios of flows have in common: bytes that are checked, bad links, servers and clients. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BrokenPipeError,
  Cancelled,
  FlushAborted,
  hostAddress,
  type Net,
  NetError,
  runServer,
  type Sink,
  type Source,
  type StreamSocket,
  Switch,
  tcp,
  TimeoutError,
  withTimeout,
} from "../../mod.ts";
import { checkSeeds, type FaultPlan, SeedError, type Sim, type SimHost } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { seeds } from "./_helpers.ts";

/** The virtual time in which faults begin, in milliseconds. The last one ends after 1.5 times that. */
const within = 2000;

/** When the last fault has ended. */
const calm = 1.5 * within;

const faults: FaultPlan = { partitions: 1, crashes: 1, pauses: 1, drops: 4, within };

/** The limit of everything that a program of a host does with its peer, in milliseconds. */
const patience = 30_000;

/** Defines a test that runs a scenario for every seed, or for `most`. */
export function testSeeds(name: string, scenario: Scenario, most: number = seeds): void {
  test(name, () => sweep(scenario, Math.min(most, seeds)), { timeout: 900_000 }); // on a busy machine
}

/** Defines a test in which a fault of the scenario is found, with a message. */
export function testFault(name: string, scenario: Scenario, message: string): void {
  test(name, () => assertRejects(() => sweep(scenario, 1000), SeedError, message), { timeout: 900_000 });
}

/** A program that counts its outcomes. */
export type Scenario = (sim: Sim, outcomes: Outcomes) => Promise<void>;

async function sweep(scenario: Scenario, seeds: number): Promise<void> {
  const outcomes = { whole: 0, broken: 0 };
  const limits = { deadline: 10_000_000, maxEvents: 100_000, trace: 5000 };
  await checkSeeds(seeds, (sim) => scenario(sim, outcomes), { ...limits, faults });
  // Otherwise the scenario would not show much: it must succeed, and be disturbed.
  assert(outcomes.whole >= seeds && outcomes.broken >= seeds / 20, JSON.stringify(outcomes));
}

/** How many exchanges have ended as they should, and how many with an error that is none of ours. */
export interface Outcomes {
  whole: number;
  broken: number;
}

/** Returns a whole number from 0 to `limit` - 1. */
export function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}

/** Sets the links between all hosts: many are good, and the others lose, delay, repeat and reorder packets. */
function spoilLinks(sim: Sim, hosts: readonly SimHost[], loss = 0.1): void {
  const { random } = hosts[0] as SimHost;
  const chance = (most: number) => random() < 0.5 ? 0 : random() * most;
  hosts.forEach((a, index) => {
    for (const b of hosts.slice(index + 1)) {
      sim.link(a, b, {
        latency: random() * 20,
        jitter: chance(30),
        loss: chance(loss),
        duplicate: chance(0.2),
        reorder: chance(0.2),
        mtu: 200 + below(random, 1500),
      });
    }
  });
}

/** Bytes on their way from one end to the other, each of which is checked when it arrives. */
export class Delivery {
  /** How many bytes the sender has handed over, or tried to. */
  sent = 0;
  /** Whether the sender has handed over everything. */
  complete = false;
  /** How many bytes have arrived. */
  received = 0;
  /** Whether the end has arrived. */
  ended = false;
  readonly #key: number;

  /** @param key Selects the bytes: those of two deliveries differ. */
  constructor(key: number) {
    this.#key = Math.imul(key + 1, 0x85ebca6b);
  }

  /** Returns the next bytes to send. */
  next(size: number): Uint8Array<ArrayBuffer> {
    const from = this.sent;
    this.sent += size;
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = this.#byteAt(from + i);
    return bytes;
  }

  /** Takes bytes that have arrived. */
  take(bytes: Uint8Array): void {
    if (this.ended) throw new Violation(`${bytes.length} bytes arrived after the end`);
    if (this.received + bytes.length > this.sent) throw new Violation("bytes arrived that were not sent");
    for (const byte of bytes) {
      if (byte !== this.#byteAt(this.received)) throw new Violation(`byte ${this.received} is wrong`);
      this.received++;
    }
  }

  /** Takes the end: it stands for everything. */
  end(): void {
    if (!this.complete || this.received !== this.sent) {
      throw new Violation(`the end came after ${this.received} of ${this.sent} bytes`);
    }
    this.ended = true;
  }

  #byteAt(position: number): number {
    return Math.imul(position ^ this.#key, 0x9e3779b1) >>> 24;
  }
}

/** What must not happen. Never taken for an error of the network. */
export class Violation extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Violation";
  }
}

/** Reads to the end in pieces of random sizes, and checks every byte. */
export async function receive(source: Source, delivery: Delivery, { random, clock }: SimHost): Promise<void> {
  for (;;) {
    const buffer = new Uint8Array(1 + below(random, 3000));
    const size = await source.read(buffer);
    if (size === null) return delivery.end();
    delivery.take(buffer.subarray(0, size));
    if (random() < 0.05) await clock.sleep(random() * 100);
  }
}

/** Writes `total` bytes in pieces of random sizes. */
export async function send(sink: Sink, delivery: Delivery, total: number, { random, clock }: SimHost): Promise<void> {
  for (let left = total; left > 0;) {
    const piece = delivery.next(Math.min(left, 1 + below(random, 3000)));
    for (let done = 0; done < piece.length;) done += await sink.write(piece.subarray(done));
    left -= piece.length;
    if (random() < 0.05) await clock.sleep(random() * 100);
  }
  delivery.complete = true;
}

/** A sink that takes only a part of most writes, and counts. */
export function partialSink(sink: Sink, random: () => number): Sink & { readonly taken: number } {
  let taken = 0;
  return {
    get taken() {
      return taken;
    },
    async write(bytes) {
      const size = await sink.write(bytes.subarray(0, 1 + below(random, bytes.length)));
      taken += size;
      return size;
    },
  };
}

/** Reports whether an error is one that a bad network, or the end of a host, explains. */
export function isDisturbance(error: unknown): boolean {
  return [NetError, TimeoutError, Cancelled, BrokenPipeError, FlushAborted].some((type) => error instanceof type);
}

/** A handler of connections. */
export type Handler = (flow: StreamSocket, host: SimHost, sw: Switch) => Promise<void>;

/** Resets a connection if `fn` fails: a server would close it, and its client take what has arrived for all. */
export async function orReset(flow: StreamSocket, fn: () => Promise<void>): Promise<void> {
  try {
    await fn();
  } catch (error) {
    flow.abort(error);
    throw error;
  }
}

/** Makes the program of a server on port 80, whose connections may break. */
export function server(handler: Handler, isExpected: (error: unknown) => boolean = isDisturbance) {
  return (host: SimHost): Promise<never> =>
    Switch.run(async (sw) => {
      const listener = await host.net.listen(sw, tcp("0.0.0.0", 80));
      const handle = (flow: StreamSocket, _: unknown, { sw }: { sw: Switch }) =>
        withTimeout(host.clock, patience, () => handler(flow, host, sw));
      const onError = (error: unknown) => {
        if (!isExpected(error)) throw error;
      };
      return await runServer(listener, handle, { onError });
    });
}

/** Connects, and calls `fn` with the connection, which is reset if that fails. */
export function withConnection<T>(
  { net, clock }: { net: Net; clock: SimHost["clock"] },
  to: SimHost,
  fn: (flow: StreamSocket, sw: Switch) => Promise<T>,
): Promise<T> {
  return withTimeout(clock, patience, () =>
    Switch.run(async (sw) => {
      const flow = await net.connect(sw, hostAddress(to.name, 80));
      const value = await fn(flow, sw);
      await flow.close();
      return value;
    }));
}

/**
 * Lets a client repeat an exchange until all faults are over, when it may fail, and once more, when it
 * must not. Then checks that no socket is left. The client starts again after a crash.
 */
export async function exchangeUntilCalm(
  sim: Sim,
  outcomes: Outcomes,
  { client, hosts }: { client: string; hosts: readonly SimHost[] },
  exchange: (client: SimHost) => Promise<void>,
  isExpected: (error: unknown) => boolean = isDisturbance,
): Promise<void> {
  const main = async (host: SimHost) => {
    while (sim.clock.now() < within) {
      try {
        await exchange(host);
        outcomes.whole++;
      } catch (error) {
        if (!isExpected(error)) throw error;
        outcomes.broken++;
      }
      await host.clock.sleep(200 + 800 * host.random());
    }
  };
  const host = sim.host(client, { main });
  spoilLinks(sim, [host, ...hosts]);
  await sim.run(calm + 2 * patience);
  spoilLinks(sim, hosts.concat(host), 0);
  await host.fork(() => exchange(host));
  outcomes.whole++;
  await sim.run(200_000); // TIME_WAIT, and the last repetitions
  assertEquals(sim.sockets().filter(({ state }) => state !== "LISTEN"), []);
}
