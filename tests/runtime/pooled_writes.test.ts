// Copyright 2026 the Sluice authors. MIT license.

/** Memory of large writes is used again: never while the system may be reading it. */
import { assertEquals } from "@std/assert";
import { forEachFiber, readAll, type StreamSocket, Switch, writeAll } from "../../mod.ts";
import { pattern } from "../../net/testing/_random.ts";
import { test } from "../_test.ts";
import { anyPort, withNet } from "../net/_helpers.ts";

const size = 3_000_000;

test("write() of many sockets at once mixes up no bytes, even if some sockets are reset meanwhile", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await forEachFiber(Array.from({ length: 24 }, (_, i) => i), async (i) => {
      await Switch.run(async (own) => {
        const client = await net.connect(own, listener.address);
        const server: StreamSocket = await listener.accept(own);
        const aborted = i % 3 === 0;
        own.fork(async () => {
          // Whose bytes these are shows in each of them.
          const bytes = pattern(i, size).map((byte) => (byte & 0xe0) | i);
          await writeAll(client, bytes).catch(() => {});
          await client.close();
        });
        if (aborted) {
          await server.read(new Uint8Array(100_000));
          server.abort();
          return;
        }
        const got = await readAll(server);
        const who = got[0] & 0x1f; // perhaps not our own client, but only one
        assertEquals([got.length, got.findIndex((byte) => (byte & 0x1f) !== who)], [size, -1]);
      });
    });
  });
});
