// Copyright 2026 the Sluice authors. MIT license.

/**
 * How many requests of a CPU-bound handler two workers serve, beside one: run by hand on an idle
 * machine with two cores or more, on each runtime. The goal is 1.8. `node
 * tests/runtime/_worker_throughput.ts [seconds]`
 */
import process from "node:process";
import { all, type Env, readExact, run, Switch, tcp, type TcpAddress } from "../../mod.ts";
import { runWorkers, workerServer } from "../../net/workers/mod.ts";

/** How many clients ask, and how many rounds there are. */
const clients = 16;
const rounds = 3;

export default workerServer(() => ({
  handler: async (connection) => {
    const request = new Uint8Array(1);
    while (await connection.read(request) !== null) {
      spin();
      await connection.write(request);
    }
  },
}));

/** A fixed amount of work: some milliseconds. */
function spin(turns: number = 300_000): number {
  let sum = 0;
  for (let i = 0; i < turns; i++) sum = (sum + i * i) % 1_000_003;
  return sum;
}

async function measure(env: Env, workers: number, ms: number): Promise<number> {
  const stop = new AbortController();
  let served = 0;
  const before = process.cpuUsage();
  await runWorkers(env.workers, {
    module: new URL(import.meta.url),
    address: tcp("127.0.0.1", 0),
    workers,
    stop: stop.signal,
    onError: (error) => {
      throw error;
    },
    onListen: async (address) => {
      await Switch.run(async (sw) => {
        const end = env.clock.now() + ms;
        await all(Array.from({ length: clients }, () => () => ask(env, sw, address, end, () => served++)));
      });
      stop.abort();
    },
  });
  const { user, system } = process.cpuUsage(before);
  console.log(`  with ${workers}: ${((user + system) / 1000 / served).toFixed(2)} ms of CPU time for each request`);
  return served / ms * 1000;
}

async function ask({ net, clock }: Env, sw: Switch, address: TcpAddress, end: number, done: () => void): Promise<void> {
  const byte = new Uint8Array(1);
  while (clock.now() < end) {
    const flow = await net.connect(sw, address); // each time anew, so that the system spreads the load
    for (let i = 0; i < 4 && clock.now() < end; i++) {
      await flow.write(byte);
      await readExact(flow, byte);
      done();
    }
    await flow.close();
  }
}

if (import.meta.main) {
  const ms = Number(process.argv[2] ?? 5) * 1000;
  await run(async (env) => {
    await measure(env, 2, ms / 5); // warm
    const ratios: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const one = await measure(env, 1, ms);
      const two = await measure(env, 2, ms);
      ratios.push(two / one);
      console.log(`1 worker ${one.toFixed(0)}/s, 2 workers ${two.toFixed(0)}/s, ratio ${(two / one).toFixed(2)}`);
    }
    console.log(`median ${ratios.sort((a, b) => a - b)[rounds >> 1].toFixed(2)}`);
  });
}
