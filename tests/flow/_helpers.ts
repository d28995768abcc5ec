// Copyright 2026 the Sluice authors. MIT license.

import type { Sink, Source, TwoWay } from "../../flow/mod.ts";
import { Cancelled, first, Switch, yieldNow } from "../../switch/mod.ts";

/**
 * One step of a hand-written foreign source: a piece, the end, an error, or a promise of one of
 * them.
 */
export type Step = string | Uint8Array | null | Error | Promise<string | Uint8Array | null>;

/**
 * A source that does not lend, like Deno's files: one step per read, and the end after the last.
 */
export function foreignSource(...steps: Step[]): Source & { reads: number } {
  const source = {
    reads: 0,
    async read(buffer: Uint8Array): Promise<number | null> {
      source.reads++;
      const step = await (steps.length > 0 ? steps.shift() : null);
      if (step === null || step === undefined) return null;
      if (step instanceof Error) throw step;
      const bytes = typeof step === "string" ? new TextEncoder().encode(step) : step;
      const size = Math.min(bytes.length, buffer.length);
      buffer.set(bytes.subarray(0, size));
      if (size < bytes.length) steps.unshift(bytes.slice(size));
      return size;
    },
  };
  return source;
}

/**
 * A sink that takes at most the given counts, one per write, and then throws or takes everything.
 */
export function shortSink(counts: readonly number[], error?: unknown): Sink & { writes: string[] } {
  const left = [...counts];
  const sink = {
    writes: [] as string[],
    write(bytes: Uint8Array): Promise<number> {
      const count = left.shift();
      if (count === undefined && error !== undefined) return Promise.reject(error);
      const taken = bytes.slice(0, count ?? bytes.length);
      sink.writes.push(new TextDecoder().decode(taken));
      return Promise.resolve(taken.length);
    },
  };
  return sink;
}

/** Starts `fn`, cancels it in the same turn, and returns the `Cancelled` that it throws. */
export async function cancelling(fn: () => Promise<unknown>, before?: () => unknown): Promise<Cancelled> {
  const reason = new Error("Cancelled by the test");
  let thrown: unknown;
  await Switch.run(async (sw) => {
    const work = sw.forkPromise(async () => {
      try {
        await fn();
      } catch (error) {
        thrown = error;
      }
    });
    await before?.();
    sw.fail(reason);
    await work;
  }).catch((error) => {
    if (error !== reason) throw error;
  });
  if (thrown instanceof Cancelled) return thrown;
  throw new Error(`Expected a Cancelled: ${String(thrown)}`);
}

/** Runs `operation` for some turns. Returns its result, or `undefined` if it was cancelled. */
export function attempt<T>(operation: () => Promise<T>, patience = 20): Promise<T | undefined> {
  return first<T | undefined, undefined>(operation, async () => {
    for (let i = 0; i < patience; i++) await yieldNow();
  });
}

/** Writes until nothing more is taken. Returns how much was taken. */
export async function clog(write: (bytes: Uint8Array) => Promise<number>): Promise<number> {
  let taken = 0;
  for (let refused = 0; refused < 3;) {
    const count = await attempt(() => write(new Uint8Array(16 * 1024)), 200);
    refused = count === undefined ? refused + 1 : 0;
    taken += count ?? 0;
    if (taken > 10_000_000) throw new Error(`Expected writing to wait: ${taken} bytes were taken`);
  }
  return taken;
}

/** Describes the result of one read of a flow. */
export async function readOnce(flow: TwoWay, size = 64): Promise<string> {
  const buffer = new Uint8Array(size);
  return new TextDecoder().decode(buffer.subarray(0, await flow.read(buffer) ?? 0));
}
