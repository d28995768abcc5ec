// Copyright 2026 the Sluice authors. MIT license.

import { bridge, currentScope, liveScope, runIn, Scope } from "../switch/internal.ts";
import { isGone, lost, unshared, viewOf } from "./_bytes.ts";
import { sourceOf } from "./_flow.ts";
import { Stream } from "./_stream.ts";
import { noSink, type StreamNames } from "./_half.ts";
import type { LendingSource, StreamEnd } from "./provider.ts";

/** Gives the next bytes, at once or later; null at the end. */
export type Pull = () => Uint8Array | null | Promise<Uint8Array | null>;

/** What is known of a {@linkcode Pull}. */
export interface PullOptions {
  /** Nobody will write to the memory that it gave. */
  keep: boolean;
  /** It may be called again after it threw. Otherwise every later read throws the same. */
  retry: boolean;
}

const names: StreamNames = { label: "source", failure: (_, cause) => cause };
const nothing: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/**
 * A source over a function that gives pieces. `pull` is called when a reader finds nothing left, and never again before
 * its answer was read. It runs in the scope in which the source was made: a reader that is cancelled leaves the answer
 * to the next one.
 */
export function pulledSource(pull: Pull, options: PullOptions): LendingSource {
  return sourceOf(pulledStream(pull, options));
}

/** The stream under a {@linkcode pulledSource}. */
export function pulledStream(pull: Pull, options: PullOptions): Stream {
  const home = currentScope();
  let piece: Uint8Array<ArrayBuffer> | null = nothing;
  let left = 0; // of the piece, whatever becomes of its memory
  let failure: { error: unknown } | undefined;
  let pulling = false;

  const refuse = (error: unknown) => {
    failure = { error };
  };
  const accept = (next: Uint8Array | null) => {
    if (next !== null && isGone(next)) return refuse(lost());
    piece = next === null ? null : unshared(viewOf(next));
    left = piece?.length ?? 0;
  };
  const start = () => {
    const pullScope = new Scope(liveScope(home), bridge);
    try {
      const next = runIn(pullScope, pull);
      if (next instanceof Promise) {
        pulling = true;
        next.then(accept, refuse).then(() => {
          pullScope.finish();
          pulling = false;
          stream.readable();
        });
        return;
      }
      accept(next);
    } catch (error) {
      refuse(error);
    }
    pullScope.finish();
  };

  const end: StreamEnd = {
    ...noSink,
    keeps: options.keep,
    peek() {
      while (left === 0 && piece !== null && failure === undefined && !pulling) start();
      if (pulling) return undefined;
      if (failure === undefined) return piece;
      const { error } = failure;
      if (options.retry) failure = undefined;
      throw error;
    },
    consume(size) {
      const held = piece as Uint8Array<ArrayBuffer>;
      left -= size;
      if (left === 0) piece = nothing;
      else if (held.length > 0) piece = held.subarray(size);
    },
  };
  const stream = new Stream(end, names);
  return stream;
}
