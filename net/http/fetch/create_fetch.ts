// Copyright 2026 the Sluice authors. MIT license.

import { checkShape } from "../../../base/internal.ts";
import { operation } from "../../../flow/internal.ts";
import { asOperation, checkSwitch, refusedFor } from "../../../switch/internal.ts";
import type { Switch } from "../../../switch/mod.ts";
import type { Net } from "../../mod.ts";
import { Call } from "./_call.ts";
import { acceptedCodings } from "./_decoding.ts";
import { Pool } from "./_pool.ts";
import { readRequest } from "./_request.ts";
import { type FetchOptions, readFetchOptions } from "./options.ts";

/**
 * The standard's `fetch`, as {@linkcode createFetch} returns it.
 *
 * @example Code that is given its reach
 * ```ts
 * import type { FetchFunction } from "@sluice/io/net/http";
 *
 * async function statusOf(url: string, fetch: FetchFunction): Promise<number> {
 *   const response = await fetch(url, { method: "HEAD" });
 *   return response.status;
 * }
 * ```
 */
export type FetchFunction = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/**
 * Creates a `fetch` that reaches the network only through `net`: the standard's function, for any
 * code that takes one. Its whole reach is that network, whatever URL, redirect or answer of DNS it
 * meets. It speaks HTTP/1.1.
 *
 * It takes what `new Request()` takes, and resolves to the runtime's own `Response` once the header
 * has arrived. The differences to the runtime's `fetch`:
 *
 * - Nothing is ambient: there are no cookies, cache, proxy variables, and no `user-agent`. It sends
 *   the headers that it is given, and `host`, `accept`, `accept-encoding` and those of the body. It
 *   ignores headers that belong to the connection: `host`, `content-length`, `transfer-encoding`,
 *   `connection`, `keep-alive`, `proxy-connection`, `upgrade`, `te`, `trailer`, `expect`.
 * - `redirect: "manual"` resolves to the real response, with its status and location.
 * - A redirect to another origin loses `authorization`, `cookie` and `proxy-authorization`, and a
 *   redirect back does not restore them.
 * - `integrity` is refused, because it is not checked. Only `http:` and `https:` URLs are fetched.
 *
 * `sw` owns the connections, which are kept open for further requests and close when it ends. A
 * body that is not read keeps its own connection only. Read it to its end or cancel it.
 *
 * Cancelling the scope in which `fetch` was called, or aborting its `signal`, ends the request,
 * also while the body is read: the connection closes, and the body fails with the
 * {@linkcode Cancelled}, or the signal's reason. The end of that scope cancels nothing.
 *
 * A kept connection that turns out to be closed is replaced once, if the request is idempotent and
 * its body can be sent again. If a quota of `net` refuses a connection, idle ones are closed, and
 * it is tried once more.
 *
 * The returned function rejects:
 *
 * - with `TypeError`, if an argument is invalid, the request cannot be sent, the response is
 *   malformed, or `sw` is finished. Its `cause` is the `NetError` or `TlsError`, if there is one: a
 *   time limit is a `NetError` with the code `connection_timeout`, and the name of the limit in its
 *   context; a truncated body is `connection_reset`. A body fails with the same errors;
 * - with the signal's reason, if it is aborted;
 * - with {@linkcode Cancelled}, if the current scope, or `sw`, is cancelled.
 *
 * Source: the Fetch standard (https://fetch.spec.whatwg.org), RFC 9110 and RFC 9112.
 *
 * @param sw The switch that owns the connections.
 * @param net The network to use. Its clock measures all times.
 * @param options Settings of TLS, and limits.
 * @returns The function. Two of them never share a connection.
 * @throws {TypeError} If `sw` is not a running switch, `net` is not a `Net`, or an option is unknown
 * or has the wrong type.
 * @throws {RangeError} If an option is out of range.
 * @throws {Cancelled} If `sw` is cancelled.
 *
 * @example A fetch over a network in memory
 * ```ts
 * import { createFetch } from "@sluice/io/net/http";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { copyString, Switch, tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const net = memoryNet();
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 80));
 *   sw.fork(async () => {
 *     const connection = await listener.accept(sw);
 *     await connection.read(new Uint8Array(1024)); // the request
 *     await copyString("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", connection);
 *   });
 *   const fetch = createFetch(sw, net);
 *   const response = await fetch("http://127.0.0.1/");
 *   assertEquals(await response.text(), "hello");
 * });
 * ```
 *
 * @example For a client library
 * ```ts ignore
 * import OpenAI from "openai";
 *
 * const client = new OpenAI({ apiKey, fetch: createFetch(sw, net) });
 * ```
 */
export function createFetch(sw: Switch, net: Net, options?: FetchOptions): FetchFunction {
  checkSwitch(sw, "create a fetch");
  checkShape("create a fetch", "net", "a Net", net, "connect");
  const pool = new Pool(sw, net, readFetchOptions(options, net.clock));
  return (input, init) =>
    operation(() =>
      asOperation("fetch", () => {
        const request = readRequest(input, init, acceptedCodings);
        return refusedFor(sw, "fetch") ?? new Call(pool, request).run();
      })
    );
}
