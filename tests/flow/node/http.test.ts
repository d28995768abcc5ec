// Copyright 2026 the Sluice authors. MIT license.

/** The HTTP client and server of the runtime over flows. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { Agent, createServer, type IncomingMessage, request, type RequestOptions, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { type Net, runServer, type StreamSocket, Switch } from "../../../mod.ts";
import { pipe, type TwoWay } from "../../../flow/mod.ts";
import { fromReadable, toDuplex } from "../../../flow/node/mod.ts";
import { socketPair } from "../../../net/testing/mod.ts";
import { readText } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, withNet } from "../../net/_helpers.ts";

/** A server that echoes its request. */
function echoServer(): Server {
  return createServer((request, response) => {
    response.setHeader("x-path", request.url ?? "");
    request.pipe(response);
  });
}

/** Sends `body`, and returns the path and body of the response. */
async function ask(options: RequestOptions, body: string): Promise<[unknown, string]> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ method: "POST", ...options }, resolve).on("error", reject).end(body);
  });
  return [response.headers["x-path"], await readText(fromReadable(response))];
}

const big = "0123456789".repeat(50_000);

test("toDuplex() carries node:http over a pipe", () =>
  Switch.run(async () => {
    const [a, b] = pipe();
    echoServer().emit("connection", toDuplex(b));
    const createConnection = () => toDuplex(a);
    assertEquals(await ask({ path: "/pipe", createConnection }, big), ["/pipe", big]);
  }));

test("toDuplex() carries node:http over sockets in memory, and the server knows its peer", () =>
  Switch.run(async () => {
    const [a, b] = socketPair();
    const server = createServer((request, response) => response.end(String(request.socket.remotePort)));
    server.emit("connection", toDuplex(b));
    const [, text] = await ask({ createConnection: () => toDuplex(a) }, "");
    assertEquals(text, "50001");
  }));

/** Serves HTTP over a network. Each connection belongs to its handler. */
async function withHttp(
  server: Server,
  fn: (connect: () => Promise<StreamSocket>, sw: Switch, net: Net) => Promise<void>,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const stop = new AbortController();
    const handle = async (flow: StreamSocket) => {
      const duplex = toDuplex(flow);
      server.emit("connection", duplex);
      await new Promise<void>((resolve) => duplex.once("close", resolve));
    };
    sw.fork(() => runServer(listener, handle, { onError: (error) => errors.push(error), stop: stop.signal }));
    await Switch.run((inner) => fn(() => net.connect(inner, listener.address), inner, net));
    stop.abort();
  });
  return errors;
}

test("toDuplex() carries node:http over sockets of the system, with a promise of the connection", async () => {
  const errors = await withHttp(echoServer(), async (connect) => {
    const createConnection = () => toDuplex(connect(), { allowHalfOpen: false });
    assertEquals(await ask({ path: "/one", createConnection }, big), ["/one", big]);
    assertEquals(await ask({ path: "/two", createConnection }, ""), ["/two", ""]);
  });
  assertEquals(errors, []);
});

test("toDuplex() carries several requests of a keep-alive agent over one connection", async () => {
  let connections = 0;
  const server = echoServer();
  // On Deno a server that does not listen ends each connection after one response.
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const errors = await withHttp(server, async (connect, sw) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    // The agent calls this in the scope of the first request, so the connection names its owner.
    agent.createConnection = ((): Duplex => {
      connections++;
      return toDuplex(connect(), { sw, allowHalfOpen: false });
    }) as never;
    for (let i = 0; i < 3; i++) {
      const answer = await Switch.run(() => ask({ path: `/${i}`, agent }, big));
      assertEquals(answer, [`/${i}`, big]);
    }
    agent.destroy();
  });
  server.close();
  assertEquals([connections, errors], [1, []]);
});

test("toDuplex() of a client fails the request when its switch ends, and nothing hangs", async () => {
  const asked = Promise.withResolvers<void>();
  const server = createServer(() => asked.resolve()); // never responds
  let answer: Promise<unknown> | undefined;
  const errors = await withHttp(server, async (connect) => {
    answer = ask({ createConnection: () => toDuplex(connect()) }, "").catch((error) => error);
    await asked.promise;
  });
  assert(await answer instanceof Error);
  assertEquals(errors, []);
});

test("toDuplex() lets node:http set a timeout on a connection", () =>
  Switch.run(async () => {
    const [a, b] = pipe();
    const reading = (b as TwoWay).read(new Uint8Array(100));
    const thrown = await new Promise((resolve) => {
      const asking = request({ createConnection: () => toDuplex(a) });
      asking.setTimeout(20, () => asking.destroy(new Error("Cannot wait")));
      asking.on("error", resolve).end();
    });
    assertInstanceOf(thrown, Error);
    assertEquals((thrown as Error).message, "Cannot wait");
    await reading;
  }));
