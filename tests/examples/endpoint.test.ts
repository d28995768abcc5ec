// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertMatch } from "@std/assert";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BufReader, type Connection, copyString, type StreamAddress, type TcpAddress, unix } from "../../mod.ts";
import { custom, type Endpoint, formatEndpoint, tls } from "../../net/endpoint/mod.ts";
import { withFolder } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, withNet } from "../net/_helpers.ts";
import { startServer } from "../net/endpoint/_helpers.ts";
import { fixture } from "../net/tls/_helpers.ts";
import { withTinyproxy } from "../runtime/_proxies.ts";
import { startExample } from "./_program.ts";

/** Answers a line. */
async function answer(connection: Connection): Promise<void> {
  const line = await new BufReader(connection, { maxSize: 100 }).line();
  await copyString(`${line}, client\n`, connection);
}

/** Runs the example with the endpoint that `place` returns for the server's address. */
function runExample(
  served: Endpoint,
  place: (address: StreamAddress, run: (endpoint: Endpoint) => Promise<unknown>) => Promise<unknown>,
): Promise<unknown> {
  return withFolder((folder) =>
    withNet(async (sw, net) => {
      const address = await startServer(sw, net, served, answer);
      return await place(address, async (endpoint) => {
        const config = join(folder, "config.json");
        writeFileSync(
          config,
          JSON.stringify({ server: formatEndpoint(endpoint), authorities: fixture("authority.crt") }),
        );
        await using program = startExample("endpoint", config);
        const { status, errors } = await program.end;
        return { status, errors, output: program.output };
      });
    })
  );
}

const greeted = { status: 0, errors: "", output: "hello, client\n" };

test("endpoint asks a server at an address", async () => {
  assertEquals(await runExample(anyPort, (address, run) => run(address)), greeted);
});

test("endpoint asks a server behind TLS on a Unix socket", () =>
  withFolder(async (folder) => {
    const place = unix(join(folder, "db.sock"));
    assertEquals(await runExample(tls("x", place), (_, run) => run(tls("localhost", place))), greeted);
  }));

/** The endpoint of `address` beyond `proxy`. */
const beyond = (proxy: TcpAddress, address: StreamAddress) =>
  custom("http-proxy", { proxy: formatEndpoint(proxy), target: formatEndpoint(address) });

test("endpoint asks a server behind TLS beyond tinyproxy", async () => {
  const outcome = await runExample(
    tls("x", anyPort),
    (address, run) =>
      withTinyproxy((address as TcpAddress).port, (proxy) => run(tls("localhost", beyond(proxy, address)))),
  );
  assertEquals(outcome, greeted);
}, { peers: ["tinyproxy"] });

test("endpoint says that tinyproxy refuses a target", async () => {
  const outcome = await runExample(
    anyPort,
    (address, run) => withTinyproxy(1, (proxy) => run(beyond(proxy, address))),
  ) as { errors: string; output: string };
  assertEquals(outcome.output, "");
  assertMatch(outcome.errors, /Cannot connect to 127\.0\.0\.1:\d+: the proxy says 403/);
}, { peers: ["tinyproxy"] });
