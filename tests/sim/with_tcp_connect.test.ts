// Copyright 2026 the Sluice authors. MIT license.

/** `withTcpConnect` over addresses of every kind, with faults while it tries, and while its callback runs. */
import { assert, assertEquals, AssertionError, assertRejects } from "@std/assert";
import {
  Cancelled,
  formatAddress,
  MultipleErrors,
  type Net,
  NetError,
  readAll,
  type StreamSocket,
  Switch,
  type TcpAddress,
  withTcpConnect,
  withTimeout,
} from "../../mod.ts";
import { checkSeeds, SeedError, type Sim } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { addTargets, assertSameTime, awake, choose, openSockets, runClient, testSeeds, texts } from "./_helpers.ts";

const faults = { partitions: 1, crashes: 1, pauses: 1, drops: 2, within: 1500 };

/** An attempt to connect, as the network saw it. */
interface Attempt {
  readonly address: string;
  readonly start: number;
  end?: number;
  flow?: StreamSocket;
  error?: unknown;
}

/** What happened in a network. */
interface Log {
  lookups: number;
  readonly attempts: Attempt[];
}

/** Returns a network that notes every attempt and lookup. */
function watched(net: Net, log: Log): Net {
  return {
    clock: net.clock,
    getAddrInfo(name: string, options?: object) {
      log.lookups++;
      return net.getAddrInfo(name, options);
    },
    async connect(sw: Switch, target: TcpAddress, options?: object): Promise<StreamSocket> {
      assert(log.attempts.every(({ end }) => end !== undefined), "two attempts at once");
      const attempt: Attempt = { address: formatAddress(target), start: net.clock.now() };
      log.attempts.push(attempt);
      try {
        return attempt.flow = await net.connect(sw, target, { ...options, linger: 500 });
      } catch (error) {
        attempt.error = error;
        throw error;
      } finally {
        attempt.end = net.clock.now();
      }
    },
  } as Partial<Net> as Net;
}

type Connect = typeof withTcpConnect;

/** A client that looks up a name and connects, whose callback does one of several things. */
function connecting(connect: Connect): (sim: Sim) => Promise<void> {
  return async (sim) => {
    const client = sim.host("client", { ip6: "2001:db8:1::1" });
    const { random, clock } = client;
    const addresses = addTargets(sim, client, 1 + Math.floor(random() * 4));
    const order = texts([
      ...addresses.filter(({ ip }) => ip.version === 6),
      ...addresses.filter(({ ip }) => ip.version === 4),
    ]);
    const ips = (version: 4 | 6) => addresses.map(({ ip }) => ip).filter((ip) => ip.version === version);
    const isUnknown = random() < 0.1;
    sim.dns.set("all", isUnknown ? { fail: choose(random, ["NONAME", "AGAIN"]) } : { a: ips(4), aaaa: ips(6) }, {
      delay: choose(random, [0, 30, 300]),
    });
    const timeout = choose(random, [0, 2, 125, 500, 3000, random() * 3000, undefined]);
    const cancelAt = random() < 0.2 ? random() * 2000 : undefined;
    const [own, reason] = [new Error("of the callback"), new Error("planned")];
    await runClient(sim, client, async () => {
      const log: Log = { lookups: 0, attempts: [] };
      const { attempts } = log;
      let calls = 0;
      /** What the callback has returned or thrown. */
      let result: unknown;
      const use = async (flow: StreamSocket): Promise<string> => {
        assertEquals(++calls, 1, "the callback is called again");
        try {
          result = await exchange(flow);
        } catch (error) {
          throw result = error;
        }
        return result as string;
      };
      const exchange = async (flow: StreamSocket): Promise<string> => {
        assert(flow === attempts.at(-1)?.flow, "the callback has another connection");
        const open = `ESTABLISHED ${formatAddress(flow.local)} ${formatAddress(flow.peer)}`;
        assertEquals(openSockets(sim, client), [open], "open while the callback runs");
        const choice = random();
        if (choice < 0.3) throw own;
        if (choice < 0.5) return "untouched";
        await flow.write(new Uint8Array(1 + Math.floor(random() * 3000)));
        if (choice < 0.6) throw own;
        if (choice < 0.7) return "written";
        await flow.shutdown("send");
        return `read ${(await withTimeout(clock, 5000, () => readAll(flow))).length}`;
      };
      let error: unknown;
      const outcome = await Switch.run(async (sw) => {
        if (cancelAt !== undefined) {
          sw.forkDaemon(async () => {
            await clock.sleep(cancelAt);
            sw.fail(reason);
          });
        }
        try {
          return await connect(watched(client.net, log), { host: "all", service: 80, timeout }, use);
        } finally {
          assertEquals(openSockets(sim, client), [], "open afterwards");
        }
      }).catch((failed) => {
        error = failed;
      });
      if (error instanceof AssertionError) throw error;
      if (error instanceof Cancelled) throw error; // it has crashed
      assertEquals(log.lookups, 1, "lookups");
      assertEquals(
        attempts.map(({ address }) => address),
        order.slice(0, attempts.length),
        "the order of the attempts",
      );
      for (const [i, { start, end }] of attempts.entries()) {
        assert(end !== undefined, "an attempt goes on");
        if (i > 0) assertSameTime(start, attempts[i - 1].end as number, "the next attempt");
        const latest = start + Math.min(timeout ?? Infinity, 128_000);
        assert(end <= awake(sim, client, latest) + 1e-6, `an attempt from ${start} ms lasts until ${end} ms`);
      }
      assert(attempts.slice(0, -1).every(({ error }) => error instanceof NetError), "it went on after a success");
      // It may fail by itself at the moment at which it is cancelled.
      if (error === reason || (error instanceof MultipleErrors && error.errors.includes(reason))) return;
      assertEquals(calls, attempts.at(-1)?.flow === undefined ? 0 : 1, "calls");
      if (calls === 1) return assertEquals(outcome ?? error, result, "the outcome of the callback");
      assert(error instanceof NetError, String(error));
      assert(error.message.includes("(connecting to all:80"), error.message);
      if (isUnknown) return assertEquals([error.code, attempts.length], ["address_lookup_failed", 0]);
      assertEquals(attempts.length, order.length, "an address was not tried");
      assert(error === attempts.at(-1)?.error, "another error");
    });
  };
}

testSeeds(
  "withTcpConnect() tries one address after the other, calls back once, and leaves nothing open",
  connecting(withTcpConnect),
  faults,
);

test("the scenario of withTcpConnect() notices a connection that outlives the call", async () => {
  const careless: Connect = (net, options, fn) =>
    new Promise((resolve, reject) => {
      const connecting = withTcpConnect(net, options, async (flow) => {
        await Promise.resolve(flow).then(fn).then(resolve, reject);
        await net.clock.sleep(1);
      });
      connecting.catch(reject);
    });
  await assertRejects(() => checkSeeds(100, connecting(careless)), SeedError, "open afterwards");
});

test("the scenario of withTcpConnect() notices a second call after an error of the callback", async () => {
  const eager: Connect = (net, options, fn) =>
    withTcpConnect(net, options, async (flow) => {
      try {
        return await fn(flow);
      } catch {
        return await fn(flow);
      }
    });
  await assertRejects(() => checkSeeds(100, connecting(eager)), SeedError, "the callback is called again");
});
