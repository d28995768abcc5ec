// Copyright 2026 the Sluice authors. MIT license.

import { functionsOf } from "./_functions.ts";
import { normalizeHost } from "./_url.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Service } from "./services.ts";

/**
 * What a rewrite is asked about.
 *
 * @example A rewrite that keeps the port
 * ```ts
 * import type { RewriteTarget } from "@sluice/io/net/endpoint";
 * import { tcp } from "@sluice/io";
 *
 * const toLoopback = ({ port }: RewriteTarget) => tcp("127.0.0.1", port);
 * ```
 */
export interface RewriteTarget {
  /** The host of the URL: a name in lower case without a trailing dot, or the text of an address. */
  readonly host: string;
  /** What the scheme stands for. */
  readonly service: Service;
  /** The port of the URL, or else that of the service. */
  readonly port: number;
}

/**
 * Where hosts are, by suffix. A name, such as `"example.com"`, stands for itself and everything
 * below it; with a dot before it, `".example.com"`, only for what is below; `""` for every host. An
 * IP address stands for itself. The longest suffix that matches wins.
 *
 * TLS is added around the endpoint where the service requires it.
 *
 * @example A host that is reached by a Unix socket
 * ```ts
 * import { formatEndpoint, type Rewrites, systemResolver } from "@sluice/io/net/endpoint";
 * import { unix } from "@sluice/io";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const rewrites: Rewrites = { "docker.internal": () => unix("/run/docker.sock") };
 * const endpoint = await systemResolver(memoryNet(), { rewrites }).resolve("http://docker.internal/info");
 * assertEquals(formatEndpoint(endpoint), "unix:/run/docker.sock");
 * ```
 */
export type Rewrites = Readonly<Record<string, (target: RewriteTarget) => Endpoint | Promise<Endpoint>>>;

/** Checked rewrites, by normalized suffix. */
export type RewriteTable = ReadonlyMap<string, Rewrites[string]>;

/**
 * Checks and copies rewrites.
 *
 * @throws {TypeError} If `rewrites` is not an object of functions.
 * @throws {SyntaxError} If a suffix is not valid.
 */
export function checkRewrites(action: string, rewrites: Rewrites = {}): RewriteTable {
  const entries = functionsOf(action, "rewrites", rewrites, "with a rewrite of");
  return new Map(entries.map(([suffix, rewrite]) => [normalizeSuffix(suffix), rewrite]));
}

function normalizeSuffix(suffix: string): string {
  if (suffix === "") return "";
  return suffix.startsWith(".") ? `.${normalizeHost(suffix.slice(1))}` : normalizeHost(suffix);
}

/** Finds the rewrite of a host with the longest suffix: at every boundary of labels. */
export function findRewrite(host: string, rewrites: RewriteTable): Rewrites[string] | undefined {
  // No suffix is a part of an IP address: "0.0.1" is normalized to "0.0.0.1".
  let suffix = host;
  while (suffix !== "" && !rewrites.has(suffix)) suffix = suffix.replace(/^(?:\.|[^.]+)/, "");
  return rewrites.get(suffix);
}
