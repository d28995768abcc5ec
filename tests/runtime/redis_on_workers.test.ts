// Copyright 2026 the Sluice authors. MIT license.

/**
 * The client `redis-on-workers`, written for `cloudflare:sockets`, over our networks, against a Redis. When a connection fails, it
 * rethrows the error where nothing can handle it, so that is not tested with it.
 */
import { assert, assertEquals } from "@std/assert";
import { createRedis } from "redis-on-workers";
import type { Net, Switch, TcpAddress } from "../../mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { toConnect, type ToConnectOptions } from "../../net/wintertc/mod.ts";
import { until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { withNet } from "../net/_helpers.ts";
import { authority, fixture } from "../net/tls/_helpers.ts";
import { daemonPeers, startDaemon } from "./_daemon.ts";
import { redis } from "./_redis.ts";

const peers = daemonPeers("redis-server");

type Redis = ReturnType<typeof createRedis>;

/** Returns a client of the server at `address`. */
function clientOf(sw: Switch, net: Net, address: TcpAddress, host = "127.0.0.1", options?: ToConnectOptions): Redis {
  // The client's types are Cloudflare's, whose streams are classes of their own.
  const connectFn = toConnect(net, sw, options) as never;
  return createRedis({ hostname: host, port: address.port, connectFn, tls: options !== undefined });
}

test(
  "toConnect() carries commands of redis-on-workers, and closes when the client does",
  () =>
    withNet(async (sw, net) => {
      const client = clientOf(sw, net, (await redis()).address);
      assertEquals(await client.send("SET", "greeting", "grüße"), "OK");
      assertEquals(await client.send("GET", "greeting"), "grüße");
      assertEquals(await client.send("GET", "nothing"), null);
      await client.close();
      await until(() => openCounts().sockets === 0);
      assertEquals(await client.sendOnce("PING"), "PONG"); // by a new socket
      await until(() => openCounts().sockets === 0);
    }),
  { peers },
);

test(
  "toConnect() carries a large value of redis-on-workers both ways, byte for byte",
  () =>
    withNet(async (sw, net) => {
      const client = clientOf(sw, net, (await redis()).address);
      const value = new Uint8Array(1 << 20).map((_, i) => (i * 2654435761) >>> 13);
      await client.send("SET", "large", value);
      const back = await client.sendRaw("GET", "large") as Uint8Array;
      assertEquals(back.length, value.length);
      assert(value.every((byte, i) => byte === back[i]));
      await client.close();
    }),
  { peers },
);

test("toConnect() carries redis-on-workers with TLS, which verifies the server", async () => {
  const files = { cert: fixture("localhost.crt"), key: fixture("localhost.key") };
  await using server = await startDaemon({
    script: `
      umask 077
      exec 4<"${files.key}" || exit
      exec redis-server --bind 127.0.0.1 --port 0 --tls-port $port --dir "$folder" --save "" --appendonly no \\
        --tls-auth-clients no --tls-cert-file "${files.cert}" --tls-key-file "${files.key}"
    `,
    ready: /Ready to accept connections/,
    signal: "TERM",
    user: "redis",
  });
  await withNet(async (sw, net) => {
    const client = clientOf(sw, net, server.address, "localhost", { tls: { authorities: authority } });
    assertEquals(await client.send("PING"), "PONG");
    await client.close();
  });
}, { peers });
