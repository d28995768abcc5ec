// Copyright 2026 the Sluice authors. MIT license.

/** What holds for every connection, whatever its link and its users do. */
import { assert, assertEquals } from "@std/assert";
import { both, Switch, tcp } from "../../../../mod.ts";
import type { StreamSocket } from "../../../../mod.ts";
import { checkSeeds, type Sim, type SimHost } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";

/** The byte at a position of a stream. */
const byteAt = (position: number) => Math.imul(position, 0x9e3779b1) >>> 24;

/** Writes `total` bytes in pieces of random sizes, with pauses, and ends. */
async function send(flow: StreamSocket, { random, clock }: SimHost, total: number): Promise<void> {
  for (let done = 0; done < total;) {
    const size = Math.min(total - done, 1 + Math.floor(random() * 20_000));
    done += await flow.write(Uint8Array.from({ length: size }, (_, i) => byteAt(done + i)));
    if (random() < 0.1) await clock.sleep(random() * 200);
  }
  await flow.shutdown("send");
}

/** Reads to the end in pieces of random sizes, with pauses, and checks every byte. */
async function receive(flow: StreamSocket, { random, clock }: SimHost): Promise<number> {
  for (let done = 0;;) {
    const buffer = new Uint8Array(1 + Math.floor(random() * 20_000));
    const size = await flow.read(buffer);
    if (size === null) return done;
    for (let i = 0; i < size; i++) if (buffer[i] !== byteAt(done + i)) throw new Error(`Wrong byte ${done + i}`);
    done += size;
    if (random() < 0.1) await clock.sleep(random() * 200);
  }
}

/** Some connections over a bad link, each with a transfer in both directions. */
async function transfers(sim: Sim): Promise<void> {
  const [server, client] = [sim.host("server"), sim.host("client")];
  const { random } = client;
  const chance = (most: number) => random() < 0.5 ? 0 : random() * most;
  sim.link(server, client, {
    latency: random() * 20,
    jitter: chance(50),
    loss: chance(0.2),
    duplicate: chance(0.3),
    reorder: chance(0.3),
    mtu: 100 + Math.floor(random() * 3000),
    ...random() < 0.3 ? { bandwidth: 50_000 } : {},
  });
  const linger = 100_000;
  const total = Math.floor(random() * 100_000);
  await Switch.run(async (sw) => {
    const listener = await server.net.listen(sw, tcp("0.0.0.0", 80), { linger });
    const exchange = async (flow: StreamSocket, host: SimHost) => {
      const [, size] = await both(() => send(flow, host, total), () => receive(flow, host));
      assertEquals(size, total);
      await flow.close();
    };
    for (let i = 0; i < 3; i++) {
      sw.fork(async () => await exchange(await listener.accept(sw), server));
      const options = { linger, timeout: Infinity };
      sw.fork(async () => await exchange(await client.net.connect(sw, tcp(server.ip, 80), options), client));
    }
  });
  await sim.run(1_200_000); // the last acknowledgement may be lost again and again
  assertEquals(sim.sockets(), []);
  assert(sim.clock.now() < 3_000_000, `${sim.clock.now()} ms`);
}

test("a connection delivers every byte once and in order, and leaves nothing behind", () => checkSeeds(40, transfers));

test("a connection survives partitions, pauses and lost packets", () =>
  checkSeeds(40, transfers, { faults: { partitions: 3, pauses: 3, drops: 10, within: 5000 } }));
