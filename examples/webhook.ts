// Copyright 2026 the Sluice authors. MIT license.

/**
 * A webhook sender whose customers choose the URLs. It posts to each one twice, with a `fetch` over
 * the whole network and with one over `publicOnly`, and prints what came of it.
 *
 *     deno run --allow-net --allow-sys=networkInterfaces examples/webhook.ts
 *     bun examples/webhook.ts
 *     node examples/webhook.ts
 *
 * Nothing leaves this machine. An internal service listens on loopback, and the URLs of the first
 * table lead to it. The second table needs public hosts and a DNS of an attacker, so it is about a
 * network in memory. The exit code is 1 if a confined request reached an internal service.
 */
import process from "node:process";
import {
  BufReader,
  copyString,
  type Env,
  type Net,
  NetError,
  run,
  runServer,
  Switch,
  tcp,
  type TwoWay,
} from "@sluice/io";
import { publicOnly } from "@sluice/io/net/confine";
import { createFetch, type FetchFunction } from "@sluice/io/net/http";
import { memoryNet } from "@sluice/io/net/testing";

/** Spellings of this machine in URLs, which the URL parser turns into few addresses. */
const loopbackUrls = (port: number): readonly string[] =>
  [
    ...["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127。0。0。1"],
    ...["0.0.0.0", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
  ].map((host) => `http://${host}:${port}/admin`);

/** The public host of a customer: the only one that a webhook may reach. */
const friendly = "93.184.215.14";

/** The names of the network in memory, as an attacker's DNS answers, and its internal addresses. */
const hosts = {
  "hooks.customer.example": [friendly],
  "metadata.attacker.example": ["169.254.169.254"],
  "loopback.attacker.example": ["127.0.0.1", "::1"],
  "mapped.attacker.example": ["::ffff:10.0.0.5"],
  "half.attacker.example": ["10.0.0.5", friendly],
  "metadata.google.internal": ["169.254.169.254"],
  "intranet": ["10.0.0.5"],
  "others.example": ["fd00:ec2::254", "64:ff9b::a9fe:a9fe", "168.63.129.16", "100.100.100.200"],
};
const internal = ["127.0.0.1", "::1", "169.254.169.254", "10.0.0.5", ...hosts["others.example"]];

/** Hostile URLs of the network in memory. */
const hostileUrls: readonly string[] = [
  ...["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0xa9fea9fe", "[::ffff:a9fe:a9fe]", "10.0.0.5"],
  ...["168.63.129.16", "100.100.100.200", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "metadata.google.internal"],
  ...["intranet", "metadata.attacker.example", "loopback.attacker.example", "mapped.attacker.example"],
  ...["hooks.customer.example/to/169.254.169.254", "hooks.customer.example/to/metadata.attacker.example"],
].map((rest) => `http://${rest}/`);

/** URLs that lead to the friendly host. The second name also has an internal address. */
const friendlyUrls = ["http://hooks.customer.example/", "http://half.attacker.example/"];

/** Answers one request: with `text`, or for `/to/HOST` with a redirect to it. */
async function answer(flow: TwoWay, text: string): Promise<void> {
  const reader = new BufReader(flow, { maxSize: 16_384 });
  const [, target] = (await reader.line())?.split(" ") ?? [];
  while (await reader.line()) { /* the headers */ }
  const to = target?.match(/^\/to\/(.+)\/$/)?.[1];
  const head = to === undefined ? "200 OK" : `307 Temporary Redirect\r\nlocation: http://${to}/`;
  await copyString(`HTTP/1.1 ${head}\r\nconnection: close\r\ncontent-length: ${text.length}\r\n\r\n${text}`, flow);
}

/** Starts a server that ends with `sw`. Returns its port. */
async function serve(sw: Switch, net: Net, ip: string, port: number, text: string): Promise<number> {
  const listener = await net.listen(sw, tcp(ip, port));
  sw.forkDaemon(() => runServer(listener, (flow) => answer(flow, text), { onError: console.error }));
  return listener.address.port;
}

/** Posts an event. Returns what the host answers, or the code of the error that stopped it. */
async function post(fetch: FetchFunction, url: string): Promise<string> {
  try {
    const response = await fetch(url, { method: "POST", body: JSON.stringify({ event: "paid" }) });
    return await response.text();
  } catch (error) {
    const cause = error instanceof TypeError ? error.cause : undefined;
    if (cause instanceof NetError) return cause.code;
    throw error;
  }
}

/** Posts to each URL over the whole network and over `publicOnly`. Returns a table. */
async function compare(sw: Switch, net: Net, urls: readonly string[]): Promise<string[][]> {
  const [anywhere, confined] = [createFetch(sw, net), createFetch(sw, publicOnly(net))];
  const rows: string[][] = [];
  for (const url of urls) rows.push([url, await post(anywhere, url), await post(confined, url)]);
  return rows;
}

async function main({ net, stdout }: Env): Promise<void> {
  await Switch.run(async (sw) => {
    const port = await serve(sw, net, "127.0.0.1", 0, "SECRET");
    const real = await compare(sw, net, loopbackUrls(port));

    const memory = memoryNet({ hosts });
    for (const ip of internal) await serve(sw, memory, ip, 80, "SECRET");
    await serve(sw, memory, friendly, 80, "delivered");
    const simulated = await compare(sw, memory, [...hostileUrls, ...friendlyUrls]);

    const line = ([url, anywhere, confined]: string[]) => `${url.padEnd(60)} ${anywhere.padEnd(20)} ${confined}\n`;
    for (const [title, rows] of [["this machine", real], ["a network in memory", simulated]] as const) {
      await copyString(line([`POST, over ${title}`, "the whole network", "publicOnly"]), stdout);
      for (const row of rows) await copyString(line(row), stdout);
      await copyString("\n", stdout);
    }
    const leaks = (column: number) => [...real, ...simulated].filter((row) => row[column] === "SECRET").length;
    await copyString(`an internal service was reached ${leaks(1)} times, and ${leaks(2)} over publicOnly\n`, stdout);
    if (leaks(2) > 0) process.exitCode = 1;
  });
}

await run(main);
