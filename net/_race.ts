// Copyright 2026 the Sluice authors. MIT license.

/** Connects to the first of several addresses that answers (RFC 8305), whatever the way to dial. */
import { isInstance } from "../base/internal.ts";
import { branches, type Clock, first, noLongerNeeded, refused, type Scope, WaitQueue } from "../switch/internal.ts";
import { describeAddress, type TcpAddress } from "./address.ts";
import type { StreamSocket } from "./connection.ts";
import { NetError } from "./errors.ts";

/** Delay before the next attempt starts, in milliseconds (RFC 8305, section 5). */
const attemptDelay = 250;

/** How long IPv4 answers wait for IPv6 ones, in milliseconds (RFC 8305, section 3). */
const resolutionDelay = 50;

/**
 * The most concurrent attempts, so that a resolver that returns many addresses cannot open as many
 * sockets.
 */
const maxUnderWay = 16;

/** Thrown inside the race when every attempt has failed. */
const allFailed: unique symbol = Symbol("all failed");

/** A connection that may lose the race. */
export interface Dialled {
  abort(reason?: unknown): void;
}

/** The contestants of a race, and its rules. */
export interface RacePlan<A, D extends Dialled> {
  /** The clock on which the delays run. */
  readonly clock: Clock;
  /**
   * The source of addresses, as they become known. It ends when the current scope is cancelled. If
   * it throws, the race ends.
   */
  readonly answers: AsyncIterable<A>;
  /** Returns the addresses of one answer. If it throws, the race ends. */
  addressesOf(answer: A): readonly TcpAddress[];
  /**
   * Connects. When cancelled, closes what it has opened. After a {@linkcode NetError} the race
   * continues; any other error ends it.
   */
  dial(address: TcpAddress): Promise<D>;
  /**
   * Returns the socket of the winner. If it throws a {@linkcode NetError}, the attempt has failed.
   */
  take(connection: D): StreamSocket;
  /**
   * Returns the error to throw when every attempt has failed, from their errors in starting order.
   */
  failure(failures: readonly NetError[]): unknown;
}

/**
 * Connects to the address that answers first. An attempt starts 250 ms after the previous one, or
 * as soon as one fails. The families alternate, beginning with that of the first address. The
 * losers are cancelled and awaited; one that succeeds late is aborted.
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
    winner?.abort(); // the race failed after it was won
    // The error is made here, so that it has the caller's frames.
    throw error === allFailed ? plan.failure(failures) : error;
  }

  async function attempt(address: TcpAddress, index: number, scope: Scope): Promise<void> {
    try {
      const connection = await plan.dial(address);
      if (winner !== undefined) return connection.abort();
      winner = take(connection);
      scope.cancel(noLongerNeeded());
    } catch (error) {
      if (!isInstance(error, NetError)) throw error;
      failures[index] = error;
      failed++;
      changed.wakeAll();
    }
  }

  function take(connection: D): StreamSocket {
    try {
      return plan.take(connection);
    } catch (error) {
      connection.abort();
      throw error;
    }
  }
}

/** The addresses to be tried, without duplicates, alternating between the families. */
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
