// Copyright 2026 the Sluice authors. MIT license.

/** Complete programs over an in-memory network, as users write them. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { Buffer } from "node:buffer";
import { createServer, request } from "node:http";
import {
  awaitCancel,
  both,
  Cancelled,
  copyString,
  hostAddress,
  mapFibers,
  type Net,
  NetError,
  proxy,
  readAll,
  runServer,
  type StreamSocket,
  Switch,
  tcp,
  udp,
  withTimeout,
} from "../../../../mod.ts";
import { toDuplex } from "../../../../flow/node/mod.ts";
import { memoryNet, mockClock, openCounts } from "../../../../net/testing/mod.ts";
import { tlsClient, tlsServer } from "../../../../net/tls/mod.ts";
import { bytesOf, textOf, turn } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { echo } from "../../_helpers.ts";
import { authority, certificate } from "../../tls/_helpers.ts";

const hosts = { "db.example": ["10.0.0.5"] };
const at = tcp("10.0.0.5", 5432);

/** Sends a question to a name, and returns the answer. */
function ask(net: Net, question: string): Promise<string> {
  return Switch.run(async (sw) => {
    const flow = await net.connect(sw, hostAddress("db.example", 5432));
    const [answer] = await both(() => readAll(flow), async () => {
      await copyString(question, flow);
      await flow.shutdown("send");
    });
    return textOf(answer);
  });
}

/** Runs `fn` alongside a server of `handler`, and returns the server's errors. */
async function serving(
  net: Net,
  handler: (flow: StreamSocket) => unknown,
  fn: (sw: Switch) => Promise<void>,
  options: { maxConnections?: number; grace?: number } = {},
): Promise<unknown[]> {
  const errors: unknown[] = [];
  const stop = new AbortController();
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, at);
    const onError = (error: unknown) => errors.push(error);
    sw.fork(() => runServer(listener, handler, { onError, stop: stop.signal, ...options }));
    await fn(sw);
    stop.abort();
  });
  return errors;
}

test("memoryNet(): runServer() serves clients that connect by name", async () => {
  const net = memoryNet({ hosts });
  const errors = await serving(net, echo, async () => {
    const questions = Array.from({ length: 200 }, (_, i) => `question ${i} `.repeat(i * 20));
    const answers = await mapFibers(questions, (question) => ask(net, question), { maxFibers: 50 });
    assertEquals(answers, questions);
  }, { maxConnections: 7 });
  assertEquals(errors, []);
  assertEquals([openCounts().sockets, openCounts().listeners], [0, 0]);
});

test("memoryNet(): runServer() reports a client that resets its connection, and continues", async () => {
  const net = memoryNet({ hosts });
  const errors = await serving(net, echo, async (sw) => {
    const flow = await net.connect(sw, at);
    await turn(); // until it is served
    flow.abort();
    assertEquals(await ask(net, "hello"), "hello");
  });
  assertEquals(errors.length, 1);
  assertInstanceOf(errors[0], NetError);
  assertEquals(errors[0].code, "connection_reset");
});

test("memoryNet(): the grace period of runServer() is that of a mock clock", async () => {
  const clock = mockClock();
  const net = memoryNet({ clock, hosts });
  const reasons: unknown[] = [];
  const handler = () => awaitCancel().catch((reason) => reasons.push(reason));
  await serving(net, handler, async (sw) => {
    await net.connect(sw, at);
    await turn();
    sw.forkDaemon(async () => {
      await turn(); // when it has stopped
      clock.advance();
    });
  }, { grace: 30_000 });
  assertEquals(clock.now(), 30_000);
  assertInstanceOf(reasons[0], Cancelled);
});

test("memoryNet(): an idle timeout of a handler fires when the mock clock advances", async () => {
  const clock = mockClock();
  const net = memoryNet({ clock, hosts });
  const idle = async (flow: StreamSocket) => {
    await withTimeout(clock, 60_000, () => flow.read(new Uint8Array(1))).catch(() => copyString("timeout", flow));
  };
  await serving(net, idle, async (sw) => {
    const flow = await net.connect(sw, at);
    await turn();
    clock.advance();
    assertEquals(textOf(await readAll(flow)), "timeout");
    assertEquals(clock.now(), 60_000);
    await flow.close();
  });
});

test("memoryNet(): a proxy between two networks passes on bytes, ends and resets", () =>
  Switch.run(async (sw) => {
    const [inside, outside] = [memoryNet({ hosts }), memoryNet({ hosts })];
    const errors = await serving(inside, echo, async () => {
      const listener = await outside.listen(sw, at);
      sw.forkDaemon(async () => {
        for (;;) {
          const flow = await listener.accept(sw);
          await proxy(flow, await inside.connect(sw, at));
          await flow.close();
        }
      });
      const big = "0123456789".repeat(50_000);
      assertEquals((await ask(outside, big)).length, big.length);
      await Switch.run((inner) => outside.connect(inner, at));
    });
    assertEquals(errors, []);
  }));

test("memoryNet(): TLS runs over its connections", async () => {
  const net = memoryNet({ hosts });
  const serve = (flow: StreamSocket) =>
    Switch.run(async (sw) => {
      const tls = await tlsServer(sw, flow, { certificate: certificate("localhost") });
      await copyString("secret", tls);
    });
  const errors = await serving(net, serve, () =>
    Switch.run(async (sw) => {
      const options = { serverName: "localhost", authorities: authority };
      const tls = await tlsClient(sw, await net.connect(sw, hostAddress("db.example", 5432)), options);
      assertEquals(textOf(await readAll(tls)), "secret");
    }));
  assertEquals(errors, []);
});

test("memoryNet(): node:http runs over its connections, client and server", async () => {
  const net = memoryNet({ hosts });
  const server = createServer((request, response) => {
    response.setHeader("x-peer", `${request.socket.remoteAddress}`);
    request.pipe(response);
  });
  const serve = async (flow: StreamSocket) => {
    const stream = toDuplex(flow);
    server.emit("connection", stream);
    await new Promise((resolve) => stream.once("close", resolve));
  };
  const body = "0123456789".repeat(20_000);
  const errors = await serving(net, serve, (sw) =>
    mapFibers([1, 2, 3], async () => {
      const connect = () => net.connect(sw, hostAddress("db.example", 5432));
      const createConnection = () => toDuplex(connect, { sw, allowHalfOpen: false }) as never;
      const answer = await new Promise<string>((resolve, reject) => {
        const options = { method: "POST", path: "/", createConnection, headers: { connection: "close" } };
        request(options, (response) => {
          assertEquals(response.headers["x-peer"], "10.0.0.5");
          const parts: Uint8Array[] = [];
          response.on("data", (part) => parts.push(part)).on("end", () => resolve(Buffer.concat(parts).toString()));
        }).on("error", reject).end(body);
      });
      assert(answer === body);
    }).then(() => {}));
  assertEquals(errors, []);
});

test("memoryNet(): a program for datagrams finds its server by name", () =>
  Switch.run(async (sw) => {
    const net = memoryNet({ hosts });
    const server = await net.datagramSocket(sw, udp("10.0.0.5", 53));
    sw.forkDaemon(async () => {
      for (;;) for (const { data, from } of await server.recvMany()) await server.send(data, from);
    });
    const [remote] = await net.getAddrInfo("db.example", { type: "datagram", service: "53" });
    assert(remote.transport === "udp");
    const client = await net.datagramSocket(sw, "udp4", { remote });
    await client.send(bytesOf("hello"));
    assertEquals((await client.recvMany()).map(({ data }) => textOf(data)), ["hello"]);
  }));
