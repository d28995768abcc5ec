// Copyright 2026 the Sluice authors. MIT license.

/** What holds for HTTP over simulated sockets, whatever the network and the hosts do. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { httpHandler } from "../../flow/node/mod.ts";
import { both, NetError, type StreamSocket, Switch, withTimeout } from "../../mod.ts";
import { createFetch, type FetchFunction } from "../../net/http/mod.ts";
import type { Sim, SimHost } from "../../net/testing/mod.ts";
import {
  below,
  Delivery,
  exchangeUntilCalm,
  isDisturbance,
  server,
  testFault,
  testSeeds,
  Violation,
} from "./_flow_helpers.ts";
import type { Outcomes } from "./_flow_helpers.ts";

/** What a request asks for, as the path of its URL. */
interface Question {
  readonly key: number;
  readonly method: "GET" | "PUT" | "POST";
  readonly requestSize: number;
  readonly responseSize: number;
  readonly framing: "length" | "chunked";
  /** After how many bytes of the body the server ends the connection. */
  readonly cutAt: number | undefined;
}

/** Creates a fetch, as the scenario uses it. */
type MakeFetch = typeof createFetch;

/** The body of a request or a response, all of which is sent. */
function bodyOf(key: number, size: number): { delivery: Delivery; bytes: Uint8Array<ArrayBuffer> } {
  const delivery = new Delivery(key);
  const bytes = delivery.next(size);
  delivery.complete = true;
  return { delivery, bytes };
}

/** Answers a request on a connection. */
async function answer(
  flow: StreamSocket,
  { random, clock }: SimHost,
  { key, responseSize, framing, cutAt }: Question,
  response: ServerResponse,
): Promise<void> {
  const { bytes } = bodyOf(2 * key + 1, responseSize);
  if (framing === "length") response.setHeader("content-length", responseSize);
  for (let sent = 0; sent < bytes.length;) {
    const size = Math.min(1 + below(random, 3000), (cutAt ?? Infinity) - sent);
    response.write(bytes.subarray(sent, sent += size));
    if (random() < 0.5) await clock.sleep(random() * 20);
    if (sent === cutAt) return await flow.shutdown("send");
  }
  response.end();
}

/** A client of a `node:http` server, some of whose answers break off. */
function ask(makeFetch: MakeFetch) {
  return async (sim: Sim, outcomes: Outcomes): Promise<void> => {
    const questions: Question[] = [];
    const received: number[] = [];
    let violation: unknown;
    sim.invariant("the server receives what was sent", () => {
      if (violation !== undefined) throw violation;
    });

    const take = (flow: StreamSocket, host: SimHost, request: IncomingMessage, response: ServerResponse): void => {
      const question = questions[Number(request.url?.slice(1))] as Question;
      const { delivery } = bodyOf(2 * question.key, question.requestSize);
      const guarded = (fn: () => void) => {
        try {
          fn();
        } catch (error) {
          violation ??= error;
        }
      };
      request.on("data", (bytes) => guarded(() => delivery.take(bytes)));
      request.on("end", () => {
        guarded(() => delivery.end());
        received[question.key] = (received[question.key] ?? 0) + 1;
        if (question.method === "POST" && received[question.key] > 1) violation ??= new Violation("a POST came twice");
        answer(flow, host, question, response).catch(() => {}); // the connection has ended
      });
    };
    const host = sim.host("server", {
      main: server((flow, host) => {
        const http = createServer((request, response) => take(flow, host, request, response));
        return httpHandler(http)(flow);
      }, isExpected),
    });

    const askOnce = async (fetch: FetchFunction, { random }: SimHost, isLast: boolean): Promise<void> => {
      const key = questions.length;
      const responseSize = below(random, 4000);
      const method = (["GET", "PUT", "POST"] as const)[below(random, 3)];
      const question: Question = {
        key,
        method,
        requestSize: method === "GET" ? 0 : below(random, 4000),
        responseSize,
        framing: random() < 0.5 ? "length" : "chunked",
        cutAt: isLast || random() < 0.8 || responseSize < 2 ? undefined : 1 + below(random, responseSize - 1),
      };
      questions.push(question);
      const body = method === "GET" ? undefined : bodyOf(2 * key, question.requestSize).bytes;
      const response = await fetch(`http://server/${key}`, { method, body });
      if (response.status !== 200) throw new Violation(`the status is ${response.status}`);
      const { delivery } = bodyOf(2 * key + 1, responseSize);
      for await (const bytes of response.body ?? []) delivery.take(bytes);
      delivery.end();
      if (question.cutAt !== undefined) throw new Violation("a body that was cut was taken for the whole");
    };
    const exchange = (client: SimHost) =>
      withTimeout(client.clock, 30_000, () =>
        Switch.run(async (sw) => {
          const isLast = sim.clock.now() > 10_000;
          // On Deno the server ends connections that are kept, and a POST on one of them can fail.
          const fetch = makeFetch(sw, client.net, { idleTimeout: isLast ? 0 : 500 });
          const once = () => askOnce(fetch, client, isLast);
          await both(once, once);
          if (client.random() < 0.5) await once(); // on a connection that was kept, if there is one
        }));
    await exchangeUntilCalm(sim, outcomes, { client: "client", hosts: [host] }, exchange, isExpected);
  };
}

/** The errors of a broken connection. Any other `TypeError` would be a fault of the library. */
function isExpected(error: unknown): boolean {
  return isDisturbance(error) || error instanceof TypeError && error.cause instanceof NetError;
}

testSeeds("createFetch() returns the whole body or fails, and never sends a POST twice", ask(createFetch));

testFault("a fetch that takes a cut body for the whole is found", ask(credulous), "the end came after");

/** A fetch whose bodies end when they break. */
function credulous(...terms: Parameters<MakeFetch>): FetchFunction {
  const fetch = createFetch(...terms);
  return async (...call) => {
    const response = await fetch(...call);
    const reader = response.body?.getReader();
    const pull = async (controller: ReadableStreamDefaultController) => {
      const { value, done } = await reader?.read().catch(() => undefined) ?? { done: true };
      if (done) controller.close();
      else controller.enqueue(value);
    };
    return new Response(new ReadableStream({ pull }), response);
  };
}
