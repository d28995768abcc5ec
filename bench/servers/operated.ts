// Copyright 2026 the Sluice authors. MIT license.

/**
 * `operated.ts NAME PORT`: an echo server inside what one operates servers with, until SIGTERM or
 * SIGINT. It is also the module of its own workers, whose handler computes for some milliseconds.
 */
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { type ConnectionHandler, copyString, type Env, run, runServer, tcp, type TcpAddress } from "../../mod.ts";
import { observe } from "../../net/observe/mod.ts";
import { poolHandler, proceed } from "../../net/pool/mod.ts";
import { perPeer, type ServerMonitor, serverMonitor, timeLimits } from "../../net/server/mod.ts";
import { runWorkers, workerServer } from "../../net/workers/mod.ts";

/** How a program serves an echo: on which network, with which handler and which monitor. */
type Part = (env: Env) => { net?: Env["net"]; handler?: ConnectionHandler; monitor?: ServerMonitor };

const minute = 60_000; // ms
const limits = { firstByte: minute, idle: minute, write: minute, halfClosed: minute, lifetime: 10 * minute };

const parts: Readonly<Record<string, Part>> = {
  bare: () => ({}),
  monitored: () => ({ monitor: serverMonitor() }),
  limited: ({ clock }) => ({ handler: timeLimits(clock, limits, perPeer(100_000, echo)) }),
  observed: ({ net }) => ({ net: observe(net, () => {}) }),
  unobserved({ net }) {
    observe(net, () => {}); // in the process, but not what the server listens on
    return {};
  },
  pooled: ({ clock }) => ({
    handler: poolHandler({
      received: (connection, bytes) => connection.write(bytes).then(() => proceed()),
    }, { clock, state: () => undefined }),
  }),
};

async function echo(flow: Parameters<ConnectionHandler>[0]): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let size; (size = await flow.read(buffer)) !== null;) {
    for (let done = 0; done < size;) done += await flow.write(buffer.subarray(done, size));
  }
}

export default workerServer(() => ({
  async handler(flow) {
    const buffer = new Uint8Array(64);
    for (let size; (size = await flow.read(buffer)) !== null;) {
      let sum = 0;
      for (let i = 0; i < 300_000; i++) sum = (sum + i * i) % 1_000_003;
      if (sum >= 0) await flow.write(buffer.subarray(0, size));
    }
  },
}));

if (isMainThread) {
  const [name, place] = process.argv.slice(2);
  const address = tcp("127.0.0.1", Number(place));
  await run(async (env) => {
    const options = {
      stop: env.stop(),
      grace: 200,
      maxConnections: 100_000,
      onError: (error: unknown) => console.error(error instanceof Error ? error.message : error),
    };
    const onListen = ({ port }: TcpAddress) => copyString(`127.0.0.1:${port}\nready\n`, env.stdout);
    if (name.startsWith("workers")) {
      const workers = Number(name.slice("workers".length));
      await runWorkers(env.workers, { ...options, module: new URL(import.meta.url), address, workers, onListen });
    } else {
      const { net = env.net, handler = echo, monitor } = parts[name](env);
      const listener = await net.listen(env.sw, address, { backlog: 4096 });
      await onListen(listener.address as TcpAddress);
      await runServer(listener, handler, { ...options, ...monitor && { monitor } });
    }
  });
}
