// Copyright 2026 the Sluice authors. MIT license.

import type { Stream } from "./stream.ts";

/** Finds the stream under a flow of one class, by a private field: no other object can pass for one. */
type Finder = (flow: object) => Stream | undefined;

const finders: Finder[] = [];

/** Registers a class of flows that add nothing to the reads and writes of their stream. */
export function registerFlows(find: Finder): void {
  finders.push(find);
}

/** The stream under `flow`, if its class is registered. */
export function streamOf(flow: object): Stream | undefined {
  for (const find of finders) {
    const stream = find(flow);
    if (stream !== undefined) return stream;
  }
  return undefined;
}
