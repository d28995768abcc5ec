// Copyright 2026 the Sluice authors. MIT license.

/** Servers of `node:http` over our sockets. */
import { createServer, type RequestListener, type Server } from "node:http";
import { once } from "node:events";
import { type ConnectionHandler, type Net, runServer, type Switch, type TcpAddress } from "../../mod.ts";
import { httpHandler } from "../../flow/node/mod.ts";
import { anyPort, withNet } from "../net/_helpers.ts";

/** A server, and what has come to it. */
export interface Served {
  readonly sw: Switch;
  readonly net: Net;
  readonly server: Server;
  readonly address: TcpAddress;
  /** As a URL. */
  readonly origin: string;
  /** The connections that it has taken. */
  connections: number;
  /** What was reported. */
  readonly errors: unknown[];
}

/** Runs `fn` with a server of `node:http`, each of whose connections belongs to the handler of our own. Stops it gracefully. */
export function withHttp(listener: RequestListener, fn: (served: Served) => Promise<void>): Promise<void> {
  return withNet(async (sw, net) => {
    const server = createServer(listener);
    // On Deno a server that does not listen ends each connection after one answer.
    await once(server.listen(0, "127.0.0.1"), "listening");
    const listening = await net.listen(sw, anyPort);
    const { address } = listening;
    const served: Served = { sw, net, server, address, origin: originOf(address), connections: 0, errors: [] };
    const stop = new AbortController();
    const serve = httpHandler(server);
    const handle: ConnectionHandler = async (flow, peer, scope) => {
      served.connections++;
      await serve(flow, peer, scope);
    };
    const options = { onError: (error: unknown) => served.errors.push(error), stop: stop.signal, grace: 1000 };
    sw.fork(() => runServer(listening, handle, options));
    try {
      await fn(served);
    } finally {
      server.close();
      stop.abort();
    }
  });
}

/** The URL of what listens there. */
export function originOf({ ip, port }: TcpAddress): string {
  return `http://${ip}:${port}`;
}

/** Answers with what it was sent, and says what was asked. */
export const echoRequest: RequestListener = (request, response) => {
  response.setHeader("x-request", `${request.method} ${request.url}`);
  request.pipe(response);
};
