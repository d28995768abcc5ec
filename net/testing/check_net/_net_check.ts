// Copyright 2026 the Sluice authors. MIT license.

/** Shared helpers of the checks of a network. */
import { both, Switch } from "../../../switch/mod.ts";
import {
  type IpAddress,
  type ListeningSocket,
  type Net,
  NetError,
  type NetErrorCode,
  type StreamSocket,
  tcp,
  type TcpAddress,
  type UnixAddress,
} from "../../mod.ts";
import { expect, expectError, expectSame } from "../internal.ts";

/** A network under test. */
export interface NetSubject {
  readonly net: Net;
  /** The switch of the check, which owns what it opens. */
  readonly sw: Switch;
  /** An address of the network's own host. */
  readonly ip: IpAddress;
  /** Returns an unused Unix path, a new one on each call. */
  readonly unixPath: () => UnixAddress;
  /** A host name that resolves to `ip`. */
  readonly name: string;
}

/** One check of a network. */
export interface NetCheck {
  readonly name: string;
  /** An option of {@linkcode checkNet} without which this check is skipped. */
  readonly needs?: "unixPath" | "name";
  run(subject: NetSubject): Promise<void>;
}

/** Returns the network's address with port 0. */
export function anyPort({ ip }: NetSubject): TcpAddress {
  return tcp(ip, 0);
}

/** Listens on an ephemeral port. */
export function listening(subject: NetSubject): Promise<ListeningSocket<TcpAddress>> {
  return subject.net.listen(subject.sw, anyPort(subject));
}

/** Opens a connection: returns the client's end and the server's. */
export async function connected(subject: NetSubject, listener: ListeningSocket): Promise<[StreamSocket, StreamSocket]> {
  const { net, sw } = subject;
  return await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
}

/**
 * Returns a TCP address on which nothing listens, and nothing will: a connected client holds its
 * port for as long as the check runs.
 */
export async function refusingAddress(subject: NetSubject): Promise<TcpAddress> {
  const [client] = await connected(subject, await listening(subject));
  return client.local as TcpAddress;
}

/** Throws unless `operation` rejects with a {@linkcode NetError} of that code; returns it. */
export async function expectCode(
  operation: () => Promise<unknown>,
  code: NetErrorCode,
  what: string,
): Promise<NetError> {
  const error = await expectError(operation, NetError, what);
  expectSame(error.code, code, `the code of ${what}`);
  return error;
}

/** Throws unless the error's context has `step`. */
export function expectContext(error: NetError, step: string): void {
  expect(
    error.context.includes(step),
    `Expected the context to have "${step}": it is ${JSON.stringify(error.context)}`,
  );
}

/** Returns a switch that has ended. */
export async function finishedSwitch(): Promise<Switch> {
  return await Switch.run((sw) => sw);
}
