// Copyright 2026 the Sluice authors. MIT license.

/**
 * What holds for TLS connections, whatever the network and the hosts do. The runs of a seed are not the
 * same to the byte, because the cryptography of the runtime is random; what arrives is.
 */
import { both, BrokenPipeError, readExact, type StreamSocket, type Switch } from "../../mod.ts";
import type { Sim, SimHost } from "../../net/testing/mod.ts";
import { tlsClient, type TlsConnection, TlsError, tlsServer } from "../../net/tls/mod.ts";
import { clientOptions, serverOptions } from "../net/tls/_helpers.ts";
import {
  below,
  Delivery,
  exchangeUntilCalm,
  isDisturbance,
  orReset,
  type Outcomes,
  receive,
  send,
  server,
  testFault,
  testSeeds,
  Violation,
  withConnection,
} from "./_flow_helpers.ts";

/** What one client and the server do on a connection, which the number at its start selects. */
interface Exchange {
  readonly request: Delivery;
  readonly response: Delivery;
  readonly requestSize: number;
  readonly responseSize: number;
  /**
   * Whether the client ends after it has read the response. On Bun a connection cannot be written to
   * once the other side has ended, so that the others fail there.
   */
  readonly inTurns: boolean;
  /** Who ends the connection under its TLS connection, without `close_notify`. */
  readonly cut: "client" | "server" | undefined;
}

/** Opens a TLS connection over a flow, as the scenario uses it. */
interface Tls {
  readonly client: (sw: Switch, flow: StreamSocket) => Promise<TlsConnection>;
  readonly server: (sw: Switch, flow: StreamSocket) => Promise<TlsConnection>;
}

const library: Tls = {
  client: (sw, flow) => tlsClient(sw, flow, clientOptions),
  server: (sw, flow) => tlsServer(sw, flow, serverOptions),
};

/** The errors of a broken connection. Any other `TlsError` would be a fault of the library. */
function isExpected(error: unknown): boolean {
  return isDisturbance(error) || error instanceof TlsError && ["truncated", "handshake_timeout"].includes(error.code);
}

/** Reads to the end, which must not come if it was not announced. */
async function receiveAll(tls: TlsConnection, delivery: Delivery, isCut: boolean, host: SimHost): Promise<void> {
  await receive(tls, delivery, host);
  if (isCut) throw new Violation("an end without close_notify was taken for one");
}

/** Reads the bytes of a delivery, without the end. */
async function receiveBytes(tls: TlsConnection, delivery: Delivery, total: number): Promise<void> {
  const bytes = new Uint8Array(total);
  await readExact(tls, bytes);
  delivery.take(bytes);
}

/** A client that asks its server over TLS; one of them may end the connection without saying so. */
function ask(tls: Tls) {
  return async (sim: Sim, outcomes: Outcomes): Promise<void> => {
    const exchanges: Exchange[] = [];
    const host = sim.host("server", {
      main: server((flow, host, sw) =>
        orReset(flow, async () => {
          const connection = await tls.server(sw, flow);
          const number = new Uint8Array(1);
          if (await connection.read(number) === null) throw new BrokenPipeError("read");
          const exchange = exchanges[number[0] as number] as Exchange;
          const { request, response, requestSize, responseSize, inTurns, cut } = exchange;
          const giving = async () => {
            await send(connection, response, responseSize, host);
            await (cut === "server" ? flow : connection).shutdown("send");
          };
          if (inTurns) {
            await receiveBytes(connection, request, requestSize);
            await giving();
            await receiveAll(connection, request, cut === "client", host);
          } else {
            await both(() => receiveAll(connection, request, cut === "client", host), giving);
          }
          await connection.close();
        }), isExpected),
    });
    const exchange = (client: SimHost) =>
      withConnection(client, host, async (flow, sw) => {
        const { random } = client;
        const isLast = sim.clock.now() > 10_000;
        const now: Exchange = {
          request: new Delivery(2 * exchanges.length),
          response: new Delivery(2 * exchanges.length + 1),
          requestSize: below(random, 4000),
          responseSize: below(random, 4000),
          inTurns: isLast || random() < 0.5,
          cut: isLast || random() < 0.5 ? undefined : random() < 0.5 ? "client" : "server",
        };
        const connection = await tls.client(sw, flow);
        const number = exchanges.push(now) - 1;
        await connection.write(Uint8Array.of(number));
        const taking = () => receiveAll(connection, now.response, now.cut === "server", client);
        const giving = () => send(connection, now.request, now.requestSize, client);
        const ending = () => (now.cut === "client" ? flow : connection).shutdown("send");
        if (now.inTurns) { for (const step of [giving, taking, ending]) await step(); }
        else {await both(taking, async () => {
            await giving();
            await ending();
          });}
        await connection.close();
      });
    await exchangeUntilCalm(sim, outcomes, { client: "client", hosts: [host] }, exchange, isExpected);
  };
}

testSeeds("TLS connections deliver a prefix, and never take a cut for the end", ask(library));

const credulous: Tls = {
  ...library,
  client: (sw, flow) => tlsClient(sw, flow, { ...clientOptions, closeNotify: "optional" }),
};

testFault("a TLS client that does not need close_notify is found", ask(credulous), "without close_notify was taken");
