// Copyright 2026 the Sluice authors. MIT license.

/**
 * Sends back what each client sends, until Ctrl-C. Then clients have five seconds to finish. A
 * second Ctrl-C ends the process at once.
 *
 *     deno run --allow-net examples/echo_server.ts [PORT]
 *     bun examples/echo_server.ts [PORT]
 *     node examples/echo_server.ts [PORT]
 */
import process from "node:process";
import { copy, copyString, formatAddress, run, runServer, tcp } from "@sluice/io";

const [port = "0"] = process.argv.slice(2); // 0 leaves the port to the system

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
