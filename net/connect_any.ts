// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, describe, isAsyncIterable, isIterable } from "../base/internal.ts";
import { ignore, operation } from "../flow/internal.ts";
import { interruptible, refusedFor, type Switch } from "../switch/internal.ts";
import { connectToAny, connectWithin } from "./_connect.ts";
import { checkConnectable, checkConnectOptions, readConnectOptions } from "./_connect_options.ts";
import { labelled, whileOwned } from "./_open_owned.ts";
import { checkStreamAddress, describeAddress, type HostAddress, type TcpAddress } from "./address.ts";
import type { ConnectOptions, StreamSocket } from "./connection.ts";
import { clockOfNet, type Net } from "./net.ts";

/**
 * Connects to the first of several addresses that answers, as {@linkcode Net.connect} to a host
 * name does over {@linkcode Net.addresses}. An attempt starts 250 ms after the previous one, or as
 * soon as one fails. IPv6 and IPv4 alternate, beginning with the family of the first address.
 * Duplicate addresses are tried once, at most 16 attempts run at once, and the losers are closed at
 * once.
 *
 * Addresses of an `AsyncIterable` are tried as they arrive; if IPv4 ones arrive first, they wait up
 * to 50 ms for IPv6 ones. A fiber of the call reads the iterable. When the race is won or
 * cancelled, the iterable's `return` is called and not awaited.
 *
 * The socket closes when `sw` ends, unless closed first. Cancelling abandons every attempt at once.
 *
 * Source: RFC 8305, "Happy Eyeballs Version 2".
 *
 * @param net The network. Attempts use its `connect`, and delays its clock.
 * @param sw The switch that owns the socket.
 * @param addresses The addresses, best first: a list, or lists as they become known.
 * @param options As for {@linkcode Net.connect}. `timeout` covers the whole race. With `bindTo`,
 * only addresses of its family are tried.
 * @returns The connected socket.
 * @throws {NetError} If every attempt fails: the code is that of the last one, and the cause an
 * `AggregateError` of all errors, in the order in which the attempts started. `connection_timeout`
 * if the time is over.
 * @throws {RangeError} If there are no addresses, a port is 0, or a number of milliseconds is out
 * of range.
 * @throws {TypeError} If `sw` is finished, or an argument is of the wrong kind; nothing is opened.
 * @throws {unknown} If `addresses` throws; attempts in progress are abandoned.
 * @throws {Cancelled} If the current scope, or `sw`, is cancelled.
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
 *
 * @example Only some addresses of a name
 * ```ts
 * import { connectAny, type Net, type StreamSocket, type Switch, tcp, type TcpAddress } from "@sluice/io";
 *
 * function connectOverIpv6(net: Net, sw: Switch, name: string, port: number): Promise<StreamSocket> {
 *   async function* addresses(): AsyncGenerator<TcpAddress[]> {
 *     for await (const ips of net.addresses(name)) {
 *       yield ips.filter(({ version }) => version === 6).map((ip) => tcp(ip, port));
 *     }
 *   }
 *   return connectAny(net, sw, addresses());
 * }
 * ```
 */
export function connectAny(
  net: Net,
  sw: Switch,
  addresses: Iterable<TcpAddress> | AsyncIterable<readonly TcpAddress[]>,
  options?: ConnectOptions,
): Promise<StreamSocket> {
  return operation(() => connectToAnyOf(net, sw, addresses, options));
}

/**
 * Implements {@linkcode connectAny}.
 *
 * @param host The name that has these addresses, for errors.
 */
export async function connectToAnyOf(
  net: Pick<Net, "connect" | "clock">,
  sw: Switch,
  addresses: Iterable<TcpAddress> | AsyncIterable<readonly TcpAddress[]>,
  options: ConnectOptions | undefined,
  host?: HostAddress,
): Promise<StreamSocket> {
  const clock = clockOfNet("connect", net, "connect");
  checkOptions("connect", options);
  const known = isIterable(addresses) ? checkAddresses(addresses) : undefined;
  if (known?.length === 0) throw new RangeError("Cannot connect to any address: the list is empty");
  if (known === undefined && !isAsyncIterable(addresses)) {
    const current = `current value is ${describe(addresses)}`;
    throw new TypeError(`Cannot connect to any address as addresses must be a list or an AsyncIterable: ${current}`);
  }
  const read = readConnectOptions(options);
  const target = host ?? `any of ${known?.length ?? "several"} addresses`;
  const { timeout, bindTo, linger } = checkConnectOptions(target, read);
  const eachOptions: ConnectOptions = { bindTo, linger, socketOptions: read.socketOptions };
  const refusal = refusedFor(sw, "connect");
  if (refusal !== undefined) return await refusal;
  const attempt = () =>
    connectToAny({
      clock,
      target,
      bindTo,
      answers: known === undefined ? interruptibly(addresses as AsyncIterable<readonly TcpAddress[]>) : once(known),
      addressesOf: checkAddresses,
      dial: (address) => net.connect(sw, address, eachOptions),
      take: (socket) => socket,
    });
  return await connectWithin(
    clock,
    timeout,
    target,
    () => whileOwned(sw, "connect", typeof target === "string" ? { label: target } : labelled(target), attempt),
  );
}

async function* once<T>(value: T): AsyncGenerator<T, void> {
  yield value;
}

/**
 * Reads an asynchronous iterable that may ignore the current scope. On cancellation, or when the
 * loop is left, calls its `return` without awaiting it.
 */
function interruptibly<T>(items: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = items[Symbol.asyncIterator]();
      const leave = () => void new Promise((resolve) => resolve(iterator.return?.())).catch(ignore);
      return {
        next: () =>
          interruptible(Promise.resolve(iterator.next())).catch((error) => {
            leave();
            throw error;
          }),
        return() {
          leave();
          return Promise.resolve({ done: true, value: undefined });
        },
      };
    },
  };
}

function checkAddresses(values: unknown): TcpAddress[] {
  if (isIterable(values)) return [...values].map(checkTcpAddress);
  throw new TypeError(
    `Cannot connect to any address as an AsyncIterable must yield lists: current value is ${describe(values)}`,
  );
}

function checkTcpAddress(value: unknown): TcpAddress {
  const address = checkStreamAddress(value as TcpAddress);
  if (address.transport !== "tcp") {
    throw new TypeError(
      `Cannot connect to any of several addresses as each must be a TCP one: ${describeAddress(address)}`,
    );
  }
  checkConnectable(address);
  return address;
}
