// Copyright 2026 the Sluice authors. MIT license.

/** What the bench servers share: one loopback port, served through `runServer` until SIGTERM or SIGINT. */
import process from "node:process";
import { type ConnectionHandler, copyString, formatAddress, NetError, run, runServer, Switch, tcp } from "../../mod.ts";

/** How long handlers may go on after the signal, in milliseconds. */
const grace = 200;

/** As many as a server on Linux may ask for at once. */
const backlog = 4096;

/**
 * Serves on the port that the command line names, of 127.0.0.1. Prints `ready` once it does; for port 0 a line with the address comes before. What
 * handlers threw is counted, and told at the end, on standard error.
 */
export async function serveCommand(handler: ConnectionHandler): Promise<void> {
  const address = tcp("127.0.0.1", portArgument());
  const failures = new Map<string, number>();
  const onError = (error: unknown) => {
    const kind = error instanceof NetError ? error.code : String(error);
    failures.set(kind, (failures.get(kind) ?? 0) + 1);
  };
  await run((env) =>
    Switch.run(async (sw) => {
      const stop = env.stop();
      const listener = await env.net.listen(sw, address, { backlog });
      if (address.port === 0) await copyString(`${formatAddress(listener.address)}\n`, env.stdout);
      await copyString("ready\n", env.stdout);
      await runServer(listener, handler, { onError, maxConnections: Infinity, stop, grace });
      for (const [kind, count] of failures) await copyString(`${count} connections failed: ${kind}\n`, env.stderr);
    })
  );
}

function portArgument(): number {
  const [text] = process.argv.slice(2);
  if (text !== undefined && /^\d+$/.test(text)) return Number(text);
  console.error(`usage: ${process.argv[1]} PORT`);
  process.exit(2);
}
