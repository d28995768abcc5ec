// Copyright 2026 the Sluice authors. MIT license.

import { checkClock, checkOptions, checkShape, describe } from "../base/internal.ts";
import { operation } from "../flow/internal.ts";
import { refusedFor, type Switch } from "../switch/internal.ts";
import { connectToAny, within } from "./_connect.ts";
import { whileOwned } from "./_open_owned.ts";
import { checkConnectOptions, readConnectOptions } from "./_connect_options.ts";
import { checkStreamAddress, describeAddress, hostAddress, type TcpAddress } from "./address.ts";
import type { ConnectOptions, StreamSocket } from "./connection.ts";
import type { Net } from "./net.ts";

/**
 * Connects to whichever of several addresses answers first: the race that {@linkcode Net.connect} to a name runs over the resolver's answers, for whoever
 * has addresses already. An attempt starts 250 ms after the one before it, or as soon as one fails; IPv6 and IPv4 take turns, the family of the first
 * address first; an address that comes twice is tried once; at most 16 attempts are under way at once. Every loser is closed at once.
 *
 * The socket closes when `sw` ends, unless closed first. Cancelling gives every attempt up at once.
 *
 * Source: RFC 8305, "Happy Eyeballs Version 2".
 *
 * @param net The network. Each attempt is a `connect` of it, and the delays run on its clock.
 * @param sw The switch that owns the socket.
 * @param addresses The addresses, best first.
 * @param options As for {@linkcode Net.connect}; `timeout` is for the whole race. With `bindTo` only addresses of its family are tried.
 * @returns The connected socket.
 * @throws {NetError} When every attempt has failed: the code is that of the last one, and the cause an `AggregateError` with the error of each, in the order
 * in which they were started. `connection_timeout` when the time is over.
 * @throws {RangeError} When `addresses` is empty, a port is 0, or a number of milliseconds is out of range.
 * @throws {TypeError} When `sw` is finished, or an argument is of the wrong kind; nothing was opened then.
 * @throws {Cancelled} When the current scope, or `sw`, is cancelled.
 *
 * @example The replica that answers
 * ```ts
 * import { connectAny, run, Switch, tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * await run(({ net }) =>
 *   Switch.run(async (sw) => {
 *     const down = await net.listen(sw, tcp("127.0.0.2", 0));
 *     const up = await net.listen(sw, tcp("127.0.0.1", 0));
 *     await down.close();
 *     const flow = await connectAny(net, sw, [down.address, up.address]);
 *     assertEquals(flow.peer, up.address);
 *   })
 * );
 * ```
 */
export function connectAny(
  net: Net,
  sw: Switch,
  addresses: readonly TcpAddress[],
  options?: ConnectOptions,
): Promise<StreamSocket> {
  return operation(() => connectToAnyOf(net, sw, addresses, options));
}

async function connectToAnyOf(
  net: Net,
  sw: Switch,
  addresses: readonly TcpAddress[],
  options: ConnectOptions | undefined,
): Promise<StreamSocket> {
  checkShape("connect", "net", "a Net", net, "connect");
  const { clock } = net;
  checkClock("connect", clock);
  checkOptions("connect", options);
  if (typeof addresses?.[Symbol.iterator] !== "function") {
    throw new TypeError(
      `Cannot connect to any address as addresses must be a list: current value is ${describe(addresses)}`,
    );
  }
  const targets = [...addresses].map(checkTcpAddress);
  if (targets.length === 0) throw new RangeError("Cannot connect to any address: the list is empty");
  const given = readConnectOptions(options);
  // As hosts, whose family is not known before a lookup: bindTo may fit some of them only.
  const [{ timeout, bindTo, linger }] = targets.map(({ ip, port }) =>
    checkConnectOptions(hostAddress(`${ip}`, port), given)
  );
  const each: ConnectOptions = { bindTo, linger, socketOptions: given.socketOptions };
  const refusal = refusedFor(sw, "connect");
  if (refusal !== undefined) return await refusal;
  const target = `any of ${targets.length} addresses`;
  const attempt = () =>
    connectToAny({
      clock,
      target,
      bindTo,
      find: () => Promise.resolve(targets),
      dial: (address) => net.connect(sw, address, each),
    });
  return await within(clock, timeout, target, () => whileOwned(sw, "connect", { label: target }, attempt));
}

function checkTcpAddress(value: unknown): TcpAddress {
  const address = checkStreamAddress(value);
  if (address.transport === "tcp") return address;
  throw new TypeError(
    `Cannot connect to any of several addresses as each must be a TCP one: ${describeAddress(address)}`,
  );
}
