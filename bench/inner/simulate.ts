// Copyright 2026 the Sluice authors. MIT license.

/** What an event of a simulation costs, and a message that goes from one host to another and back. */
import { setImmediate } from "node:timers";
import { copy } from "../../flow/mod.ts";
import { Switch } from "../../switch/mod.ts";
import { type Net, tcp } from "../../net/mod.ts";
import { memoryNet, simulate } from "../../net/testing/mod.ts";
import { type Block, type Cases, oneByOne, scoped } from "./_case.ts";

const sleeps: Block = (times) =>
  simulate({ trace: 0 }, async (sim) => {
    for (let i = 0; i < times; i++) await sim.run(1);
  });

/** Sends 100 bytes `times` times, and waits for the echo each time. */
function roundTrips(server: Net, client: Net, times: number): Promise<void> {
  return Switch.run(async (sw) => {
    const listener = await server.listen(sw, tcp("10.0.0.1", 80), { linger: 0 });
    const accepting = listener.accept(sw);
    const one = await client.connect(sw, listener.address, { linger: 0 });
    const other = await accepting;
    sw.fork(() => copy(other, other));
    const bytes = new Uint8Array(100);
    for (let i = 0; i < times; i++) {
      await one.write(bytes);
      await one.read(bytes);
    }
    await one.shutdown("send");
  });
}

const simulated = (trace: number): Block => (times) =>
  simulate({ trace }, (sim) => roundTrips(sim.host("server", { ip: "10.0.0.1" }).net, sim.host("client").net, times));

const inMemory: Block = (times) => {
  const net = memoryNet({ hosts: { server: ["10.0.0.1"] } });
  return roundTrips(net, net, times);
};

export const cases: Cases = async (measure) => {
  await measure({
    name: "an event of a simulation",
    ours: { "Sim.run(1)": sleeps },
    beside: { "a turn of the event loop": oneByOne(() => new Promise<void>((resolve) => void setImmediate(resolve))) },
  });
  await measure({
    name: "a simulated round trip: 4 packets",
    unit: "µs",
    ours: { "simulate()": simulated(100_000), "simulate(), without a trace": simulated(0) },
    beside: { "memoryNet()": scoped(inMemory) },
  });
};
