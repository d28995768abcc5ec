// Copyright 2026 the Sluice authors. MIT license.

import { bridge, currentScope, liveScope, runIn, Scope } from "../switch/internal.ts";
import { isGone, lost, unshared, viewOf } from "./_bytes.ts";
import { sourceOf } from "./_flow.ts";
import { Stream } from "./_stream.ts";
import { noSink, type StreamNames } from "./_half.ts";
import type { LendingSource, StreamEnd } from "./provider.ts";

/** Returns the next bytes, at once or later; null at the end. */
export type Pull = () => Uint8Array | null | Promise<Uint8Array | null>;

/** Properties of a {@linkcode Pull}. */
export interface PullOptions {
  /** Whether the memory that it returned is never written to again. */
  keep: boolean;
  /**
   * Whether it may be called again after it threw. Otherwise every later read throws the same
   * error.
   */
  retry: boolean;
}

const names: StreamNames = { label: "source", failure: (_, cause) => cause };
const nothing: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/**
 * Makes a source of a function that produces pieces. `pull` is called when a reader finds no bytes
 * left, and only once its last piece was read. It runs in the scope in which the source was made:
 * if a reader is cancelled, the piece stays for the next one.
 */
export function pullSource(pull: Pull, options: PullOptions): LendingSource {
  return sourceOf(pullStream(pull, options));
}

/** Makes the stream of a {@linkcode pullSource}. */
export function pullStream(pull: Pull, options: PullOptions): Stream {
  const scope = currentScope();
  let piece: Uint8Array<ArrayBuffer> | null = nothing;
  let left = 0; // of the piece, even if its memory vanishes
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
    const pullScope = new Scope(liveScope(scope), bridge);
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
