// Copyright 2026 the Sluice authors. MIT license.

/** A server of `node:http` over our sockets ends its idle keep-alive connections when it is told to stop. */
import { assertEquals } from "@std/assert";
import { Agent, createServer, get, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { runServer, tcp, type TcpAddress } from "../../mod.ts";
import { httpHandler } from "../../flow/node/mod.ts";
import { signal, withNet } from "../net/_helpers.ts";
import { test } from "../_test.ts";

async function ask(agent: Agent, { port }: TcpAddress): Promise<string> {
  const [response] = await once(get({ agent, port, host: "127.0.0.1" }), "response") as [IncomingMessage];
  let text = "";
  for await (const part of response.setEncoding("utf8")) text += part;
  return text;
}

test("httpHandler() ends idle keep-alive connections when the server stops, long before its grace", () =>
  withNet(async (sw, net) => {
    const server = createServer((_, response) => response.end("hello"));
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    const stop = new AbortController();
    const errors: unknown[] = [];
    const options = { onError: (error: unknown) => errors.push(error), stop: stop.signal, grace: 60_000 };
    const served = sw.forkPromise(() => runServer(listener, httpHandler(server), options));
    const agent = new Agent({ keepAlive: true });
    try {
      assertEquals(await Promise.all([1, 2, 3].map(() => ask(agent, listener.address))), ["hello", "hello", "hello"]);
      const before = performance.now();
      stop.abort();
      await served;
      assertEquals([errors, performance.now() - before < 30_000], [[], true]);
    } finally {
      agent.destroy();
    }
  }));

test("httpHandler() sends the response that is due when the server stops, and then ends the connection", () =>
  withNet(async (sw, net) => {
    const answer = signal();
    const asked = signal();
    const server = createServer(async (_, response) => {
      asked.resolve();
      await answer.promise;
      response.end("hello");
    });
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    const stop = new AbortController();
    const options = { onError: (error: unknown) => sw.fail(error), stop: stop.signal, grace: 60_000 };
    const served = sw.forkPromise(() => runServer(listener, httpHandler(server), options));
    const agent = new Agent({ keepAlive: true });
    try {
      const asking = ask(agent, listener.address);
      await asked.promise;
      stop.abort();
      answer.resolve();
      assertEquals(await asking, "hello");
      await served;
    } finally {
      agent.destroy();
    }
  }));
