// Copyright 2026 the Sluice authors. MIT license.

/**
 * A client that keeps a connection open and prints the data it receives. If the connection fails or
 * is lost, it reconnects, with exponential back-off. Ctrl-C stops it at once, whether it is
 * connecting, reading or waiting.
 *
 *     deno run --allow-net examples/reconnect.ts HOST PORT
 *     bun examples/reconnect.ts HOST PORT
 *     node examples/reconnect.ts HOST PORT
 */
import process from "node:process";
import { copy, copyString, first, formatAddress, hostAddress, interruptible, NetError, run, Switch } from "@sluice/io";
import type { HostAddress, Net, Sink } from "@sluice/io";

/** The first and the maximum delay, in milliseconds. */
const firstDelay = 100;
const maxDelay = 10_000;

/** Reconnects until its caller cancels it, which needs no code here. */
async function keepConnected(net: Net, address: HostAddress, output: Sink): Promise<never> {
  for (let delay = firstDelay;; delay = Math.min(delay * 2, maxDelay)) {
    try {
      await Switch.run(async (sw) => {
        const flow = await net.connect(sw, address, { timeout: 5000 });
        await copyString(`connected to ${formatAddress(flow.peer)}\n`, output);
        delay = firstDelay;
        await copy(flow, output);
        await copyString("lost: the other side has ended the connection\n", output);
      });
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      await copyString(`no connection: ${error.message}\n`, output);
    }
    await copyString(`retrying in ${delay} ms\n`, output);
    await net.clock.sleep(delay);
  }
}

const [host = "127.0.0.1", port = "8080"] = process.argv.slice(2);

await run(async (env) => {
  const address = hostAddress(host, Number(port));
  const signal = await first(
    () => interruptible(env.stop()),
    () => keepConnected(env.net, address, env.stdout),
  );
  await copyString(`stopped by ${signal}\n`, env.stdout);
});
