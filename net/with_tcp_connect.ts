// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions, checkShape, describe, isInstance } from "../base/internal.ts";
import { operation } from "../flow/internal.ts";
import { Switch } from "../switch/internal.ts";
import { checkMilliseconds } from "../base/internal.ts";
import { addContext, NetError } from "./errors.ts";
import { getAddrInfoStream } from "./get_addr_info.ts";
import type { Net } from "./net.ts";
import type { StreamSocket } from "./connection.ts";

/** The target of {@linkcode withTcpConnect}, and its timeout. */
export interface TcpConnectOptions {
  /** A host name or an IP address literal. */
  host: string;
  /** The service: its name, or its port as a number or text. */
  service: string | number;
  /**
   * The timeout of each attempt, in milliseconds, excluding the lookup.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
}

/**
 * Looks up a host once, connects to its addresses strictly in the resolver's order until one
 * succeeds, and calls `fn` with the connection, which is closed when `fn` ends.
 *
 * {@linkcode Net.connect} to a {@linkcode hostAddress} races the addresses instead, which is
 * usually better.
 *
 * Source: Eio's `Net.with_tcp_connect`.
 *
 * @typeParam T The result of `fn`.
 * @param net The network.
 * @param options The target and the timeout.
 * @param fn Uses the connection.
 * @returns The result of `fn`.
 * @throws {NetError} `address_lookup_failed` if there is no such host or service; otherwise the
 * error of the last attempt. Its context names the target. Errors of `fn` are rethrown unchanged.
 * @throws {TypeError} If an argument is missing or of the wrong kind.
 * @throws {RangeError} If `timeout` is negative or not a number, or the port is 0.
 * @throws {Cancelled} If the current scope is cancelled; the connection is closed then.
 *
 * @example Reading everything that a server sends
 * ```ts
 * import { copyString, readAll, run, Switch, tcp, withTcpConnect } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * await run(({ net }) =>
 *   Switch.run(async (sw) => {
 *     const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *     sw.fork(async () => {
 *       const flow = await listener.accept(sw);
 *       await copyString("hello", flow);
 *       await flow.close();
 *     });
 *     const target = { host: "127.0.0.1", service: String(listener.address.port), timeout: 1000 };
 *     const bytes = await withTcpConnect(net, target, (flow) => readAll(flow));
 *     assertEquals(new TextDecoder().decode(bytes), "hello");
 *   })
 * );
 * ```
 */
export function withTcpConnect<T>(
  net: Net,
  options: TcpConnectOptions,
  fn: (flow: StreamSocket) => T | Promise<T>,
): Promise<T> {
  return operation(async () => {
    checkShape("connect", "net", "a Net", net, "connect", "getAddrInfo");
    const target = checkTarget(options);
    checkFunction("connect", fn);
    const main = async (sw: Switch) => await fn(await connectInOrder(net, sw, target));
    return await Switch.run(main, { name: "withTcpConnect" });
  });
}

/** Checked {@linkcode TcpConnectOptions}, with the service as text. */
interface Target {
  readonly host: string;
  readonly service: string;
  readonly timeout: number | undefined;
}

function checkTarget(options: Partial<TcpConnectOptions> | undefined): Target {
  checkOptions("connect", options);
  const { host, service, timeout } = options ?? {};
  for (const [name, value] of [["host", host], ["service", service]] as const) {
    if (value !== undefined) continue;
    const hint = name === "service" ? ": it is a name or a port" : "";
    throw new TypeError(`Cannot connect as ${name} is missing${hint}`);
  }
  for (const [name, value] of [["host", host], ["service", service]] as const) {
    if (typeof value === "string" || (name === "service" && typeof value === "number")) continue;
    const kinds = name === "service" ? "a string or a port" : "a string";
    throw new TypeError(`Cannot connect as ${name} must be ${kinds}: current value is ${describe(value)}`);
  }
  if (timeout !== undefined) checkMilliseconds("connect", "timeout", timeout);
  if (typeof service === "number" && !(Number.isInteger(service) && service >= 1 && service <= 65535)) {
    throw new RangeError(`Cannot connect as service must be a port from 1 to 65535: current value is ${service}`);
  }
  return { host: host as string, service: typeof service === "number" ? String(service) : service as string, timeout };
}

async function connectInOrder(
  net: Net,
  sw: Switch,
  { host, service, timeout }: Target,
): Promise<StreamSocket> {
  let last: unknown;
  try {
    for (const address of await getAddrInfoStream(net, host, { service })) {
      try {
        return await net.connect(sw, address, { timeout });
      } catch (error) {
        if (!isInstance(error, NetError)) throw error;
        last = error;
      }
    }
    throw last;
  } catch (error) {
    throw addContext(error, `connecting to ${host}:${service}`);
  }
}
