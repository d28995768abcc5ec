// Copyright 2026 the Sluice authors. MIT license.

/**
 * The race of `connectAny` and of `connect` to a name, over addresses that answer late, refuse or stay
 * silent, with faults in the middle of it.
 */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  Cancelled,
  type Clock,
  ClosedError,
  connectAny,
  formatAddress,
  hostAddress,
  MultipleErrors,
  type Net,
  NetError,
  readExact,
  type StreamSocket,
  Switch,
  tcp,
  type TcpAddress,
  TimeoutError,
  withTimeout,
} from "../../mod.ts";
import { checkSeeds, SeedError, type Sim, type SimHost } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import {
  addTargets,
  assertSameTime,
  awake,
  choose,
  hasCrashed,
  openSockets,
  runClient,
  testSeeds,
  texts,
} from "./_helpers.ts";

const faults = { partitions: 1, crashes: 1, pauses: 1, drops: 2, within: 1200 };

/** Times at which something happens to a race: some meet its delays, and the answers of its addresses. */
const moments = [0, 2, 125, 250, 252, 502];

/** An attempt to connect, as the network of the race saw it. The numbers are the order of everything. */
interface Attempt {
  readonly address: string;
  readonly start: number;
  readonly begun: number;
  end?: number;
  ended?: number;
  outcome?: StreamSocket;
  error?: unknown;
}

/** Returns a network that notes every attempt, and calls `won` when one succeeds. */
function watched(net: Net, attempts: Attempt[], won = () => {}): Net {
  let sequence = 0;
  return {
    clock: net.clock,
    async connect(sw: Switch, target: TcpAddress): Promise<StreamSocket> {
      const attempt: Attempt = { address: formatAddress(target), start: net.clock.now(), begun: sequence++ };
      attempts.push(attempt);
      try {
        attempt.outcome = await net.connect(sw, target, { linger: 0 });
        won();
        return attempt.outcome;
      } catch (error) {
        attempt.error = error;
        throw error;
      } finally {
        attempt.end = net.clock.now();
        attempt.ended = sequence++;
      }
    },
  } as Partial<Net> as Net;
}

/** Returns the order in which addresses are to be tried: without duplicates, the families alternate. */
function raceOrder(addresses: readonly TcpAddress[]): string[] {
  const family = (version: 4 | 6) => [...new Set(texts(addresses.filter(({ ip }) => ip.version === version)))];
  const queues = addresses[0].ip.version === 4 ? [family(4), family(6)] : [family(6), family(4)];
  const order: string[] = [];
  for (let turn = 0; queues[0].length + queues[1].length > 0; turn = 1 - turn) {
    order.push((queues[turn].shift() ?? queues[1 - turn].shift()) as string);
  }
  return order;
}

/** Checks the order and the times of the attempts, with what had happened before each. */
function checkAttempts(sim: Sim, client: SimHost, attempts: readonly Attempt[], order: string[], over: number): void {
  assertEquals(attempts.map(({ address }) => address), order.slice(0, attempts.length), "the order of the attempts");
  for (let i = 1; i <= order.length; i++) {
    const [previous, next] = [attempts[i - 1], attempts.at(i) as Attempt | undefined];
    if (previous === undefined) break;
    const now = next ?? { start: over, begun: Infinity };
    const failures = attempts.filter(({ outcome, error, ended = Infinity }) =>
      outcome === undefined && error instanceof NetError && ended < now.begun
    );
    const last = failures.filter(({ ended = 0 }) => ended > previous.begun).map(({ end = 0 }) => end);
    const due = Math.min(previous.start + 250, ...last);
    const running = i - failures.length;
    if (next !== undefined) {
      assert(running < 16, `${running} attempts at once`);
      assert(next.start >= due - 1e-6, `attempt ${i} at ${next.start} ms is before ${due} ms`);
    }
    if (running < 16) {
      const late = next === undefined ? `no attempt ${i} by ${over} ms` : `attempt ${i} at ${next.start} ms`;
      const latest = Math.max(due, ...attempts.length > 16 ? failures.map(({ end = 0 }) => end) : []);
      if (i < order.length) assert(now.start <= awake(sim, client, latest) + 1e-6, `${late}, after ${latest} ms`);
    }
  }
}

