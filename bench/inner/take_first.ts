// Copyright 2026 the Sluice authors. MIT license.

/**
 * Takes from whichever of two streams has something, and cancels the other: Eio's bench of cancelling, whose streams are two pipes here, fed in turn with a
 * byte. Prints its rows as one line of JSON.
 */
import { pipe } from "../../flow/mod.ts";
import { first, Switch } from "../../switch/mod.ts";
import { compare } from "../_compare.ts";
import { type Block, contestant, readSettings } from "./_turns.ts";

const { runtime, rounds, ms } = readSettings();

const ours: Block = (times) =>
  Switch.run(async (sw) => {
    const pairs = [pipe(), pipe()];
    const buffers = pairs.map(() => new Uint8Array(1));
    sw.fork(async () => {
      for (let i = 0; i < times; i++) await pairs[i % 2][0].write(Uint8Array.of(i));
    });
    let got = 0;
    const take = (i: number) => async () => {
      const size = await pairs[i][1].read(buffers[i]);
      got += size ?? 0;
    };
    while (got < times) await first(take(0), take(1));
    if (got > times) throw new Error(`Took ${got} of ${times} bytes`);
  });

/** The plainest queue from which one can stop taking. */
class Queue {
  readonly #items: number[] = [];
  #taker: ((item: number) => void) | undefined;

  put(item: number): void {
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker === undefined) this.#items.push(item);
    else taker(item);
  }

  take(signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const item = this.#items.shift();
      if (item !== undefined) return resolve(item);
      const abort = () => {
        this.#taker = undefined;
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#taker = (item) => {
        signal.removeEventListener("abort", abort);
        resolve(item);
      };
    });
  }
}

const bare: Block = async (times) => {
  const queues = [new Queue(), new Queue()];
  const feed = async () => {
    for (let i = 0; i < times; i++) {
      queues[i % 2].put(i);
      await undefined;
    }
  };
  const fed = feed();
  for (let got = 0; got < times; got++) {
    const controller = new AbortController();
    const takes = queues.map((queue) => queue.take(controller.signal));
    for (const take of takes) take.then(() => controller.abort(), () => {});
    await Promise.race(takes);
    // Both may have had something: the other one is not lost.
    got += (await Promise.allSettled(takes)).filter(({ status }) => status === "fulfilled").length - 1;
  }
  await fed;
};

console.log(JSON.stringify(
  await compare(
    { name: "take from the first of two that is ready", runtime, unit: "ns" },
    [await contestant("first", ours, ms)],
    [await contestant("race and AbortController", bare, ms)],
    rounds,
  ),
));
