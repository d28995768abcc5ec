// Copyright 2026 the Sluice authors. MIT license.

/** Connecting to whichever of several addresses answers first: RFC 8305, over any way to dial. */
import { isInstance } from "../base/internal.ts";
import { branches, type Clock, first, noLongerNeeded, Waiter } from "../switch/internal.ts";
import { describeAddress, type TcpAddress } from "./address.ts";
import { NetError } from "./errors.ts";
import type { StreamSocket } from "./connection.ts";

/** How long an attempt has before the next one starts beside it, in milliseconds (RFC 8305, section 5). */
const attemptDelay = 250;

/** How long IPv4 answers wait for the IPv6 ones, in milliseconds (RFC 8305, section 3). */
const resolutionDelay = 50;

/** How many attempts may be under way at once: a resolver decides how many addresses there are, but not how many sockets. */
const maxUnderWay = 16;

/** What the race throws inside when every attempt has failed. */
const nobodyAnswered: unique symbol = Symbol("nobody answered");

/** What to race. */
export interface RacePlan {
  /** What the delays run on. */
  readonly clock: Clock;
  /**
   * Finds the addresses; `found` is told of those that come early. It has not failed when some were found, and gives all.
   *
   * @throws {unknown} What the race then throws.
   */
  find(found: (addresses: readonly TcpAddress[]) => void): Promise<readonly TcpAddress[]>;
  /** Begins to connect. It closes what it has begun when it is cancelled, and only a {@linkcode NetError} lets the race go on. */
  dial(address: TcpAddress): Promise<StreamSocket>;
  /** Makes what is thrown when every attempt has failed of what each has thrown, in the order in which they were started. */
  failure(failures: readonly NetError[]): unknown;
}

/**
 * Connects to the address that answers first. An attempt starts 250 ms after the one before it, or as soon as one fails; the families take turns, the
 * resolver's first one first. The others are cancelled and awaited, and one that succeeds all the same is aborted.
 */
export async function race({ clock, find, dial, failure }: RacePlan): Promise<StreamSocket> {
  const queue = new Candidates();
  const failures: NetError[] = [];
  let complete = false; // no more addresses follow
  let started = 0;
  let failed = 0;
  let winner: StreamSocket | undefined;
  let waiting: Waiter<void> | undefined;

  const changed = () => waiting?.resolve();
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      waiting = new Waiter("race");
      await waiting.promise;
    }
  }
  const atMost = (ms: number, condition: () => boolean) => first(() => clock.sleep(ms), () => until(condition));
  const add = (addresses: readonly TcpAddress[]) => {
    queue.add(addresses);
    changed();
  };

  try {
    return await branches("race", (start, scope) => {
      start(() => find(add), (all) => {
        complete = true;
        add(all);
      });
      start(async () => {
        await until(() => complete || queue.size > 0);
        if (!complete && !queue.hasIpv6) await atMost(resolutionDelay, () => complete || queue.hasIpv6);
        for (;;) {
          await until(() => complete || queue.size > 0);
          await until(() => started - failed < maxUnderWay);
          const address = queue.take();
          if (address === undefined) return;
          const failedBefore = failed;
          start(() => attempt(address, started++), (socket) => {
            if (winner !== undefined) return socket?.abort();
            winner = socket;
            if (socket !== undefined) scope.cancel(noLongerNeeded());
          });
          await atMost(attemptDelay, () => failed > failedBefore);
        }
      }, () => {});
    }, (scope) => {
      if (winner !== undefined) return winner;
      throw scope.reason ?? nobodyAnswered;
    });
  } catch (error) {
    winner?.abort(); // something else went wrong, and nobody gets it
    throw error === nobodyAnswered ? failure(failures) : error; // made here, where it gets the frames of the caller
  }

  async function attempt(address: TcpAddress, index: number): Promise<StreamSocket | undefined> {
    try {
      return await dial(address);
    } catch (error) {
      if (!isInstance(error, NetError)) throw error;
      failures[index] = error;
      failed++;
      changed();
      return undefined;
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