/** Returns addresses as they become known, a few at a time; then fails when `failing` does. */
async function* asTheyCome({ clock, random }: SimHost, addresses: readonly TcpAddress[], failing?: Promise<never>) {
  for (let i = 0; i < addresses.length;) {
    await clock.sleep(random() < 0.5 ? 0 : random() * 300);
    const next = i + 1 + Math.floor(random() * 3);
    yield addresses.slice(i, next);
    i = next;
  }
  await failing;
}

type Race = typeof connectAny;

/** Adds a client and the addresses of a race; once in a while so many that not all can be tried at once. */
function prepare(sim: Sim): { client: SimHost; addresses: TcpAddress[] } {
  const client = sim.host("client", { ip6: "2001:db8:1::1" });
  const { random } = client;
  const addresses = addTargets(sim, client, 1 + Math.floor(random() * 5));
  if (random() < 0.1) {
    const silent = sim.host("silent");
    sim.partition(client, silent);
    addresses.push(...Array.from({ length: 18 }, (_, i) => tcp(silent.ip, 1000 + i)));
  }
  if (random() < 0.2) addresses.push(addresses[0]);
  // Afterwards the client learns of several answers at once.
  if (random() < 0.3) sim.schedule(choose(random, moments), () => sim.pause(client, random() * 1000));
  return { client, addresses };
}

/** Checks that a host has one socket, that of a connection, or none. */
function checkOpen(sim: Sim, host: SimHost, flow: StreamSocket | undefined, when: string): void {
  const expected = flow && `ESTABLISHED ${formatAddress(flow.local)} ${formatAddress(flow.peer)}`;
  assertEquals(openSockets(sim, host), expected === undefined ? [] : [expected], `open after ${when}`);
}

/** Reads the greeting of a server from the winner: it is whole when everything else of the race is over. */
async function use(flow: StreamSocket, clock: Clock): Promise<void> {
  await clock.sleep(5);
  try {
    await withTimeout(clock, 10_000, () => readExact(flow, new Uint8Array(1)));
  } catch (error) {
    if (![NetError, TimeoutError, ClosedError].some((kind) => error instanceof kind)) throw error;
  }
}

/** A race whose rules are checked. */
function racing(race: Race): (sim: Sim) => Promise<void> {
  return async (sim) => {
    const { client, addresses } = prepare(sim);
    const { random, clock } = client;
    const order = raceOrder(addresses);
    const timeout = random() < 0.3 ? choose(random, [...moments, random() * 3000]) : Infinity;
    await runClient(sim, client, async () => {
      const attempts: Attempt[] = [];
      const start = clock.now();
      let error: unknown;
      await Switch.run(async (sw) => {
        const flow = await race(watched(client.net, attempts), sw, addresses, { timeout }).catch((failed) => {
          if (hasCrashed(sim, client)) throw failed;
          error = failed;
        });
        checkOpen(sim, client, flow ?? undefined, "the race");
        for (const { address, ended } of attempts) assert(ended !== undefined, `the attempt at ${address} goes on`);
        checkAttempts(sim, client, attempts, order, clock.now());
        assert(clock.now() <= awake(sim, client, start + timeout) + 1e-6, "the race goes on after its timeout");
        if (!flow) return;
        const wins = attempts.filter(({ outcome }) => outcome !== undefined);
        wins.sort((a, b) => (a.ended as number) - (b.ended as number));
        assert(wins[0].outcome === flow, "another attempt was first");
        await use(flow, clock);
      });
      checkOpen(sim, client, undefined, "the end of the owner");
      if (error === undefined) return;
      assertInstanceOf(error, NetError);
      if (error.cause instanceof AggregateError) {
        assertEquals(attempts.length, order.length, "an address was not tried");
        assertEquals(error.cause.errors, attempts.map(({ error }) => error));
        assertEquals(error.code, (error.cause.errors.at(-1) as NetError).code);
      } else {
        assertEquals(error.code, "connection_timeout");
        assertSameTime(clock.now(), awake(sim, client, start + timeout), "the timeout");
      }
    });
  };
}

