// Copyright 2026 the Sluice authors. MIT license.

/** Much, for long: what a leak of one byte or one descriptor in a thousand would show. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import process from "node:process";
import {
  Cancelled,
  ClosedError,
  copy,
  copyString,
  forEachFiber,
  NetError,
  readAll,
  runServer,
  type StreamSocket,
  Switch,
  tcp,
} from "../../mod.ts";
import { openCounts, simulate } from "../../net/testing/mod.ts";
import { seededRandom } from "../../net/testing/_random.ts";
import { collectGarbage, textOf, turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, withNet } from "../net/_helpers.ts";
import { descriptors, descriptorsBack } from "./_helpers.ts";

/** What is in use once nothing is under way: bytes of the heap, and descriptors. */
async function inUse(): Promise<{ heap: number; descriptors: number }> {
  for (let i = 0; i < 10; i++) {
    await turn();
    collectGarbage();
  }
  return { heap: process.memoryUsage().heapUsed, descriptors: descriptors() };
}

test("100 000 connections that come and go leave no descriptor and no memory behind", async () => {
  const half = 50_000;
  await withNet(async (_, net) => {
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, anyPort, { backlog: 511 });
      sw.forkDaemon(() => runServer(listener, () => {}, { onError: () => {} }));
      // Most are reset, for a connection that ends well keeps its port for a minute, and there are 28 000 of them.
      const cycle = (reset: boolean) =>
        Switch.run(async (inner) => {
          const flow = await net.connect(inner, listener.address);
          if (reset) flow.abort();
          else assertEquals(await flow.read(new Uint8Array(1)), null);
        });
      const cycles = async (count: number) => {
        await forEachFiber(Array.from({ length: 32 }), async () => {
          for (let i = 0; i < count / 32; i++) await cycle(i % 4 > 0);
        });
        return await inUse();
      };
      await cycles(3200); // what is made once, and compiled, is made now
      const first = await cycles(half);
      const second = await cycles(half);
      assert(second.descriptors <= first.descriptors, `${second.descriptors} descriptors after ${first.descriptors}`);
      const growth = (second.heap - first.heap) / half;
      assert(growth < 20, `each connection left ${growth} bytes`);
    });
  });
}, { timeout: 500_000 });

test(
  "a stampede: of 100 connections something is killed every 100 ms for 10 s, and then a new client works",
  async () => {
    const random = seededRandom(4);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
    const before = descriptors();
    await withNet(async (_, net) => {
      await Switch.run(async (sw) => {
        const listener = await net.listen(sw, anyPort);
        const servers = new Set<StreamSocket>();
        const unexpected: unknown[] = [];
        const onError = (error: unknown) => {
          if (!(error instanceof NetError || error instanceof ClosedError)) unexpected.push(error);
        };
        sw.forkDaemon(() =>
          runServer(listener, async (flow) => {
            servers.add(flow);
            await copy(flow, flow).finally(() => servers.delete(flow));
          }, { onError })
        );
        const clients = new Map<StreamSocket, Switch>();
        let over = false;
        /** Talks until it is killed, and then begins anew. */
        const client = async () => {
          while (!over) {
            try {
              await Switch.run(async (own) => {
                const flow = await net.connect(own, listener.address);
                clients.set(flow, own);
                own.onRelease(() => clients.delete(flow));
                const buffer = new Uint8Array(64);
                while (!over) {
                  await copyString("ping", flow);
                  await flow.read(buffer);
                  await net.clock.sleep(10);
                }
              });
            } catch (error) {
              if (!(error instanceof Cancelled) && error !== killed) onError(error);
            }
          }
        };
        const killed = new Error("Killed");
        const kinds: (() => unknown)[] = [
          () => pick([...servers])?.abort(),
          () => pick([...clients.keys()])?.abort(),
          () => pick([...servers])?.close(),
          () => pick([...servers])?.shutdown("all"),
          () => pick([...clients.keys()])?.shutdown("send"),
          () => pick([...clients.values()])?.fail(killed),
        ];
        const killer = async () => {
          for (let i = 0; i < 100; i++) {
            await net.clock.sleep(100);
            pick(kinds)();
          }
          over = true;
        };
        await forEachFiber([killer, ...Array.from({ length: 100 }, () => client)], (run) => run());

        const flow = await net.connect(sw, listener.address);
        await copyString("still there", flow);
        await flow.shutdown("send");
        assertEquals(textOf(await readAll(flow)), "still there");
        assertEquals(unexpected, []);
      });
    });
    await descriptorsBack(before);
    assertEquals(openCounts().sockets, 0);
  },
);

test("a simulation without a trace uses no more memory after 1 000 000 events", async () => {
  const heaps: number[] = [];
  const events = 1_000_000;
  const endless = simulate({ trace: 0, maxEvents: events, link: { loss: 0.01, jitter: 5 } }, async (sim) => {
    const server = sim.host("server", {
      main: ({ net }) =>
        Switch.run(async (sw) => {
          const listener = await net.listen(sw, tcp("0.0.0.0", 80));
          await runServer(listener, (flow) => copy(flow, flow), { onError: () => {} });
        }),
    });
    const client = sim.host("client");
    const cycle = () =>
      Switch.run(async (sw) => {
        const flow = await client.net.connect(sw, tcp(server.ip, 80));
        const buffer = new Uint8Array(100);
        for (let i = 0; i < 20; i++) {
          await flow.write(buffer);
          await flow.read(buffer);
        }
        await flow.close();
        for (let ms = 0; ms < 1000; ms++) await sim.run(1); // few connections are in TIME_WAIT at once
      });
    for (;;) {
      for (let i = 0; i < 100; i++) await cycle();
      heaps.push((await sim.external(inUse())).heap);
    }
  });
  await assertRejects(() => endless, Error, `${events} events`);
  const [, early] = heaps;
  const growth = heaps.at(-1) as number - early;
  assert(
    heaps.length > 5 && growth < events, // less than a byte for each
    `the heap was ${heaps.join(", ")}`,
  );
}, { timeout: 500_000 });
