// Copyright 2026 the Sluice authors. MIT license.

/** Turns in alternating order, and what comes of them. */
import type { Row } from "./_bench.ts";
import { estimate } from "./_stats.ts";
import { isEven, judgeRatio } from "./_verdict.ts";

/** Somebody who is measured: one of ours, or a bare one. */
export interface Contestant {
  /** How it is called in the table. */
  readonly api: string;
  /** The bare contestants that it is compared with; the default is every one. */
  readonly against?: readonly string[] | undefined;
  /** What its ratio to the best bare contestant may be at most, where the design says so. */
  readonly goal?: number | undefined;
  /** What its ratio to certain contestants may be at most, where the design says so. */
  readonly limits?: Readonly<Record<string, number>> | undefined;
  /** Whether it is of another world, and so never the best bare one. */
  readonly foreign?: boolean | undefined;
  /** Whether it is a bare one again, to be compared with itself. */
  readonly again?: boolean | undefined;
  /** One turn: the cost of one operation. */
  turn(): Promise<number>;
}

/** What the lines of a comparison have in common. */
export interface Subject {
  readonly name: string;
  readonly runtime: string;
  readonly unit: string;
}

/** What each turn cost, by contestant. */
export type Costs = ReadonlyMap<Contestant, readonly number[]>;

/** {@linkcode takeTurns} and {@linkcode rowsOf} in one. */
export async function compare(
  subject: Subject,
  ours: readonly Contestant[],
  bare: readonly Contestant[],
  rounds: number,
): Promise<Row[]> {
  return rowsOf(subject, ours, bare, await takeTurns([...ours, ...bare], rounds));
}

/** Gives everybody one turn in each round, forwards and then backwards, so that a drift of the machine falls on all alike. */
export async function takeTurns(order: readonly Contestant[], rounds: number): Promise<Costs> {
  const costs = new Map(order.map((contestant) => [contestant, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const contestant of round % 2 === 0 ? order : order.toReversed()) {
      costs.get(contestant)?.push(await contestant.turn());
    }
  }
  return costs;
}

/**
 * Compares each of `ours` with each of `bare` that it says, turn by turn of the same round. A goal is judged beside the best bare one, which is the one that
 * ours looks worst beside. Without ours, each bare one stands for itself.
 */
export function rowsOf(
  subject: Subject,
  ours: readonly Contestant[],
  bare: readonly Contestant[],
  costs: Costs,
): Row[] {
  if (ours.length === 0) return bare.map((one) => rowOf(subject, one, costs.get(one) ?? []));
  return ours.flatMap((our) => {
    const rivals = bare.filter(({ api }) => our.against === undefined || our.against.includes(api));
    const rows = rivals.map((other) => pairOf(subject, our, other, costs));
    if (our.goal === undefined) return rows;
    const best = bestOf(rows.filter((_, i) => rivals[i].foreign !== true));
    return rows.map((row) => row === best ? withGoal(row, our.goal) : row);
  });
}

function pairOf(subject: Subject, our: Contestant, other: Contestant, costs: Costs): Row {
  const mine = costs.get(our) ?? [];
  const theirs = costs.get(other) ?? [];
  const ratio = estimate(mine.map((cost, round) => cost / theirs[round]));
  const bare = { api: other.api, value: estimate(theirs).median };
  const row = { ...rowOf(subject, our, mine), bare, ratio };
  return our.again ? { ...row, even: isEven(ratio) } : withGoal(row, our.limits?.[other.api]);
}

function rowOf({ name, runtime, unit }: Subject, { api }: Contestant, costs: readonly number[]): Row {
  return { name, runtime, api, value: estimate(costs).median, unit, rounds: costs.length };
}

function bestOf(rows: readonly Row[]): Row | undefined {
  return rows.toSorted((a, b) => (b.ratio?.median ?? 0) - (a.ratio?.median ?? 0)).at(0);
}

function withGoal(row: Row, atMost: number | undefined): Row {
  return atMost === undefined || row.ratio === undefined ? row : { ...row, goal: judgeRatio(row.ratio, atMost) };
}
