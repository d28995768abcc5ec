// Copyright 2026 the Sluice authors. MIT license.

import type { Switch } from "../../switch/internal.ts";
import type { Net } from "../internal.ts";

/** Options for {@linkcode createFetch}. */
export interface FetchOptions {
  /** The time limit of the head of a response, in milliseconds. */
  headersTimeout?: number | undefined;
}

/** Placeholder: the fetch helper writes it. */
export function createFetch(_sw: Switch, _net: Net, _options?: FetchOptions): typeof fetch {
  throw new TypeError("Cannot fetch: not written yet");
}
