// Copyright 2026 the Sluice authors. MIT license.

/**
 * A TCP service that answers questions, in several threads if the runtime can. `main.ts` runs it on
 * the network of the system, and a test in memory.
 */
import { interruptible, type Net, runServer, Switch, type TcpAddress, type WorkerManager } from "@sluice/io";
import { serverMonitor, type ServerReport } from "@sluice/io/net/server";
import { runWorkers } from "@sluice/io/net/workers";
import { adminHandler } from "./admin.ts";
import { BackendCounts } from "./backend.ts";
import { type HandlerConfig, handlerOf, type WorkerData } from "./handler.ts";

/** What an operator decides. */
export interface ServiceConfig extends HandlerConfig {
  /** Where clients connect. */
  readonly address: TcpAddress;
  /** Where probes and metrics exporters connect. */
  readonly admin: TcpAddress;
  /** How many threads serve clients, where threads can share a port. */
  readonly workers: number;
  /** The most connections in all. */
  readonly maxConnections: number;
  /** How long to accept connections after the stop, in milliseconds, until balancers know of it. */
  readonly drainDelay: number;
  /** How long connections may go on after that. */
  readonly grace: number;
}

/** What a service tells its surroundings. */
export interface ServiceEvents {
  /** Called once it listens. */
  readonly onListen: (address: TcpAddress, admin: TcpAddress) => unknown;
  /** Called with what goes wrong on the way. */
  readonly onError: (error: unknown) => unknown;
}

/**
 * Runs the service until `stop` resolves: then it is not ready any more, stops accepting after
 * `drainDelay`, and waits for its connections.
 *
 * @param workers Threads to serve in, on the network of the system. Without them, or with only one,
 * or where threads cannot share a port, the calling thread serves.
 * @returns How it stopped.
 */
export function runService(
  net: Net,
  config: ServiceConfig,
  stop: Promise<unknown>,
  { onListen, onError }: ServiceEvents,
  workers?: WorkerManager,
): Promise<ServerReport | undefined> {
  return Switch.run(async (sw) => {
    const { clock } = net;
    const monitor = serverMonitor();
    const counts = new BackendCounts();
    let isListening = false;
    let isLeaving = false;
    const drained = sw.forkPromise(async () => {
      await interruptible(stop);
      isLeaving = true;
      await clock.sleep(config.drainDelay);
    });

    const ready = () => isListening && !isLeaving && monitor.state === "serving";
    const admin = await net.listen(sw, config.admin);
    const adminOptions = { onError, maxConnections: 100 };
    sw.forkDaemon(() => runServer(admin, adminHandler(clock, { ready, monitor, counts }), adminOptions));

    const listening = async (address: TcpAddress) => {
      isListening = true;
      await onListen(address, admin.address);
    };
    const { address, maxConnections, grace } = config;
    const options = { onError, monitor, maxConnections, stop: drained, grace };
    const data: WorkerData = { config, counts: counts.memory };
    if (workers === undefined || config.workers === 1 || !net.features.has("reusePort")) {
      const listener = await net.listen(sw, address);
      await listening(listener.address);
      await runServer(listener, handlerOf(net, data, onError), options);
    } else {
      const module = new URL("./worker.ts", import.meta.url);
      await runWorkers(workers, { ...options, module, address, workers: config.workers, data, onListen: listening });
    }
    return monitor.report;
  }, { name: "service" });
}
