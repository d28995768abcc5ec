// Copyright 2026 the Sluice authors. MIT license.

/** Turns in alternating order, and what comes of them. */
import type { Row } from "./_bench.ts";
import { estimate } from "./_stats.ts";

/** Somebody who is measured: one of ours, or a bare one. */
export interface Contestant {
  /** How it is called in the table. */
  readonly api: string;
  /** The bare contestants that it is compared with; the default is every one. */
  readonly against?: readonly string[] | undefined;
  /** What its ratio to a bare contestant may be at most, where the design says so. */
  readonly goals?: Readonly<Record<string, number>> | undefined;
  /** One turn: the cost of one operation. */
  turn(): Promise<number>;
}

/** What the lines of a comparison have in common. */
export interface Subject {
  readonly name: string;
  readonly runtime: string;
  readonly unit: string;
}

/**
 * Gives everybody one turn in each round, forwards and then backwards, so that a drift of the machine falls on all alike. Each of `ours` is compared with
 * each of `bare` that it says, turn by turn of the same round.
 */
export async function compare(
  subject: Subject,
  ours: readonly Contestant[],
  bare: readonly Contestant[],
  rounds: number,
): Promise<Row[]> {
  const order = [...ours, ...bare];
  const costs = new Map(order.map((contestant) => [contestant, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const contestant of round % 2 === 0 ? order : order.toReversed()) {
      costs.get(contestant)?.push(await contestant.turn());
    }
  }
  return ours.flatMap((our) =>
    bare.filter(({ api }) => our.against === undefined || our.against.includes(api))
      .map((other) => rowOf(subject, our, other, costs))
  );
}

function rowOf(
  { name, runtime, unit }: Subject,
  our: Contestant,
  other: Contestant,
  costs: ReadonlyMap<Contestant, readonly number[]>,
): Row {
  const mine = costs.get(our) ?? [];
  const theirs = costs.get(other) ?? [];
  const ratio = estimate(mine.map((cost, round) => cost / theirs[round]));
  const atMost = our.goals?.[other.api];
  return {
    name,
    runtime,
    api: our.api,
    value: estimate(mine).median,
    unit,
    bare: { api: other.api, value: estimate(theirs).median },
    ratio,
    goal: atMost === undefined ? undefined : { of: "ratio", atMost, met: ratio.median <= atMost },
    rounds: mine.length,
  };
}
