// Copyright 2026 the Sluice authors. MIT license.

/**
 * One limit of connections over all workers. Each worker owns one slot, so that no worker can keep
 * another from accepting; the others are shared, and counted in memory that all threads see.
 *
 * A worker that finds no shared slot free asks the main thread, which grants slots in FIFO order.
 * Both sides first change the memory and then look at what the other side has changed, so no slot
 * that becomes free is missed.
 */
import { type Permit, refused, WaitQueue } from "../../switch/internal.ts";
import type { Slots } from "../serve/internal.ts";

/** Indexes into the memory: how many shared slots are free, and how many requests wait for one. */
const free = 0;
const waiting = 1;

/** Returns the index of how many shared slots a worker holds. */
function heldBy(worker: number): number {
  return 2 + 2 * worker;
}

/** Returns the index of how many of the requests are of a worker. */
function waitingOf(worker: number): number {
  return 3 + 2 * worker;
}

/** The most shared slots that can be counted. */
const most = 2 ** 31 - 1;

/** Makes the memory for `workers` workers and at most `max` connections. */
export function slotMemory(workers: number, max: number): Int32Array<SharedArrayBuffer> {
  const memory = new Int32Array(new SharedArrayBuffer(heldBy(workers) * Int32Array.BYTES_PER_ELEMENT));
  memory[free] = Math.min(max - workers, most);
  return memory;
}

function takeFree(memory: Int32Array, worker: number): boolean {
  for (let seen = Atomics.load(memory, free); seen > 0;) {
    const found = Atomics.compareExchange(memory, free, seen, seen - 1);
    if (found === seen) {
      Atomics.add(memory, heldBy(worker), 1);
      return true;
    }
    seen = found;
  }
  return false;
}

/** The main thread's side. */
export class SlotDesk {
  readonly #memory: Int32Array;
  /** Who waits for a slot, in FIFO order. */
  #queue: { readonly worker: number; grant(): void }[] = [];

  constructor(memory: Int32Array) {
    this.#memory = memory;
  }

  /** A worker has registered that it waits. */
  wanted(worker: number, grant: () => void): void {
    this.#queue.push({ worker, grant });
    this.freed();
  }

  /** A slot may be free. */
  freed(): void {
    for (let next = this.#queue[0]; next !== undefined && takeFree(this.#memory, next.worker); next = this.#queue[0]) {
      this.#queue.shift();
      Atomics.sub(this.#memory, waitingOf(next.worker), 1);
      Atomics.sub(this.#memory, waiting, 1);
      next.grant();
    }
  }

  /** A worker has ended: what it held is free. */
  ended(worker: number): void {
    this.#queue = this.#queue.filter((each) => each.worker !== worker);
    Atomics.sub(this.#memory, waiting, Atomics.exchange(this.#memory, waitingOf(worker), 0));
    Atomics.add(this.#memory, free, Atomics.exchange(this.#memory, heldBy(worker), 0));
    this.freed();
  }
}

/** What a worker tells the main thread. */
export interface SlotRequests {
  wanted(): void;
  freed(): void;
}

/** A worker's side. */
export class WorkerSlots implements Slots {
  readonly permits: number;
  readonly #memory: Int32Array;
  readonly #worker: number;
  readonly #requests: SlotRequests;
  /** How many slots the worker holds. The first is its own. */
  #held = 0;
  readonly #waiters: WaitQueue<Permit> = new WaitQueue();

  constructor(memory: Int32Array, worker: number, permits: number, requests: SlotRequests) {
    this.#memory = memory;
    this.#worker = worker;
    this.permits = permits;
    this.#requests = requests;
  }

  tryAcquire(): Permit | null {
    if (this.#held === 0) return this.#permit();
    if (Atomics.load(this.#memory, waiting) > 0) return null; // others are first
    return takeFree(this.#memory, this.#worker) ? this.#permit() : null;
  }

  acquire(): Promise<Permit> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    const permit = this.tryAcquire();
    if (permit !== null) return Promise.resolve(permit);
    Atomics.add(this.#memory, waitingOf(this.#worker), 1);
    Atomics.add(this.#memory, waiting, 1);
    this.#requests.wanted();
    return this.#waiters.wait("acquire", undefined);
  }

  /** The main thread has taken a shared slot for this worker. */
  granted(): void {
    if (this.#waiters.empty) return this.#giveBack();
    this.#waiters.wakeOne(this.#permit());
  }

  #permit(): Permit {
    this.#held++;
    let isHeld = true;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      this.#release();
    };
    return Object.freeze({ release, [Symbol.dispose]: release });
  }

  #release(): void {
    this.#held--;
    if (this.#held > 0) return this.#giveBack();
    // The grant that the waiter has asked for will find that nothing waits.
    if (!this.#waiters.empty) this.#waiters.wakeOne(this.#permit());
  }

  #giveBack(): void {
    Atomics.sub(this.#memory, heldBy(this.#worker), 1);
    Atomics.add(this.#memory, free, 1);
    if (Atomics.load(this.#memory, waiting) > 0) this.#requests.freed();
  }
}
