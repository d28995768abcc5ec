// Copyright 2026 the Sluice authors. MIT license.

/** The server of `node:http` over our sockets, against curl and others; its client over them is tested in tests/flow/node. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type RequestOptions } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { copyString, readAll, Switch, tcp } from "../../mod.ts";
import { toDuplex } from "../../flow/node/mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { textOf } from "../_helpers.ts";
import { test } from "../_test.ts";
import { withNet } from "../net/_helpers.ts";
import { echoRequest, withHttp } from "./_http.ts";
import { Peer } from "./_peers.ts";

const curl = ["-sS", "--fail", "--max-time", "20"];
const big = Buffer.from(new Uint8Array(4 << 20).map((_, i) => (i * 2654435761) >>> 13));

test(
  "toDuplex() lets node:http serve curl, several requests on one connection",
  () =>
    withHttp(echoRequest, async (served) => {
      const urls = [1, 2, 3].map((i) => `${served.origin}/${i}`);
      await using peer = new Peer("curl", [...curl, "-d", "hello ", "-w", "%header{x-request};", ...urls]);
      assertEquals((await peer.ended).code, 0);
      assertEquals(peer.output, "hello POST /1;hello POST /2;hello POST /3;");
      assertEquals([served.connections, served.errors], [1, []]);
    }),
  { peers: ["curl"] },
);

test(
  "toDuplex() lets node:http take and give 4 MiB from and to curl, which asks before it sends",
  () =>
    withHttp(echoRequest, async (served) => {
      await using peer = new Peer("curl", [
        ...curl,
        "-H",
        "Expect: 100-continue",
        "--data-binary",
        "@-",
        served.origin,
      ]);
      const body = big.toString("base64");
      peer.say(body);
      peer.endInput();
      assertEquals((await peer.ended).code, 0);
      assert(peer.output === body);
      assertEquals(served.errors, []);
    }),
  { peers: ["curl"] },
);

test("toDuplex() lets node:http serve many of curl at once", () =>
  withHttp(echoRequest, async (served) => {
    const url = `${served.origin}/[1-40]`;
    await using peer = new Peer("curl", [...curl, "-Z", "--parallel-max", "20", "-w", "%header{x-request}\n", url]);
    assertEquals((await peer.ended).code, 0);
    const expected = Array.from({ length: 40 }, (_, i) => `GET /${i + 1}`);
    assertEquals(peer.output.trimEnd().split("\n").sort(), expected.sort());
    assertEquals(served.errors, []);
  }), { peers: ["curl"] });

test("toDuplex() lets node:http tell a client that sends rubbish so", () =>
  withHttp(echoRequest, async ({ net, sw, address }) => {
    const flow = await net.connect(sw, address);
    await copyString("RUBBISH\r\n\r\n", flow);
    assertEquals(textOf(await readAll(flow)).split("\r\n")[0], "HTTP/1.1 400 Bad Request");
    await flow.close();
  }));

test("toDuplex() carries node:http to a server on sockets of its own, byte for byte", async () => {
  const server = createServer(echoRequest).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await withNet(async (sw, net) => {
    const createConnection = () =>
      toDuplex(() => net.connect(sw, tcp("127.0.0.1", port)), { sw, allowHalfOpen: false });
    const response = await ask({ method: "POST", createConnection }, big);
    assertEquals(response.headers["x-request"], "POST /");
    assert(big.equals(await buffer(response)));
  });
  server.close();
});

test("toDuplex() ends a connection that an agent of node:http keeps with its switch", () =>
  withHttp(echoRequest, async ({ net, address }) => {
    const agent = new Agent({ keepAlive: true });
    await Switch.run(async (sw) => {
      const open = () => toDuplex(() => net.connect(sw, address), { sw, allowHalfOpen: false });
      agent.createConnection = open as never;
      await buffer(await ask({ method: "POST", agent }, "hello"));
    });
    assertEquals(openCounts().sockets <= 1, true);
    await assertRejects(() => ask({ method: "POST", agent }, "late"), Error);
    agent.destroy();
  }));

/** Asks, and gives the answer. */
function ask(options: RequestOptions, body: string | Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => request(options, resolve).on("error", reject).end(body));
}
