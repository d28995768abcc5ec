// Copyright 2026 the Sluice authors. MIT license.

/** What holds for connections through a proxy, whatever the network and the hosts do. */
import { all, both, copy, hostAddress, proxy, type Source, type StreamSocket, type TwoWay } from "../../mod.ts";
import type { Sim, SimHost } from "../../net/testing/mod.ts";
import {
  below,
  Delivery,
  exchangeUntilCalm,
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

/** A proxy, as the scenario uses it. */
type Proxy = typeof proxy;

/** What one client and the server do on a connection, which the number at its start selects. */
interface Exchange {
  readonly request: Delivery;
  readonly response: Delivery;
  readonly requestSize: number;
  readonly responseSize: number;
  /** Who ends first: the other one sends its last bytes only after it has read that end. */
  readonly first: "client" | "server" | "both";
}

/** A client that reaches its server through a proxy. */
function throughProxy(proxyWith: Proxy) {
  return async (sim: Sim, outcomes: Outcomes): Promise<void> => {
    const exchanges: Exchange[] = [];

    const back = sim.host("back", {
      main: server((flow, host) =>
        orReset(flow, async () => {
          const number = await readNumber(flow);
          const { request, response, responseSize, first } = exchanges[number] as Exchange;
          const taking = () => receive(flow, request, host);
          const giving = async () => {
            await send(flow, response, responseSize, host);
            await flow.shutdown("send");
          };
          if (first === "client") await inOrder(taking, giving);
          else await both(taking, giving);
        })
      ),
    });
    const front = sim.host("front", {
      main: server(async (flow, { net }, sw) => {
        let upstream!: StreamSocket;
        await orReset(flow, async () => void (upstream = await net.connect(sw, hostAddress(back.name, 80))));
        await proxyWith(flow, upstream);
        await all([() => flow.close(), () => upstream.close()]);
      }),
    });

    const exchange = (client: SimHost) =>
      withConnection(client, front, async (flow) => {
        const { random } = client;
        const number = exchanges.length;
        const now: Exchange = {
          request: new Delivery(2 * number),
          response: new Delivery(2 * number + 1),
          requestSize: below(random, 6000),
          responseSize: below(random, 6000),
          first: (["client", "server", "both"] as const)[below(random, 3)],
        };
        exchanges.push(now);
        await flow.write(Uint8Array.of(number));
        const taking = () => receive(flow, now.response, client);
        const giving = async () => {
          await send(flow, now.request, now.requestSize, client);
          await flow.shutdown("send");
        };
        if (now.first === "server") await inOrder(taking, giving);
        else await both(giving, taking);
      });
    await exchangeUntilCalm(sim, outcomes, { client: "client", hosts: [front, back] }, exchange);
    const { request, response } = exchanges.at(-1) as Exchange;
    if (!request.ended || !response.ended) throw new Violation("the last exchange has not ended");
  };
}

async function readNumber(source: Source): Promise<number> {
  const buffer = new Uint8Array(1);
  if (await source.read(buffer) === null) throw new Violation("the end came before the first byte");
  return buffer[0] as number;
}

async function inOrder(...steps: (() => Promise<void>)[]): Promise<void> {
  for (const step of steps) await step();
}

testSeeds("proxy() passes everything and both ends on, or fails at both sides", throughProxy(proxy));

testFault("a proxy that does not pass an end on is found", throughProxy(endless), "within 30000 ms");
testFault("a proxy that closes both sides when one breaks is found", throughProxy(polite), "the end came after");

/** A proxy that ends neither direction before both have ended. */
async function endless(a: TwoWay, b: TwoWay): Promise<void> {
  await both(() => copy(a, b), () => copy(b, a));
  await all([() => a.shutdown("send"), () => b.shutdown("send")]);
}

/** A proxy whose failure looks like an end. */
async function polite(a: TwoWay, b: TwoWay): Promise<void> {
  const pass = async (from: TwoWay, to: TwoWay) => {
    await copy(from, to).catch(() => {});
    await to.shutdown("send");
  };
  await both(() => pass(a, b), () => pass(b, a));
}
