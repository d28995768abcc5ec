// Copyright 2026 the Sluice authors. MIT license.

/**
 * What the scenarios under `tests/sim/` have in common. Each runs a part of the library in a simulation
 * for many seeds; `SLUICE_SIM_SEEDS` is how many, and `deno task test:unit` has fewer.
 */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import {
  Cancelled,
  formatAddress,
  IpAddress,
  MultipleErrors,
  NetError,
  Switch,
  tcp,
  type TcpAddress,
  TimeoutError,
  withTimeout,
} from "../../mod.ts";
import { checkSeeds, type FaultPlan, type Sim, type SimHost } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";

/** How many seeds each scenario runs for. */
export const seeds = Number(process.env.SLUICE_SIM_SEEDS ?? 1000);

/**
 * Registers a test that runs a scenario for every seed.
 *
 * @param name As of `test()`.
 */
export function testSeeds(name: string, scenario: (sim: Sim) => Promise<void>, faults: FaultPlan): void {
  const options = { faults, maxEvents: 100_000, trace: 20_000, deadline: 10_000_000 };
  test(name, () => checkSeeds(seeds, scenario, options), { timeout: 600_000 });
}

/** Returns one of some values. */
export function choose<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)];
}

/** Shuffles a list in place, and returns it. */
export function shuffle<T>(random: () => number, values: T[]): T[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j], values[i]];
  }
  return values;
}

/** Ends every partition, lets all timers of the systems end, and checks that only listeners are left. */
export async function settle(sim: Sim): Promise<void> {
  sim.heal();
  await sim.run(2_000_000);
  assertEquals(sim.sockets().filter(({ state }) => state !== "LISTEN"), [], "sockets are left");
}

/** Returns the sockets that the programs of a host have not closed: the system may still end others. */
export function openSockets(sim: Sim, host: SimHost): string[] {
  const open = sim.sockets().filter((socket) =>
    socket.host === host.name && ["SYN_SENT", "ESTABLISHED", "CLOSE_WAIT"].includes(socket.state)
  );
  return open.map(({ local, peer, state }) => `${state} ${local} ${peer}`);
}

/** Runs the program of a client, which may crash, and checks that nothing is left of it. */
export async function runClient(sim: Sim, client: SimHost, program: () => Promise<void>): Promise<void> {
  try {
    await client.fork(program);
  } catch (error) {
    if (!(error instanceof Cancelled && hasCrashed(sim, client))) throw error;
    assertEquals(openSockets(sim, client), [], "open after a crash");
  }
  await settle(sim);
}

/** Returns when the code of a host can first do something that is due at a time: a host may be paused. */
export function awake(sim: Sim, host: SimHost, due: number): number {
  let since: number | undefined;
  for (const { host: name, what, time } of sim.trace()) {
    if (name !== host.name) continue;
    if (what === "pause") since ??= time;
    if (what !== "resume" && what !== "crash") continue;
    if (since !== undefined && since <= due && due < time) return time;
    since = undefined;
  }
  return due;
}

/** Reports whether a host has crashed so far. */
export function hasCrashed(sim: Sim, host: SimHost): boolean {
  return sim.trace().some(({ host: name, what }) => what === "crash" && name === host.name);
}

/** What is at an address. A `silent` host answers to nothing. */
const kinds = ["serves", "serves", "refuses", "silent", "unreachable"] as const;

/** Latencies whose sums meet the delays of the library, so that things happen at the same instant. */
const latencies = [1, 1, 62.5, 125, 250];

/** Hosts of every kind at different distances from a client; returns their addresses, shuffled. */
export function addTargets(sim: Sim, client: SimHost, count: number): TcpAddress[] {
  const { random } = client;
  const ips: IpAddress[] = [];
  for (let i = 1; i <= count; i++) {
    const kind = choose(random, kinds);
    const ip6 = choose(random, [undefined, `2001:db8::${i}`]);
    const ip = `10.1.0.${i}`;
    if (kind === "unreachable") {
      ips.push(IpAddress.parse(ip6 ?? ip));
      continue;
    }
    const host = sim.host(`target${i}`, { ip, ip6, main: kind === "serves" ? receiveAll : undefined });
    ips.push(host.ip6 === undefined || random() < 0.5 ? host.ip : host.ip6);
    sim.link(client, host, { latency: choose(random, latencies), ...random() < 0.2 ? { jitter: 100 } : {} });
    if (kind === "silent") sim.partition(client, host);
  }
  return shuffle(random, ips).map((ip) => tcp(ip, 80));
}

/** The program of a server that answers each connection with one byte, and reads it to its end. */
async function receiveAll({ net, clock }: SimHost): Promise<void> {
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("::", 80));
    for (;;) {
      const flow = await listener.accept(sw);
      sw.fork(async () => {
        try {
          await withTimeout(clock, 60_000, async () => {
            await flow.write(Uint8Array.of(1));
            while (await flow.read(new Uint8Array(100)) !== null);
          });
          await flow.close();
        } catch {
          flow.abort();
        }
      });
    }
  });
}

/** Reports whether an error is of the network or a timeout, or consists of such. */
export function isOfNetwork(error: unknown): boolean {
  if (error instanceof MultipleErrors) return error.errors.every(isOfNetwork);
  return error instanceof NetError || error instanceof TimeoutError;
}

/** Checks two times that follow from the same sums. */
export function assertSameTime(actual: number, expected: number, what: string): void {
  assert(Math.abs(actual - expected) < 1e-6, `${what} at ${actual} ms instead of ${expected} ms`);
}

/** Returns addresses as text. */
export function texts(addresses: readonly TcpAddress[]): string[] {
  return addresses.map(formatAddress);
}
