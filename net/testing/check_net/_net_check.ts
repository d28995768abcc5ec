// Copyright 2026 the Sluice authors. MIT license.

/** What the checks of networks share. */
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

/** A network under test, and what is known of it. */
export interface NetSubject {
  readonly net: Net;
  /** Owns what a check opens. It ends with the check. */
  readonly sw: Switch;
  /** An address of the network's own host. */
  readonly ip: IpAddress;
  /** Gives a Unix path that nobody uses. */
  readonly unixPath: () => UnixAddress;
  /** A name that leads to `ip`. */
  readonly name: string;
}

/** One check of a network. */
export interface NetCheck {
  readonly name: string;
  /** What must be known of the network for this check to be run. */
  readonly needs?: "unixPath" | "name";
  run(subject: NetSubject): Promise<void>;
}

/** Our own address with a port that the system chooses. */
export function here({ ip }: NetSubject): TcpAddress {
  return tcp(ip, 0);
}

/** Listens where nobody else does. */
export function listening(subject: NetSubject): Promise<ListeningSocket<TcpAddress>> {
  return subject.net.listen(subject.sw, here(subject));
}

/** A connection: the one who connected, and the one who accepted. */
export async function connected(subject: NetSubject, listener: ListeningSocket): Promise<[StreamSocket, StreamSocket]> {
  const { net, sw } = subject;
  return await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
}

/** A TCP address on which nobody listens, and no other process will: it is that of a client, which lives as long as the check. */
export async function deserted(subject: NetSubject): Promise<TcpAddress> {
  const [client] = await connected(subject, await listening(subject));
  return client.local as TcpAddress;
}

/** Throws unless `operation` rejects with a {@linkcode NetError} of that code, and gives the error. */
export async function expectCode(
  operation: () => Promise<unknown>,
  code: NetErrorCode,
  what: string,
): Promise<NetError> {
  const error = await expectError(operation, NetError, what);
  expectSame(error.code, code, `the code of ${what}`);
  return error;
}

/** Throws unless the error says what was done. */
export function expectContext(error: NetError, step: string): void {
  expect(
    error.context.includes(step),
    `Expected the context to have "${step}": it is ${JSON.stringify(error.context)}`,
  );
}

/** A switch that has ended. */
export async function finishedSwitch(): Promise<Switch> {
  return await Switch.run((sw) => sw);
}
