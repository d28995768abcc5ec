// Copyright 2026 the Sluice authors. MIT license.

/** What runs in the thread of a worker: `runWorkers` starts it with this module. */
import { parentPort, workerData } from "node:worker_threads";
import { Cancelled, type Clock, Switch } from "../../switch/internal.ts";
import { run } from "../env/internal.ts";
import { formatAddress, type Net, parseAddress, type UdpAddress } from "../mod.ts";
import {
  type ConnectionHandler,
  type ConnectionInfo,
  type ConnectionLog,
  logServer,
  runSharedServer,
  type ServerLog,
} from "../serve/internal.ts";
import { serverMonitor } from "../server/internal.ts";
import { sendConnections } from "./_connection_list.ts";
import { sendable } from "./_errors.ts";
import { addressFrom, type Command, type Notice } from "./_messages.ts";
import { showNumbers } from "./_numbers.ts";
import { WorkerSlots } from "./_slots.ts";
import type { WorkerServer } from "./worker_server.ts";

/** What a worker starts with. */
export interface WorkerStart {
  /** The URL of the module that has the server. */
  readonly module: string;
  readonly data: unknown;
  readonly address: string;
  readonly nameServers: readonly string[] | undefined;
  readonly grace: number;
  /** The index of the worker. */
  readonly worker: number;
  readonly maxConnections: number;
  readonly slots: Int32Array<SharedArrayBuffer>;
  /** The memory of the numbers; `undefined` without a monitor. */
  readonly numbers: BigInt64Array<SharedArrayBuffer> | undefined;
}

const start: WorkerStart = workerData;
const stop = new AbortController();
const cancel = new AbortController();
const monitor = start.numbers && serverMonitor();

/** Errors that the main thread has not reported yet. */
const reports = new Map<number, () => void>();
let lastReport = 0;

const slots = new WorkerSlots(start.slots, start.worker, start.maxConnections, {
  wanted: () => tell({ type: "wanted" }),
  freed: () => tell({ type: "freed" }),
});

function tell(notice: Notice): void {
  parentPort?.postMessage(notice);
}

parentPort?.on("message", (command: Command) => {
  switch (command.type) {
    case "stop":
      tell({ type: "stopping" });
      return stop.abort();
    case "cancel":
      tell({ type: "stopping" });
      return cancel.abort(new Cancelled());
    case "granted":
      return slots.granted();
    case "reported":
      reports.get(command.id)?.();
      reports.delete(command.id);
  }
});

/** Loads the module of the program, and returns its server. */
async function loadServer(): Promise<WorkerServer> {
  const { default: server } = await import(start.module);
  if (typeof server?.prepare === "function") return server;
  throw new TypeError(`Cannot start a worker: the default export of ${start.module} is not made by workerServer()`);
}

async function prepareHandler(sw: Switch, net: Net, clock: Clock): Promise<ConnectionHandler> {
  const server = await loadServer();
  const service = await server.prepare(Object.freeze({ net, clock, sw, data: start.data }));
  const handler: unknown = service?.handler;
  if (typeof handler === "function") return handler as ConnectionHandler;
  throw new TypeError(`Cannot start a worker: what ${start.module} prepares has no handler`);
}

/** Sends an error, and waits until it has been reported: so no more wait than connections are open. */
function report(error: unknown, { peer, local }: ConnectionInfo): Promise<void> {
  const id = ++lastReport;
  return new Promise((resolve) => {
    reports.set(id, resolve);
    tell({ type: "error", id, error: sendable(error), peer: formatAddress(peer), local: formatAddress(local) });
  });
}

/** Records in the monitor of this thread, whose numbers the main thread sees at each change. */
function startLog(sw: Switch, clock: Clock): ServerLog | undefined {
  const { numbers } = start;
  if (monitor === undefined || numbers === undefined) return undefined;
  const log = logServer(monitor);
  const listChanged = sendConnections(sw, clock, monitor, (list) => tell({ type: "connections", list }));
  const changed = () => {
    showNumbers(numbers, monitor);
    listChanged();
  };
  const noting = (note: () => void) => () => {
    note();
    changed();
  };
  const connectionLog = (inner: ConnectionLog): ConnectionLog => ({
    connection: inner.connection,
    failed: noting(() => inner.failed()),
    ended: noting(() => inner.ended()),
  });
  return {
    listens: (listener) => log.listens(listener),
    accepted: (connection) => {
      const inner = log.accepted(connection);
      changed();
      return connectionLog(inner);
    },
    acceptFailed: noting(() => log.acceptFailed()),
    stopping: () => log.stopping(),
    ended: noting(() => log.ended()),
  };
}

async function serve(sw: Switch, net: Net, clock: Clock): Promise<void> {
  const handler = await prepareHandler(sw, net, clock);
  const listener = await net.listen(sw, addressFrom(start.address), { reusePort: true });
  tell({ type: "listening", address: formatAddress(listener.address) });
  const options = { onError: report, stop: stop.signal, grace: start.grace };
  await runSharedServer(listener, handler, options, { slots, startLog: () => startLog(sw, clock) });
}

async function main(): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  const nameServers = start.nameServers?.map((text) => parseAddress(text) as UdpAddress);
  try {
    await run(
      ({ net, clock }) => Switch.run((sw) => serve(sw, net, clock), { name: "worker", signal: cancel.signal }),
      { nameServers },
    );
  } catch (error) {
    failure = { error };
  }
  const { drained = 0, forced = 0 } = monitor?.report ?? {};
  tell({ type: "ended", drained, forced, error: failure && sendable(failure.error) });
}

main(); // never rejects; and not awaited, as Deno delivers no message before the module has been evaluated
