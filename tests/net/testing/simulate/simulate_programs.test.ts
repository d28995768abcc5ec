// Copyright 2026 the Sluice authors. MIT license.

/** Foreign programs over simulated sockets. */
import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createServer, request } from "node:http";
import { both, bytesSource, copy, hostAddress, mapFibers, Switch, tcp } from "../../../../mod.ts";
import { toDuplex } from "../../../../flow/node/mod.ts";
import { tlsClient, tlsServer } from "../../../../net/tls/mod.ts";
import { simulate } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";
import { authority, certificate } from "../../tls/_helpers.ts";
import { serve } from "./_programs.ts";

const link = { latency: 20, jitter: 10, loss: 0.05, reorder: 0.1, mtu: 500 };

test("simulate() runs node:tls over its connections, through loss", () =>
  simulate({ seed: 4, link }, async (sim) => {
    const server = sim.host("server", {
      main: ({ net }) =>
        serve(net, (flow) =>
          Switch.run(async (sw) => {
            const tls = await tlsServer(sw, flow, { certificate: certificate("localhost") });
            await copy(tls, tls);
            await tls.close();
          }), 443),
    });
    const client = sim.host("client");
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7 ^ i >> 8);
    await client.fork(() =>
      mapFibers([1, 2, 3], () =>
        Switch.run(async (sw) => {
          const flow = await client.net.connect(sw, hostAddress(server.name, 443));
          const tls = await tlsClient(sw, flow, { serverName: "localhost", authorities: authority });
          const back = new Uint8Array(bytes.length);
          await both(
            () => copy(bytesSource(bytes), tls),
            async () => {
              for (let size = 0; size < back.length;) size += await tls.read(back.subarray(size)) ?? NaN;
            },
          );
          assertEquals(back, bytes);
          await tls.close();
        }))
    );
    assert(sim.clock.now() > 100);
  }));

test("simulate() runs node:http over its connections, through loss", () =>
  simulate({ seed: 4, link }, async (sim) => {
    const http = createServer((incoming, response) => {
      response.setHeader("x-peer", `${incoming.socket.remoteAddress}`);
      incoming.pipe(response);
    });
    const server = sim.host("server", {
      main: ({ net }) =>
        serve(net, async (flow) => {
          const stream = toDuplex(flow);
          http.emit("connection", stream);
          await new Promise((resolve) => stream.once("close", resolve));
        }),
    });
    const client = sim.host("client");
    const body = "0123456789".repeat(5000);
    await Switch.run((sw) =>
      mapFibers([1, 2, 3], async () => {
        const connect = () => client.net.connect(sw, tcp(server.ip, 80));
        const createConnection = () => toDuplex(connect, { sw, allowHalfOpen: false }) as never;
        const answer = await new Promise<string>((resolve, reject) => {
          const options = { method: "POST", path: "/", createConnection, headers: { connection: "close" } };
          request(options, (response) => {
            assertEquals(response.headers["x-peer"], "10.0.0.2");
            const parts: Uint8Array[] = [];
            response.on("data", (part) => parts.push(part)).on("end", () => resolve(Buffer.concat(parts).toString()));
          }).on("error", reject).end(body);
        });
        assert(answer === body);
      })
    );
  }));
