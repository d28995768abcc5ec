// Copyright 2026 the Sluice authors. MIT license.

/**
 * A TCP service that answers questions: one line for each, with the help of a backend. `main.ts`
 * runs it on the network of the system, and a test in memory.
 *
 * A connection may carry several questions. The service ends it when it stops, between an answer and
 * the next question; a client asks a question that was not answered on a new connection. The first
 * question of a connection is always answered.
 */
import {
  BufReader,
  type Clock,
  type Connection,
  type ConnectionHandler,
  copyString,
  first,
  formatAddress,
  interruptible,
  type Net,
  runServer,
  Switch,
  type TcpAddress,
} from "@sluice/io";
import {
  perPeer,
  proxyProtocol,
  serverMonitor,
  type ServerReport,
  type TimeLimits,
  timeLimits,
} from "@sluice/io/net/server";
import { type TlsCertificate, tlsHandler } from "@sluice/io/net/tls";
import { adminHandler } from "./admin.ts";
import { Backend, UnavailableError } from "./backend.ts";

/** What an operator decides. */
export interface ServiceConfig {
  /** Where clients connect. */
  readonly address: TcpAddress;
  /** Where probes and metrics exporters connect. */
  readonly admin: TcpAddress;
  /** The name of the backend's SRV records. */
  readonly backend: string;
  /** The proxies, which must send the PROXY protocol: addresses and blocks. */
  readonly trusted: readonly string[];
  /** For TLS with the clients. */
  readonly certificate?: TlsCertificate | undefined;
  readonly maxConnections: number;
  readonly maxPerClient: number;
  readonly limits: TimeLimits;
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

const maxQuestion = 4096;

/** Returns the handler of one connection. */
export function serviceHandler(
  clock: Clock,
  config: Pick<ServiceConfig, "trusted" | "certificate" | "maxPerClient" | "limits">,
  ask: (question: string) => Promise<string>,
  onError: (error: unknown) => unknown,
): ConnectionHandler {
  const serve: ConnectionHandler<Connection> = async (connection, peer, { stopping }) => {
    const stopped = new Promise<null>((resolve) => stopping.addEventListener("abort", () => resolve(null)));
    const reader = new BufReader(connection, { maxSize: maxQuestion });
    for (let question = await reader.line(); question !== null;) {
      const answer = await ask(`${formatAddress(peer)} ${question}`).catch((error) => {
        if (!(error instanceof UnavailableError)) throw error;
        onError(error);
        return "error: unavailable";
      });
      await copyString(`${answer}\n`, connection);
      question = stopping.aborted ? null : await first(() => interruptible(stopped), () => reader.line());
    }
  };
  const limited = timeLimits(clock, config.limits, serve);
  const { certificate } = config;
  const secured = certificate === undefined ? limited : tlsHandler({ certificate }, limited);
  return proxyProtocol(clock, { trusted: config.trusted }, perPeer(config.maxPerClient, secured));
}

/**
 * Runs the service until `stop` resolves: then it is not ready any more, stops accepting after
 * `drainDelay`, and waits for its connections.
 *
 * @returns How it stopped.
 */
export function runService(
  net: Net,
  config: ServiceConfig,
  stop: Promise<unknown>,
  { onListen, onError }: ServiceEvents,
): Promise<ServerReport | undefined> {
  return Switch.run(async (sw) => {
    const { clock } = net;
    const monitor = serverMonitor();
    const backend = new Backend(net, config.backend);
    let leaving = false;
    const drained = sw.forkPromise(async () => {
      await interruptible(stop);
      leaving = true;
      await clock.sleep(config.drainDelay);
    });

    const ready = () => !leaving && monitor.state === "serving";
    const admin = await net.listen(sw, config.admin);
    const adminOptions = { onError, maxConnections: 100 };
    sw.forkDaemon(() => runServer(admin, adminHandler(clock, { ready, monitor, backend }), adminOptions));

    const listener = await net.listen(sw, config.address);
    await onListen(listener.address, admin.address);
    const handler = serviceHandler(clock, config, (question) => backend.ask(question), onError);
    const { maxConnections, grace } = config;
    await runServer(listener, handler, { onError, monitor, maxConnections, stop: drained, grace });
    return monitor.report;
  }, { name: "service" });
}
