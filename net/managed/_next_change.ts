// Copyright 2026 the Sluice authors. MIT license.

import { type Labelled, refused, Waiter } from "../../switch/internal.ts";
import type { Watch } from "../internal.ts";

/** Waits until one of several things has changed, unless none can change. */
export async function nextChange(operation: string, watches: readonly Watch[], subject?: Labelled): Promise<void> {
  const refusal = refused();
  if (refusal !== undefined) return await refusal;
  const waiter: Waiter<void> = new Waiter(operation, undefined, subject);
  const stops = watches.map((watch) => watch(() => waiter.resolve()));
  if (stops.every((stop) => stop === undefined)) waiter.resolve();
  try {
    return await waiter.promise;
  } finally {
    for (const stop of stops) stop?.();
  }
}
