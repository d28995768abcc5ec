// Copyright 2026 the Sluice authors. MIT license.

import { hideClass } from "../../base/internal.ts";
import { jointOf } from "../../flow/internal.ts";
import { currentScope, operationsIn, type Scope, systemClock } from "../../switch/internal.ts";
import type { ServedListener, StreamSocket } from "../internal.ts";
import {
  type ConnectionLog,
  infoOf,
  type MonitoredConnection,
  registerMonitor,
  type ServerLog,
  type ServerMonitor,
  type ServerReport,
} from "../serve/internal.ts";
import { wrapConnection } from "../wrap/mod.ts";

/** Servers in other threads, whose numbers a monitor adds to its own. */
export interface RemoteServers
  extends Pick<ServerMonitor, "accepted" | "active" | "failed" | "dropped" | "acceptErrors" | "lost"> {
  /** The parts of their report, final when they have ended. */
  readonly drained: number;
  readonly forced: number;
  readonly milliseconds: number;
  /** Whether they were told to stop. */
  readonly isStopping: boolean;
  /** What is known of the connections that are open. */
  readonly connections: readonly MonitoredConnection[];
}

/** What a monitor offers to {@linkcode RemoteServers}. */
export interface RemoteLog {
  /** Returns the number of a further connection. */
  nextId(): number;
  /** Notes that the servers have ended, and that their numbers are final. */
  ended(): void;
}

/** Begins to add the numbers of servers in other threads. */
export let addRemoteServers: (monitor: ServerMonitor, servers: RemoteServers) => RemoteLog;

/** The logs of monitored connections, by the scope of their fiber. */
const logs: WeakMap<Scope, Entry> = new WeakMap();

/** Notes that the connection of the running handler is reset, for its monitor, if it has one. */
export function noteDropped(): void {
  logOf(currentScope())?.drop();
}

/** Notes that the handler that runs in `scope` has failed, for its monitor, if it has one. */
export function noteFailed(scope: Scope | undefined): void {
  logOf(scope)?.failed();
}

