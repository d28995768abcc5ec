// Copyright 2026 the Sluice authors. MIT license.

/**
 * How the service answers questions: one line for each, with the help of a backend.
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
} from "@sluice/io";
import { perPeer, proxyProtocol, type TimeLimits, timeLimits } from "@sluice/io/net/server";
import { type TlsCertificate, tlsHandler } from "@sluice/io/net/tls";
import { Backend, BackendCounts, UnavailableError } from "./backend.ts";

/** What an operator decides about connections. It can be cloned for another thread. */
export interface HandlerConfig {
  /** The name of the backend's SRV records. */
  readonly backend: string;
  /** The proxies, which must send the PROXY protocol: addresses and blocks. */
  readonly trusted: readonly string[];
  /** For TLS with the clients. */
  readonly certificate?: TlsCertificate | undefined;
  /** The most connections of one client in one thread. */
  readonly maxPerClient: number;
  readonly limits: TimeLimits;
}

const maxQuestion = 4096;

/** Returns the handler of one connection. */
export function serviceHandler(
  clock: Clock,
  config: Omit<HandlerConfig, "backend">,
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

/** What a thread gets from the first one. */
export interface WorkerData {
  readonly config: HandlerConfig;
  readonly counts: BackendCounts["memory"];
}

/** Returns the handler of a thread, with a backend. */
export function handlerOf(
  net: Net,
  { config, counts }: WorkerData,
  onError: (error: unknown) => unknown,
): ConnectionHandler {
  const backend = new Backend(net, config.backend, new BackendCounts(counts));
  return serviceHandler(net.clock, config, (question) => backend.ask(question), onError);
}
