// Copyright 2026 the Sluice authors. MIT license.

/**
 * A client whose configuration says where its server is: at an address, behind TLS, on a Unix
 * socket, or beyond an HTTP proxy. The program is the same for all of them. It sends a line, and
 * prints the answer.
 *
 *     deno run --allow-net --allow-read --allow-write examples/endpoint.ts CONFIG
 *     bun examples/endpoint.ts CONFIG
 *     node examples/endpoint.ts CONFIG
 *
 * CONFIG is a JSON file, such as one of these. TLS trusts the certificates in the file "authorities".
 *
 *     { "server": "host:db.example:7000" }
 *     { "server": "tls:db.example/unix:/run/db.sock", "authorities": "ca.pem" }
 *     { "server": "tls:db.example/custom:http-proxy/{\"proxy\":\"host:proxy.example:8888\",\"target\":\"host:db.example:7000\"}" }
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { BufReader, type Connection, copyString, formatAddress, type Net, parseAddress, run } from "@sluice/io";
import type { Switch } from "@sluice/io";
import { createConnector, type CustomEndpoint, parseEndpoint } from "@sluice/io/net/endpoint";

/** Returns a connector for endpoints beyond an HTTP proxy (RFC 9110, section 9.3.6). */
function httpProxy(net: Net): (sw: Switch, endpoint: CustomEndpoint) => Promise<Connection> {
  const connector = createConnector({ net });
  return async (sw, { data }) => {
    const { proxy, target } = Object(data);
    const [, authority] = formatAddress(parseAddress(target)).split(/^\w+:/); // "db.example:7000"
    const connection = await connector.connect(sw, parseEndpoint(proxy));
    await copyString(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`, connection);
    const reader = new BufReader(connection, { maxSize: 16 * 1024 });
    const [, status] = /^HTTP\/1\.[01] ([0-9]{3})\b/.exec(await reader.line() ?? "") ?? [];
    if (!status?.startsWith("2")) throw new Error(`Cannot connect to ${authority}: the proxy says ${status}`);
    while (await reader.line()); // the fields of the answer
    return reader.unread(connection); // the server may have spoken already
  };
}

/** Sends a line, and returns the answer. */
async function ask(connection: Connection, line: string): Promise<string | null> {
  await copyString(`${line}\n`, connection);
  return await new BufReader(connection, { maxSize: 4096 }).line();
}

const { server, authorities } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const endpoint = parseEndpoint(server);

await run(async ({ net, sw }) => {
  const connector = createConnector({
    net,
    timeout: 10_000,
    tls: { authorities: authorities && readFileSync(authorities) },
    connectors: { "http-proxy": httpProxy(net) },
  });
  console.log(await ask(await connector.connect(sw, endpoint), "hello"));
});