/** A race that ends at some moment, or as it is won: its caller or its owner fails, or its addresses do. */
function ending(race: Race): (sim: Sim) => Promise<void> {
  return async (sim) => {
    const { client, addresses } = prepare(sim);
    const { random, clock } = client;
    const reason = new Error("planned");
    const isPlanned = (error: unknown) =>
      error === reason || [Cancelled, NetError, TypeError].some((kind) => error instanceof kind);
    await runClient(sim, client, async () => {
      const attempts: Attempt[] = [];
      const [won, over] = [Promise.withResolvers<void>(), Promise.withResolvers<never>()];
      const end = choose(random, [(by: Switch) => by.fail(reason), () => over.reject(reason)]);
      over.promise.catch(() => {});
      let owner!: Switch;
      const owning = client.fork(() =>
        Switch.run((sw) => {
          owner = sw;
          return clock.sleep(5000);
        })
      ).catch((error) => error);
      let caller!: Switch;
      let hasEnded = false;
      const racing = client.fork(() =>
        Switch.run(async (sw) => {
          caller = sw;
          const answers = random() < 0.5 ? addresses : asTheyCome(client, addresses, over.promise);
          let flow: StreamSocket | undefined;
          try {
            flow = await race(watched(client.net, attempts, won.resolve), owner, answers);
          } catch (error) {
            assert(isPlanned(error), String(error));
            throw error;
          } finally {
            won.resolve();
            // A socket whose owner fails as the race is won may be closed by now.
            if (flow === undefined || !hasEnded) checkOpen(sim, client, flow, "the race");
          }
          await use(flow, clock);
        })
      ).catch((error) => error);
      const failing = choose(random, [owner, caller]);
      const delay = Math.floor(random() * 40);
      if (random() < 0.4) {
        await clock.sleep(choose(random, [...moments, random() * 3000]));
      } else {
        await won.promise;
        for (let i = 0; i < delay; i++) await undefined;
      }
      try {
        hasEnded = true;
        end(failing);
      } catch (error) {
        assertInstanceOf(error, TypeError); // it has ended before
      }
      for (const outcome of [await racing, await owning]) {
        const errors: unknown[] = outcome instanceof MultipleErrors ? outcome.errors : [outcome];
        for (const error of errors) if (error !== undefined && !isPlanned(error)) throw outcome;
      }
      checkOpen(sim, client, undefined, "the end of the owner");
    });
  };
}

/** Connects to a name, whose addresses the network looks up and races by itself. */
async function naming(sim: Sim): Promise<void> {
  const { client, addresses } = prepare(sim);
  const { random, clock, net } = client;
  const ips = (version: 4 | 6) => addresses.map(({ ip }) => ip).filter((ip) => ip.version === version);
  sim.dns.set("all", { a: ips(4), aaaa: ips(6) }, { delay: choose(random, [0, 30, 300]) });
  const timeout = choose(random, [Infinity, Infinity, ...moments]);
  await runClient(sim, client, async () => {
    try {
      await Switch.run(async (sw) => {
        const flow = await net.connect(sw, hostAddress("all", 80), { timeout, linger: 0 });
        const greeting = sim.trace().find(({ host, what }) => host === client.name && what === "receive SYN-ACK");
        assertEquals(greeting?.from, formatAddress(flow.peer), "another address answered first");
        checkOpen(sim, client, flow, "the race");
        await use(flow, clock);
      });
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      if (!(error.cause instanceof AggregateError)) return assertEquals(error.code, "connection_timeout");
      const tried = error.cause.errors.map(({ address }) => address);
      assertEquals(texts(tried), raceOrder([...ips(6), ...ips(4)].map((ip) => tcp(ip, 80))));
    } finally {
      checkOpen(sim, client, undefined, "the end of the owner");
    }
  });
}

testSeeds(
  "connectAny() keeps the rules of its race, and leaves one socket, of the first that answers, or none",
  racing(connectAny),
  faults,
);

testSeeds("connectAny() leaves nothing open, whatever ends it", ending(connectAny), faults);

testSeeds("connect() to a name leaves one socket, of the first that answers, or none", naming, faults);

test("the race's scenario notices a race that leaves its losers open", async () => {
  const careless: Race = (net, sw, addresses) =>
    Promise.any([...addresses as TcpAddress[]].map((address) => net.connect(sw, address)));
  await assertRejects(() => checkSeeds(100, racing(careless)), SeedError, "open after the race");
});

test("the race's scenario notices a race that tries one address after the other", async () => {
  const patient: Race = async (net, sw, addresses, options) => {
    let error: unknown;
    for (const address of addresses as TcpAddress[]) {
      try {
        return await net.connect(sw, address, options);
      } catch (failed) {
        if (!(failed instanceof NetError)) throw failed;
        error = failed;
      }
    }
    throw error;
  };
  await assertRejects(() => checkSeeds(100, racing(patient)), SeedError, "attempt");
});
