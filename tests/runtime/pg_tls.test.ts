// Copyright 2026 the Sluice authors. MIT license.

/** The client `pg` with SSL, by its own `node:tls`, over our sockets. */
import { assertEquals, assertRejects } from "@std/assert";
import pg from "pg";
import type { Net, Switch } from "../../mod.ts";
import { toDuplex } from "../../flow/node/mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { withNet } from "../net/_helpers.ts";
import { authority, certificate } from "../net/tls/_helpers.ts";
import { login, type Postgres, postgres, postgresPeers } from "./_postgres.ts";

let prepared: Promise<Postgres> | undefined;

/** A PostgreSQL that speaks TLS, and nothing else with clients over TCP. */
function withTls(sw: Switch, net: Net): Promise<Postgres> {
  return prepared ??= prepare(sw, net);
}

async function prepare(sw: Switch, net: Net): Promise<Postgres> {
  const server = await postgres();
  const { chain, key } = certificate("localhost");
  const client = new pg.Client({ ...login, stream: () => toDuplex(() => net.connect(sw, server.path), { sw }) });
  await client.connect();
  const write = (name: string, text: unknown) =>
    client.query(
      `copy (values ($text$${text}$text$)) to program 'umask 077; printf "%b" "$(cat)" > "${server.folder}/${name}"'`,
    );
  await write("server.crt", chain);
  await write("server.key", key);
  for (const name of ["crt", "key"]) {
    const parameter = name === "crt" ? "ssl_cert_file" : "ssl_key_file";
    await client.query(`alter system set ${parameter} = '${server.folder}/server.${name}'`);
  }
  await client.query("alter system set ssl = on");
  await client.query("select pg_reload_conf()");
  for (;;) {
    const { rows } = await client.query("show ssl");
    if (rows[0].ssl === "on") break;
  }
  await client.end();
  return server;
}

function clientFor(server: Postgres, sw: Switch, net: Net, ssl: { ca?: string }, host = "localhost"): pg.Client {
  const stream = () => toDuplex(() => net.connect(sw, server.address), { sw, allowHalfOpen: false });
  return new pg.Client({ ...login, host, ssl, stream });
}

test("toDuplex() carries pg with SSL, which verifies the server", () =>
  withNet(async (sw, net) => {
    const client = clientFor(await withTls(sw, net), sw, net, { ca: authority });
    await client.connect();
    const { rows } = await client.query("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()");
    assertEquals(rows, [{ ssl: true, version: "TLSv1.3" }]);
    const big = "x".repeat(1 << 20);
    assertEquals((await client.query("select $1::text as text", [big])).rows, [{ text: big }]);
    await client.end();
    await until(() => openCounts().sockets === 0);
  }), { peers: postgresPeers });

test("toDuplex() closes when pg with SSL does not trust the server", () =>
  withNet(async (sw, net) => {
    const client = clientFor(await withTls(sw, net), sw, net, {});
    await assertRejects(() => client.connect(), Error);
    await until(() => openCounts().sockets === 0);
  }), { peers: postgresPeers });
