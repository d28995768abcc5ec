// Copyright 2026 the Sluice authors. MIT license.

/**
 * The packed library on Node 20, the oldest that it supports: plain JavaScript, installed as a user has it. Prints a
 * line for each check; `run.ts` counts them.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { Cancelled, copy, first, readAll, run, runServer, Switch, tcp, writeAll, yieldNow } from "@sluice/io";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const checks = {
  async "every entry point loads"() {
    const manifest = JSON.parse(readFileSync("node_modules/@sluice/io/package.json", "utf8"));
    for (const entry of Object.keys(manifest.exports)) {
      const exported = Object.keys(await import(entry.replace(".", manifest.name)));
      assert.ok(exported.length > 0, `${entry} exports nothing`);
    }
  },

  async "an echo server answers over loopback"(net) {
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      sw.forkDaemon(() => runServer(listener, (flow) => copy(flow, flow), { onError: fail(sw) }));
      assert.equal(await exchange(net, listener.address, "hello"), "hello");
    });
  },

  async "a cancelled read leaves the bytes to the next one"(net) {
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const client = await net.connect(sw, listener.address);
      const server = await listener.accept(sw);
      let reason;
      const read = () =>
        client.read(new Uint8Array(16)).catch((error) => {
          reason = error;
          throw error;
        });
      assert.equal(
        await first(read, async () => {
          await yieldNow();
          return "cancelled";
        }),
        "cancelled",
      );
      assert.ok(reason instanceof Cancelled);
      await writeAll(server, encoder.encode("after"));
      await server.close();
      assert.equal(decoder.decode(await readAll(client)), "after");
    });
  },

  async "a server stops when told, and gives what it was told"(net) {
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      let tell;
      const stop = new Promise((resolve) => tell = resolve);
      const server = sw.forkPromise(() => runServer(listener, (flow) => copy(flow, flow), { onError: fail(sw), stop }));
      assert.equal(await exchange(net, listener.address, "before"), "before");
      tell("told");
      assert.equal(await server, "told");
    });
  },
};

/** Sends `text`, ends the sending half, and gives what comes back. */
function exchange(net, address, text) {
  return Switch.run(async (sw) => {
    const flow = await net.connect(sw, address);
    await writeAll(flow, encoder.encode(text));
    await flow.shutdown("send");
    return decoder.decode(await readAll(flow));
  });
}

function fail(sw) {
  return (error) => sw.fail(error);
}

for (const [name, check] of Object.entries(checks)) {
  try {
    await run((env) => check(env.net));
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`not ok ${name}`);
    console.error(error);
    process.exitCode = 1;
  }
}
