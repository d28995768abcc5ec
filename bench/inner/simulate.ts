// Copyright 2026 the Sluice authors. MIT license.

/** What an event of a simulation costs, a message to another host and back, and a second of idle time. */
import { setImmediate } from "node:timers";
import { copy } from "../../flow/mod.ts";
import { Switch } from "../../switch/mod.ts";
import { type Net, tcp } from "../../net/mod.ts";
import { memoryNet, mockClock, simulate } from "../../net/testing/mod.ts";
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

/** Lets as many seconds pass on two hosts that do nothing but keep a connection, and look at it each second. */
const idle: Block = (seconds) =>
  simulate({ trace: 0 }, (sim) =>
    Switch.run(async (sw) => {
      const [server, client] = [sim.host("server"), sim.host("client")];
      const listener = await server.net.listen(sw, tcp(server.ip, 80), { linger: 0 });
      const socketOptions = { SO_KEEPALIVE: true, TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1 };
      await client.net.connect(sw, listener.address, { linger: 0, socketOptions });
      for (let i = 0; i < seconds; i++) await sim.run(1000);
    }));

const idleMock: Block = (seconds) =>
  Switch.run(async () => {
    const clock = mockClock({ autoAdvance: true });
    for (let i = 0; i < seconds; i++) await clock.sleep(1000);
  });

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
  await measure({
    name: "an idle second of a simulation",
    unit: "µs",
    ours: { "simulate(), two hosts and a connection": idle },
    beside: { "mockClock({ autoAdvance: true })": idleMock },
  });
};
