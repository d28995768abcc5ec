// Copyright 2026 the Sluice authors. MIT license.

/**
 * An echo server. Ctrl-C stops it, with a grace period of five seconds for its clients. A second
 * Ctrl-C ends the process at once.
 *
 *     deno run --allow-net examples/echo_server.ts [PORT]
 *     bun examples/echo_server.ts [PORT]
 *     node examples/echo_server.ts [PORT]
 */
import process from "node:process";
import { copy, copyString, formatAddress, run, runServer, tcp } from "@sluice/io";

const [port = "0"] = process.argv.slice(2); // 0 requests an ephemeral port

await run(async (env) => {
  const stop = env.stop(); // from here on, a signal stops the server instead of the process
  const listener = await env.net.listen(env.sw, tcp("127.0.0.1", Number(port)));
  await copyString(`listening on ${formatAddress(listener.address)}\n`, env.stdout);
  const signal = await runServer(listener, (flow) => copy(flow, flow), {
    onError: (error, { peer }) => console.error(`${formatAddress(peer)}: ${error}`),
    stop,
    grace: 5000,
  });
  await copyString(`stopped by ${signal}\n`, env.stdout);
});
