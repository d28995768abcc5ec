// Copyright 2026 the Sluice authors. MIT license.

/**
 * Keeps a connection up and prints what it receives. When the connection is lost, or cannot be made,
 * the program tries again after a delay that doubles up to a limit. Ctrl-C stops it at once, whether
 * it is connecting, reading or waiting.
 *
 *     deno run --allow-net examples/reconnect.ts HOST PORT
 *     bun examples/reconnect.ts HOST PORT
 *     node examples/reconnect.ts HOST PORT
 */
import process from "node:process";
import { copy, copyString, first, formatAddress, hostAddress, interruptible, NetError, run, Switch } from "@sluice/io";
import type { HostAddress, Net, Sink } from "@sluice/io";

/** The first and the longest delay, in milliseconds. */
const shortestDelay = 100;
const longestDelay = 10_000;

/** Never returns. It has no code for stopping: its caller cancels it. */
async function keepConnected(net: Net, address: HostAddress, output: Sink): Promise<never> {
  for (let delay = shortestDelay;; delay = Math.min(delay * 2, longestDelay)) {
    try {
      await Switch.run(async (sw) => {
        const flow = await net.connect(sw, address, { timeout: 5000 });
        await copyString(`connected to ${formatAddress(flow.peer)}\n`, output);
        delay = shortestDelay;
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
