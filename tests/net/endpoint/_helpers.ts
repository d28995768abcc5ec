// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of connectors and of what they connect to. */
import { type Connection, type ConnectionHandler, copy, copyString, type Net, pipe } from "../../../mod.ts";
import { type StreamAddress, type Switch, type TwoWay, unix } from "../../../mod.ts";
import { type Endpoint, serveEndpoint, type ServeEndpointOptions } from "../../../net/endpoint/mod.ts";
import { readText } from "../../_helpers.ts";
import { serverOptions } from "../tls/_helpers.ts";

/** Echoes all input. */
export const echoing: ConnectionHandler<Connection> = (connection) => copy(connection, connection);

/** Starts a server that `sw` ends with its daemons. Returns the address on which it listens. */
export function startServer(
  sw: Switch,
  net: Net,
  endpoint: Endpoint,
  handler: ConnectionHandler<Connection> = echoing,
  options: Partial<ServeEndpointOptions> = {},
): Promise<StreamAddress> {
  return new Promise((resolve, reject) => {
    sw.forkDaemon(() =>
      serveEndpoint(sw, { net, tls: serverOptions, listening: resolve, ...options }, endpoint, handler, {
        onError: () => {},
      }).catch((error) => {
        reject(error);
        throw error;
      })
    );
  });
}

/** Sends a text, ends, and returns what comes back. */
export async function exchange(connection: TwoWay, text: string): Promise<string> {
  await copyString(text, connection);
  await connection.shutdown("send");
  return await readText(connection);
}

/** Returns a connection over one end of a pipe, and the other end. */
export function pipeConnection(): [Connection, TwoWay & { close(): Promise<void> }] {
  const [near, far] = pipe();
  const abort = () => void near.close();
  const connection: Connection = {
    local: unix(""),
    peer: unix(""),
    abort,
    read: (buffer) => near.read(buffer),
    write: (bytes) => near.write(bytes),
    shutdown: (how) => near.shutdown(how),
    close: () => near.close(),
    [Symbol.asyncDispose]: () => near.close(),
  };
  return [connection, far];
}
