// Copyright 2026 the Sluice authors. MIT license.

/**
 * `ours.ts NAME PLACE`: the servers of the library, on a port of 127.0.0.1 or at a Unix path, until
 * SIGTERM or SIGINT. `SLUICE_LIBRARY` is the path of the library to serve by, in place of the
 * sources here.
 */
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { DatagramSocket, Env, StreamSocket } from "../../mod.ts";

const path = process.env.SLUICE_LIBRARY ?? fileURLToPath(new URL("../../mod.ts", import.meta.url));
const library: typeof import("../../mod.ts") = await import(pathToFileURL(path).href);
const { BufReader, copy, copyString, formatAddress, interruptible, NetError, proxy, readable } = library;
const { run, runServer, Switch, tcp, udp, unix } = library;

const grace = 200; // ms for handlers after the signal
const backlog = 4096;
const mostBytes = 64 * 1024;

/** A connection that has no partner yet, and the end of its pair. */
let waiting: { readonly flow: StreamSocket; readonly relayed: PromiseWithResolvers<void> } | undefined;

const handlers: Readonly<Record<string, (flow: StreamSocket) => Promise<unknown>>> = {
  async echo(flow) {
    const buffer = new Uint8Array(64 * 1024);
    for (let size; (size = await flow.read(buffer)) !== null;) {
      for (let done = 0; done < size;) done += await flow.write(buffer.subarray(done, size));
    }
  },
  copy: (flow) => copy(flow, flow),
  async idle_readable(flow) {
    await readable(flow);
    await copy(flow, flow);
  },
  async idle_reader(flow) {
    const reader = new BufReader(flow, { maxSize: mostBytes });
    if (!await reader.atEnd()) await copy(reader.asSource(), flow);
  },
  async relay(flow) {
    const partner = waiting;
    if (partner === undefined) {
      const own = waiting = { flow, relayed: Promise.withResolvers<void>() };
      return await interruptible(own.relayed.promise).finally(() => waiting = waiting === own ? undefined : waiting);
    }
    waiting = undefined;
    await proxy(partner.flow, flow).finally(() => partner.relayed.resolve());
  },
};

const datagramHandlers: Readonly<Record<string, (socket: DatagramSocket) => Promise<never>>> = {
  async datagram_echo(socket) {
    for (;;) for (const { data, from } of await socket.recvMany()) await socket.send(data, from);
  },
};

const [name, place] = process.argv.slice(2);
if (name in handlers) await run(serveConnections);
else await run(serveDatagrams);

async function serveConnections(env: Env): Promise<void> {
  await Switch.run(async (sw) => {
    const stop = env.stop();
    const address = place.startsWith("/") ? unix(place) : tcp("127.0.0.1", Number(place));
    const listener = await env.net.listen(sw, address, { backlog });
    if (place === "0") await copyString(`${formatAddress(listener.address)}\n`, env.stdout);
    await copyString("ready\n", env.stdout);
    const failures = new Map<string, number>();
    const onError = (error: unknown) => {
      const kind = error instanceof NetError ? error.code : String(error);
      failures.set(kind, (failures.get(kind) ?? 0) + 1);
    };
    await runServer(listener, handlers[name], { onError, maxConnections: Infinity, stop, grace });
    for (const [kind, count] of failures) await copyString(`${count} connections failed: ${kind}\n`, env.stderr);
  });
}

async function serveDatagrams(env: Env): Promise<void> {
  await Switch.run(async (sw) => {
    const stop = env.stop();
    const socket = await env.net.datagramSocket(sw, udp("127.0.0.1", Number(place)));
    sw.forkDaemon(() => datagramHandlers[name](socket));
    await copyString(`${formatAddress(socket.local)}\nready\n`, env.stdout);
    await stop;
  });
}
