// Copyright 2026 the Sluice authors. MIT license.

/** A program in which everything happens that a simulation offers, to compare runs. */
import {
  copyString,
  hostAddress,
  mapFibers,
  readAll,
  runServer,
  Switch,
  tcp,
  TimeoutError,
  udp,
  withTimeout,
} from "../../../../mod.ts";
import type { Sim, SimHost } from "../../../../net/testing/mod.ts";
import { echoServer } from "./_programs.ts";

/** A server that answers lines late, with an error, or not at all. */
async function moody({ net, clock, random }: SimHost): Promise<void> {
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("0.0.0.0", 80), { backlog: 4 });
    await runServer(listener, async (flow) => {
      const bytes = new Uint8Array(100);
      for (;;) {
        const size = await withTimeout(clock, 400, () => flow.read(bytes));
        if (size === null) return;
        if (random() < 0.1) throw new Error("moody");
        await clock.sleep(random() * 50);
        await flow.write(bytes.subarray(0, size));
      }
    }, { maxConnections: 3, onError() {} });
  });
}

/** Clients, faults, names, datagrams, timeouts and errors at once. */
export async function everything(sim: Sim): Promise<string> {
  const servers = [sim.host("s1", { main: moody }), sim.host("s2", { main: moody, clockRate: 1.25 })];
  const echo = sim.host("echo", { main: echoServer, ip6: "2001:db8::1" });
  const clients = [1, 2, 3].map((n) => sim.host(`c${n}`, { ip6: `2001:db8::c${n}` }));
  sim.dns.set("all", { a: servers.map(({ ip }) => ip), aaaa: ["2001:db8::dead"], ttl: 200 }, { delay: 3 });
  for (const client of clients) {
    for (const server of servers) sim.link(client, server, { latency: 3, jitter: 4, loss: 0.05, reorder: 0.05 });
    sim.link(client, echo, { bandwidth: 200_000, duplicate: 0.1 });
  }
  sim.schedule(700, () => sim.partition(clients[0], servers[0], "oneway"));
  sim.schedule(1500, () => sim.heal());
  sim.schedule(900, () => sim.crash(servers[1]));
  sim.schedule(2500, () => sim.restart(servers[1]));
  sim.schedule(1200, () => sim.pause(echo, 300));
  sim.schedule(300, () => sim.hold(clients[1], echo));
  sim.schedule(600, () => sim.release(clients[1], echo));
  const outcomes = await mapFibers(clients, (client) =>
    client.fork(async () => {
      const log: string[] = [];
      for (let round = 0; round < 12; round++) {
        const target = client.random() < 0.3 ? hostAddress("echo", 80) : hostAddress("all", 80);
        try {
          await withTimeout(client.clock, 300, () =>
            Switch.run(async (sw) => {
              const flow = await client.net.connect(sw, target, { linger: 50 });
              for (let i = 0; i < 3; i++) {
                await copyString(`line ${i} of ${round}\n`, flow);
                await flow.read(new Uint8Array(1));
              }
              await flow.shutdown("send");
              log.push(`${(await readAll(flow)).length}`);
            }));
        } catch (error) {
          log.push(error instanceof TimeoutError ? "timeout" : (error as Error).name);
        }
        await client.clock.sleep(client.random() * 100);
      }
      return log.join(" ");
    }));
  await Switch.run(async (sw) => {
    const sockets = await mapFibers(clients, (client) => client.net.datagramSocket(sw, udp(client.ip, 53)));
    sim.link(clients[0], clients[1], { loss: 0.3, duplicate: 0.3, reorder: 0.3 });
    for (let i = 0; i < 50; i++) await sockets[0].send(Uint8Array.of(i), sockets[i % 3].local);
    await sim.run(100);
  });
  return `${sim.clock.now()} ${outcomes.join(" | ")} ${sim.traceHash()}`;
}
