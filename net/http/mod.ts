// Copyright 2026 the Sluice authors. MIT license.

/**
 * A `fetch` over any network.
 *
 * @module
 */

export { createFetch, type FetchOptions } from "./fetch.ts";
