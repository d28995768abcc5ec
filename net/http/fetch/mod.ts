// Copyright 2026 the Sluice authors. MIT license.

/**
 * A `fetch` over any network.
 *
 * @module
 */

export { createFetch, type FetchFunction } from "./create_fetch.ts";
export { type FetchOptions } from "./options.ts";
