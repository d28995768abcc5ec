// Copyright 2026 the Sluice authors. MIT license.

/** What the bench servers share: one loopback port, or one Unix path, served until SIGTERM or SIGINT. */
import process from "node:process";
import {
  type ConnectionHandler,
  copyString,
  type DatagramSocket,
  type Env,
  formatAddress,
  NetError,
  run,
  runServer,
  type StreamAddress,
  Switch,
  tcp,
  udp,
  unix,
} from "../../mod.ts";

/** How long handlers may go on after the signal, in milliseconds. */
const grace = 200;

/** As many as a server on Linux may ask for at once. */
const backlog = 4096;

/**
 * Serves where the command line says, through `runServer`: on a port of 127.0.0.1, or at a Unix path. Prints `ready` once it does; for port 0 a line with the
 * address comes before. What handlers threw is counted, and told at the end, on standard error.
 */
export async function serveCommand(handler: ConnectionHandler): Promise<void> {
  const address = addressArgument();
  const failures = new Map<string, number>();
  const onError = (error: unknown) => {
    const kind = error instanceof NetError ? error.code : String(error);
    failures.set(kind, (failures.get(kind) ?? 0) + 1);
  };
  await run((env) =>
    Switch.run(async (sw) => {
      const stop = env.stop();
      const listener = await env.net.listen(sw, address, { backlog });
      if ("port" in address && address.port === 0) await copyString(`${formatAddress(listener.address)}\n`, env.stdout);
      await copyString("ready\n", env.stdout);
      await runServer(listener, handler, { onError, maxConnections: Infinity, stop, grace });
      await tell(failures, env);
    })
  );
}

/** The same for a datagram socket, which `serve` has until the signal. */
export async function serveDatagrams(serve: (socket: DatagramSocket) => Promise<void>): Promise<void> {
  const port = Number(process.argv[2]);
  await run((env) =>
    Switch.run(async (sw) => {
      const stop = env.stop();
      const socket = await env.net.datagramSocket(sw, udp("127.0.0.1", port));
      sw.forkDaemon(() => serve(socket));
      await copyString(`${formatAddress(socket.local)}\nready\n`, env.stdout);
      await stop;
    })
  );
}

async function tell(failures: ReadonlyMap<string, number>, env: Env): Promise<void> {
  for (const [kind, count] of failures) await copyString(`${count} connections failed: ${kind}\n`, env.stderr);
}

function addressArgument(): StreamAddress {
  const [text] = process.argv.slice(2);
  if (text?.startsWith("/")) return unix(text);
  if (text !== undefined && /^\d+$/.test(text)) return tcp("127.0.0.1", Number(text));
  console.error(`usage: ${process.argv[1]} PORT or /UNIX/PATH`);
  process.exit(2);
}
