// Copyright 2026 the Sluice authors. MIT license.

/**
 * An HTTP client that prints a page with its headers. HOST is an IP address: there is no DNS
 * lookup.
 *
 *     deno run --allow-net examples/http_get.ts [HOST] [PORT]
 *     bun examples/http_get.ts [HOST] [PORT]
 *     node examples/http_get.ts [HOST] [PORT]
 */
import process from "node:process";
import { copy, copyString, type Net, run, type Sink, type StreamAddress, Switch, tcp } from "@sluice/io";

async function httpGet(net: Net, stdout: Sink, address: StreamAddress) {
  await Switch.run(async (sw) => {
    const flow = await net.connect(sw, address);
    await copyString("GET / HTTP/1.0\r\n\r\n", flow);
    await flow.shutdown("send");
    await copy(flow, stdout);
  }); // closes the socket, on success and on failure
}

const [host = "127.0.0.1", port = "8080"] = process.argv.slice(2);
await run((env) => httpGet(env.net, env.stdout, tcp(host, Number(port))));
