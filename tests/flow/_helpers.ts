// Copyright 2026 the Sluice authors. MIT license.

import { readAll, type Sink, type Source } from "../../flow/mod.ts";
import { Cancelled, Switch } from "../../switch/mod.ts";

/** What a hand-written foreign source gives next: a piece, the end, an error, or a promise of one of them. */
export type Step = string | Uint8Array | null | Error | Promise<string | Uint8Array | null>;

/** A source that does not lend, as Deno's files: one step for each read; the end after the last. */
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

/** A sink that takes no more than the given counts, one for each write, and then throws or takes everything. */
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

/** The text as bytes. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Everything that is left in a source, as text. */
export async function textOf(source: Source): Promise<string> {
  return new TextDecoder().decode(await readAll(source));
}

/** Runs `fn` in a scope that is cancelled already. */
export async function inCancelledScope(fn: () => unknown): Promise<void> {
  const reason = new Error("Cancelled by the test");
  await Switch.run(async (sw) => {
    sw.fail(reason);
    await fn();
  }).catch((error) => {
    if (error !== reason) throw error;
  });
}

/** Starts `fn`, cancels it in the same turn, and gives the `Cancelled` that it throws. */
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
