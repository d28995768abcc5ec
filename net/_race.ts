// Copyright 2026 the Sluice authors. MIT license.

/** Connecting to the first of several addresses that answers: RFC 8305, over any way to dial. */
import { isInstance } from "../base/internal.ts";
import { branches, type Clock, first, noLongerNeeded, refused, type Scope, WaitQueue } from "../switch/internal.ts";
import { describeAddress, type TcpAddress } from "./address.ts";
import type { StreamSocket } from "./connection.ts";
import { NetError } from "./errors.ts";

/** How long an attempt has before the next one starts beside it, in milliseconds (RFC 8305, section 5). */
const attemptDelay = 250;

/** How long IPv4 answers wait for the IPv6 ones, in milliseconds (RFC 8305, section 3). */
const resolutionDelay = 50;

/**
 * How many attempts may be under way at once: a resolver decides how many addresses there are, but not how many sockets.
 */
const maxUnderWay = 16;

/** What the race throws inside when every attempt has failed. */
const allFailed: unique symbol = Symbol("all failed");

/** A connection that may not become the result. */
export interface Dialled {
  abort(reason?: unknown): void;
}

/** What to race. */
export interface RacePlan<A, D extends Dialled> {
  /** The clock on which the delays run. */
  readonly clock: Clock;
  /**
   * What tells where to connect to, as it becomes known. It knows the current scope: when that is cancelled, it ends. What
   * it throws ends the race.
   */
  readonly answers: AsyncIterable<A>;
  /** Makes addresses of one answer. What it throws ends the race. */
  addressesOf(answer: A): readonly TcpAddress[];
  /** Connects. When it is cancelled, it closes what it has begun. Only a {@linkcode NetError} lets the race go on. */
  dial(address: TcpAddress): Promise<D>;
  /** Makes the result of the first connection. If it throws a {@linkcode NetError}, that attempt has failed. */
  take(connection: D): StreamSocket;
  /** Makes what is thrown when every attempt has failed, of what each has thrown, in the order in which they started. */
  failure(failures: readonly NetError[]): unknown;
}

/**
 * Connects to the address that answers first. An attempt starts 250 ms after the one before it, or as soon as one fails.
 * The families take turns, beginning with that of the first address. The other attempts are cancelled and awaited, and one
 * that succeeds all the same is aborted.
 */
export async function race<A, D extends Dialled>(plan: RacePlan<A, D>): Promise<StreamSocket> {
  const { clock } = plan;
  const queue = new Candidates();
  const failures: NetError[] = [];
  const changed: WaitQueue<void> = new WaitQueue();
  let complete = false; // no more addresses follow
  let started = 0;
  let failed = 0;
  let winner: StreamSocket | undefined;

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await (refused() ?? changed.wait("race", undefined));
  }
  const atMost = (ms: number, condition: () => boolean) => first(() => clock.sleep(ms), () => until(condition));

  try {
    return await branches("race", (start, scope) => {
      start(async () => {
        for await (const answer of plan.answers) {
          queue.add(plan.addressesOf(answer));
          changed.wakeAll();
        }
        complete = true;
        changed.wakeAll();
      }, () => {});
      start(async () => {
        await until(() => complete || queue.size > 0);
        if (!complete && !queue.hasIpv6) await atMost(resolutionDelay, () => complete || queue.hasIpv6);
        for (;;) {
          await until(() => complete || queue.size > 0);
          await until(() => started - failed < maxUnderWay);
          const address = queue.take();
          if (address === undefined) return;
          const failedBefore = failed;
          start(() => attempt(address, started++, scope), () => {});
          await atMost(attemptDelay, () => failed > failedBefore);
        }
      }, () => {});
    }, (scope) => {
      if (winner !== undefined) return winner;
      throw scope.reason ?? allFailed;
    });
  } catch (error) {
    winner?.abort(); // something else went wrong, so that it has no owner
    throw error === allFailed ? plan.failure(failures) : error; // made here, where it gets the frames of the caller
  }

  async function attempt(address: TcpAddress, index: number, scope: Scope): Promise<void> {
    try {
      const connection = await plan.dial(address);
      if (winner !== undefined) return connection.abort();
      winner = taken(connection);
      scope.cancel(noLongerNeeded());
    } catch (error) {
      if (!isInstance(error, NetError)) throw error;
      failures[index] = error;
      failed++;
      changed.wakeAll();
    }
  }

  function taken(connection: D): StreamSocket {
    try {
      return plan.take(connection);
    } catch (error) {
      connection.abort();
      throw error;
    }
  }
}

/** The addresses that have yet to be tried, each once, the families in turn. */
class Candidates {
  readonly #seen: Set<string> = new Set();
  readonly #queues: Record<4 | 6, TcpAddress[]> = { 4: [], 6: [] };
  #turn: 4 | 6 | undefined;
  hasIpv6 = false;

  get size(): number {
    return this.#queues[4].length + this.#queues[6].length;
  }

  add(addresses: readonly TcpAddress[]): void {
    for (const address of addresses) {
      const text = describeAddress(address);
      if (this.#seen.has(text)) continue;
      const { version } = address.ip;
      this.#seen.add(text);
      this.#queues[version].push(address);
      this.#turn ??= version;
      this.hasIpv6 ||= version === 6;
    }
  }

  take(): TcpAddress | undefined {
    const turn = this.#turn ?? 4;
    const other = turn === 4 ? 6 : 4;
    this.#turn = other;
    return this.#queues[turn].shift() ?? this.#queues[other].shift();
  }
}
