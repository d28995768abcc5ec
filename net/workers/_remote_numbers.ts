// Copyright 2026 the Sluice authors. MIT license.

/** What the monitor of the main thread shows of workers. */
import type { MonitoredConnection, ServerMonitor } from "../serve/internal.ts";
import { addRemoteServers, type RemoteLog, type RemoteServers } from "../server/internal.ts";
import { addressFrom, type SentConnection } from "./_messages.ts";
import type { Exit } from "./_worker.ts";
import { numberMemory, type Numbers, readNumbers } from "./_numbers.ts";

type Sum = Exclude<keyof Numbers, "ended">;

/** The numbers of one worker. */
export class RemoteWorker {
  readonly memory: BigInt64Array<SharedArrayBuffer> = numberMemory();
  /** What it has sent last. */
  connections: readonly MonitoredConnection[] = [];
  readonly #log: RemoteLog;
  /** The numbers of its connections here, by the numbers that they have there. */
  #ids: ReadonlyMap<number, number> = new Map();

  constructor(log: RemoteLog) {
    this.#log = log;
  }

  /** Replaces the list of its connections. */
  list(sent: readonly SentConnection[]): void {
    const ids = new Map(sent.map(({ id }) => [id, this.#ids.get(id) ?? this.#log.nextId()]));
    this.#ids = ids;
    this.connections = sent.map((each) =>
      Object.freeze({
        ...each,
        id: ids.get(each.id) as number,
        peer: addressFrom(each.peer),
        local: addressFrom(each.local),
        waiting: Object.freeze([...each.waiting]),
      })
    );
  }
}

/** The sums over all workers of a call. */
export class RemoteNumbers implements RemoteServers {
  isStopping = false;
  milliseconds = 0;
  drained = 0;
  forced = 0;
  lost = 0;
  readonly #log: RemoteLog;
  readonly #workers: Set<RemoteWorker> = new Set();
  /** The sums over workers that have ended. */
  readonly #past: Record<Sum, number> = { accepted: 0, failed: 0, dropped: 0, acceptErrors: 0 };

  constructor(monitor: ServerMonitor) {
    this.#log = addRemoteServers(monitor, this);
  }

  get accepted(): number {
    return this.#sum("accepted");
  }

  get failed(): number {
    return this.#sum("failed");
  }

  get dropped(): number {
    return this.#sum("dropped");
  }

  get acceptErrors(): number {
    return this.#sum("acceptErrors");
  }

  get active(): number {
    let sum = 0;
    for (const { memory } of this.#workers) sum += openIn(readNumbers(memory));
    return sum;
  }

  get connections(): readonly MonitoredConnection[] {
    return [...this.#workers].flatMap(({ connections }) => connections);
  }

  /** Adds a worker. */
  add(): RemoteWorker {
    const worker = new RemoteWorker(this.#log);
    this.#workers.add(worker);
    return worker;
  }

  /**
   * Notes that a worker has ended. Connections that were open are lost, and so are those that it
   * has cancelled because it failed.
   */
  remove(worker: RemoteWorker, { drained, forced, error }: Exit): void {
    const numbers = readNumbers(worker.memory);
    for (const name of Object.keys(this.#past) as Sum[]) this.#past[name] += numbers[name];
    const hasFailed = error !== undefined && !this.isStopping;
    this.drained += drained;
    this.forced += hasFailed ? 0 : forced;
    this.lost += openIn(numbers) + (hasFailed ? forced : 0);
    this.#workers.delete(worker);
  }

  /** Notes that all have ended. */
  ended(): void {
    this.#log.ended();
  }

  #sum(name: Sum): number {
    let sum = this.#past[name];
    for (const { memory } of this.#workers) sum += readNumbers(memory)[name];
    return sum;
  }
}

/** How many connections are open. A worker may change both numbers while they are read. */
function openIn({ accepted, ended }: Numbers): number {
  return Math.max(0, accepted - ended);
}
