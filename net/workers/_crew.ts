// Copyright 2026 the Sluice authors. MIT license.

import type { Threads } from "../env/internal.ts";
import { formatAddress, type TcpAddress } from "../mod.ts";
import type { ConnectionInfo, ServerMonitor } from "../serve/internal.ts";
import { errorFrom } from "./_errors.ts";
import { addressFrom, type SentConnection } from "./_messages.ts";
import { RemoteNumbers, type RemoteWorker } from "./_remote_numbers.ts";
import { SlotDesk, slotMemory } from "./_slots.ts";
import { type Exit, Worker, type WorkerEvents } from "./_worker.ts";

/** What the workers of a call have in common. */
export interface CrewTerms {
  readonly module: URL;
  readonly data: unknown;
  readonly workers: number;
  readonly maxConnections: number;
  readonly grace: number;
  readonly monitor: ServerMonitor | undefined;
  /** Reports an error. Never rejects. */
  report(error: unknown, info: ConnectionInfo): Promise<void>;
}

/** The workers of a call: their slots, errors and numbers. */
export class Crew implements WorkerEvents {
  readonly #threads: Threads;
  readonly #terms: CrewTerms;
  readonly #slots: Int32Array<SharedArrayBuffer>;
  readonly #desk: SlotDesk;
  readonly #numbers: RemoteNumbers | undefined;
  /** Those that have not ended, with their numbers if there is a monitor. */
  readonly #workers: Map<Worker, RemoteWorker | undefined> = new Map();

  constructor(threads: Threads, terms: CrewTerms) {
    this.#threads = threads;
    this.#terms = terms;
    this.#slots = slotMemory(terms.workers, terms.maxConnections);
    this.#desk = new SlotDesk(this.#slots);
    this.#numbers = terms.monitor && new RemoteNumbers(terms.monitor);
  }

  /** The workers that have not ended. */
  get workers(): readonly Worker[] {
    return [...this.#workers.keys()];
  }

  /** Starts a worker, but does not wait until it listens. Never rejects. */
  async start(index: number, address: TcpAddress): Promise<Worker> {
    const { module, data, maxConnections, grace } = this.#terms;
    const worker = new Worker(index, this);
    const numbers = this.#numbers?.add();
    this.#workers.set(worker, numbers);
    await worker.start(this.#threads, {
      module: module.href,
      data,
      address: formatAddress(address),
      nameServers: this.#threads.nameServers?.map(formatAddress),
      grace,
      worker: index,
      maxConnections,
      slots: this.#slots,
      numbers: numbers?.memory,
    });
    return worker;
  }

  /** Notes that the workers are told to stop. */
  stopping(): void {
    if (this.#numbers !== undefined) this.#numbers.isStopping = true;
  }

  /** Notes that all have ended, and how long stopping took. */
  ended(milliseconds: number): void {
    if (this.#numbers === undefined) return;
    this.#numbers.milliseconds = milliseconds;
    this.#numbers.ended();
  }

  wanted(worker: Worker): void {
    this.#desk.wanted(worker.index, () => worker.tell({ type: "granted" }));
  }

  freed(): void {
    this.#desk.freed();
  }

  error(worker: Worker, { id, error, peer, local }: Parameters<WorkerEvents["error"]>[1]): void {
    const info = { peer: addressFrom(peer), local: addressFrom(local) };
    this.#terms.report(errorFrom(error), info).then(() => worker.tell({ type: "reported", id }));
  }

  connections(worker: Worker, list: readonly SentConnection[]): void {
    this.#workers.get(worker)?.list(list);
  }

  exited(worker: Worker, exit: Exit): void {
    const numbers = this.#workers.get(worker);
    this.#workers.delete(worker);
    this.#desk.ended(worker.index);
    if (this.#numbers === undefined || numbers === undefined) return;
    this.#numbers.remove(numbers, exit);
  }
}