function logOf(fiber: Scope | undefined): Entry | undefined {
  for (let scope = fiber; scope !== undefined; scope = scope.parent) {
    const entry = logs.get(scope);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

class Monitor implements ServerMonitor {
  static {
    addRemoteServers = (monitor, servers) => (monitor as Monitor).#counts.add(servers);
    hideClass(this);
  }

  readonly #counts: Counts = new Counts();

  constructor() {
    registerMonitor(this, () => new Log(this.#counts));
    Object.freeze(this);
  }

  get state(): ServerMonitor["state"] {
    return this.#counts.state;
  }

  get accepted(): number {
    return this.#counts.sum("accepted");
  }

  get active(): number {
    return this.#counts.entries.size + this.#counts.remotely("active");
  }

  get failed(): number {
    return this.#counts.sum("failed");
  }

  get dropped(): number {
    return this.#counts.sum("dropped") + this.#counts.overflowed;
  }

  get acceptErrors(): number {
    return this.#counts.sum("acceptErrors");
  }

  get lost(): number {
    return this.#counts.sum("lost");
  }

  connections(): readonly MonitoredConnection[] {
    const { entries, remotes } = this.#counts;
    const own = Array.from(entries, (entry) => entry.snapshot());
    if (remotes.size === 0) return Object.freeze(own);
    const all = own.concat(...Array.from(remotes, ({ connections }) => connections));
    return Object.freeze(all.sort((a, b) => a.id - b.id));
  }

  get report(): ServerReport | undefined {
    const { state, accepted: served, drained, forced, milliseconds } = this.#counts;
    return state === "stopped" ? Object.freeze({ served, drained, forced, milliseconds }) : undefined;
  }
}

/** What only grows, in a monitor and in {@linkcode RemoteServers}. */
const sums = ["accepted", "failed", "dropped", "acceptErrors", "lost", "drained", "forced"] as const;

/** The numbers of a monitor. */
class Counts {
  accepted = 0;
  failed = 0;
  dropped = 0;
  acceptErrors = 0;
  lost = 0;
  drained = 0;
  forced = 0;
  milliseconds = 0;
  readonly entries: Set<Entry> = new Set();
  /** The servers that have not ended. */
  readonly servers: Set<Log> = new Set();
  /** Those of other threads that have not ended. */
  readonly remotes: Set<RemoteServers> = new Set();
  /** Their listeners, and how many connections each had reset before. */
  readonly listeners: Map<ServedListener, number> = new Map();
  #started = false;
  #lastId = 0;

  start(server: Log): void {
    this.#started = true;
    this.servers.add(server);
  }

  nextId(): number {
    return ++this.#lastId;
  }

  add(servers: RemoteServers): RemoteLog {
    this.#started = true;
    this.remotes.add(servers);
    return {
      nextId: () => this.nextId(),
      ended: () => {
        if (!this.remotes.delete(servers)) return;
        for (const name of sums) this[name] += servers[name];
        this.milliseconds = Math.max(this.milliseconds, servers.milliseconds);
      },
    };
  }

  /** A number of this thread's servers and of those in other threads. */
  sum(name: typeof sums[number]): number {
    return this[name] + this.remotely(name);
  }

  remotely(name: typeof sums[number] | "active"): number {
    let sum = 0;
    for (const servers of this.remotes) sum += servers[name];
    return sum;
  }

  end(server: Log): void {
    this.servers.delete(server);
    if (this.servers.size > 0) return;
    this.dropped += this.overflowed;
    this.listeners.clear();
  }

  get state(): ServerMonitor["state"] {
    const all = [...this.servers, ...this.remotes];
    if (all.length === 0) return this.#started ? "stopped" : "idle";
    return all.some((server) => server.isStopping) ? "draining" : "serving";
  }

  /** How many connections the listeners have reset because their backlog was full. */
  get overflowed(): number {
    let sum = 0;
    for (const [listener, before] of this.listeners) sum += listener.dropped - before;
    return sum;
  }
}

class Log implements ServerLog {
  readonly #counts: Counts;
  #listener: ServedListener | undefined;
  /** When the server was told to stop. */
  #stopped: number | undefined;

  constructor(counts: Counts) {
    this.#counts = counts;
    counts.start(this);
  }

  get isStopping(): boolean {
    return this.#stopped !== undefined;
  }

  /** The time by the clock of the network, or of the system if the listener is foreign. */
  get now(): number {
    return (this.#listener?.clock ?? systemClock).now();
  }

  listens(listener: ServedListener): void {
    this.#listener ??= listener;
    const { listeners } = this.#counts;
    if (!listeners.has(listener)) listeners.set(listener, listener.dropped);
  }

  accepted(connection: StreamSocket): ConnectionLog {
    return new Entry(this.#counts, this, connection);
  }

  acceptFailed(): void {
    this.#counts.acceptErrors++;
  }

  stopping(): void {
    this.#stopped ??= this.now;
  }

  ended(): void {
    this.stopping(); // it has failed, if it was not told to stop
    const milliseconds = this.now - (this.#stopped as number);
    this.#counts.milliseconds = Math.max(this.#counts.milliseconds, milliseconds);
    this.#counts.end(this);
  }
}

/** A connection that is open. */
class Entry implements ConnectionLog {
  readonly connection: StreamSocket;
  readonly #id: number;
  readonly #counts: Counts;
  readonly #server: Log;
  readonly #fiber: Scope | undefined = currentScope();
  readonly #openedAt: number;
  /** The bytes of the connection. */
  readonly #bytes: { readonly bytesIn: number; readonly bytesOut: number };
  #hasFailed = false;

  constructor(counts: Counts, server: Log, connection: StreamSocket) {
    counts.accepted++;
    this.#id = counts.nextId();
    this.#counts = counts;
    this.#server = server;
    this.#openedAt = server.now;
    const joint = jointOf(connection); // one of the library counts by itself
    const bytes = { bytesIn: 0, bytesOut: 0 };
    this.#bytes = joint ?? bytes;
    this.connection = joint !== undefined ? connection : wrapConnection(connection, {
      received: (size) => {
        bytes.bytesIn += size;
      },
      sent: (size) => {
        bytes.bytesOut += size;
      },
    });
    counts.entries.add(this);
    if (this.#fiber !== undefined) logs.set(this.#fiber, this);
  }

  snapshot(): MonitoredConnection {
    const { peer, local } = infoOf(this.#fiber, this.connection);
    return Object.freeze({
      id: this.#id,
      peer,
      local,
      openedAt: this.#openedAt,
      bytesIn: this.#bytes.bytesIn,
      bytesOut: this.#bytes.bytesOut,
      waiting: Object.freeze(this.#fiber === undefined ? [] : operationsIn(this.#fiber)),
    });
  }

  /** Whether the server has cancelled all its handlers. */
  get #isForced(): boolean {
    return this.#fiber?.parent?.reason !== undefined;
  }

  drop(): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true; // the report of it is not a failure
    this.#counts.dropped++;
  }

  failed(): void {
    if (this.#hasFailed || this.#isForced) return;
    this.#hasFailed = true;
    this.#counts.failed++;
  }

  ended(): void {
    const counts = this.#counts;
    counts.entries.delete(this);
    if (this.#isForced) counts.forced++;
    else if (this.#server.isStopping) counts.drained++;
  }
}

/**
 * Creates a monitor for `runServer`, which can observe several servers. A server without a monitor
 * does no work for one.
 *
 * @returns A monitor.
 *
 * @example What a probe asks
 * ```ts
 * import { copy, copyString, readExact, run, runServer, tcp } from "@sluice/io";
 * import { serverMonitor } from "@sluice/io/net/server";
 * import { assertEquals } from "@std/assert";
 *
 * await run(async ({ net, sw }) => {
 *   const monitor = serverMonitor();
 *   assertEquals(monitor.state, "idle");
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *   const stop = new AbortController();
 *   const server = sw.forkPromise(() =>
 *     runServer(listener, (flow) => copy(flow, flow), { onError: console.error, stop: stop.signal, monitor })
 *   );
 *   const flow = await net.connect(sw, listener.address);
 *   await copyString("hello", flow);
 *   await readExact(flow, new Uint8Array(5));
 *   assertEquals([monitor.state, monitor.active], ["serving", 1]);
 *   const [{ bytesIn, bytesOut }] = monitor.connections();
 *   assertEquals([bytesIn, bytesOut], [5, 5]);
 *   await flow.close();
 *   stop.abort();
 *   await server;
 *   assertEquals([monitor.state, monitor.report?.served], ["stopped", 1]);
 * });
 * ```
 */
export function serverMonitor(): ServerMonitor {
  return new Monitor();
}
