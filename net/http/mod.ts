// Copyright 2026 the Sluice authors. MIT license.

/**
 * A `fetch` over any network: {@linkcode createFetch}.
 *
 * ```ts ignore
 * import { createFetch } from "@sluice/io/net/http";
 *
 * const fetch = createFetch(sw, net);
 * const response = await fetch("https://api.example.com/");
 * ```
 *
 * @module
 */

export { HttpError } from "./errors.ts";
export { createFetch, type FetchFunction, type FetchOptions } from "./fetch/mod.ts";
