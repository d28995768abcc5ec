// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of WinterTC's sockets. */
import { formatAddress, type Net, type StreamSocket, Switch, type TcpAddress } from "../../../mod.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import {
  toConnect,
  type WinterConnect,
  type WinterSocket,
  type WinterSocketOptions,
} from "../../../net/wintertc/mod.ts";
import { bytesOf, textOf } from "../../_helpers.ts";
import { test, type TestOptions } from "../../_test.ts";
import { anyPort, withNet } from "../_helpers.ts";

/** Runs `fn` with a network and a switch. */
export type WithNet = (fn: (sw: Switch, net: Net) => Promise<void>) => Promise<void>;

/** The networks on which each behaviour is tested. */
export const networks: Readonly<Record<string, WithNet>> = {
  "a system's": withNet,
  "a memory": (fn) => Switch.run((sw) => fn(sw, memoryNet())),
};

/** Registers a test for each network: "connect() on a memory network does this". */
export function testOnNets(
  symbol: string,
  behaviour: string,
  fn: (sw: Switch, net: Net) => Promise<void>,
  options?: TestOptions,
): void {
  for (const [name, run] of Object.entries(networks)) {
    test(`${symbol} on ${name} network ${behaviour}`, () => run(fn), options);
  }
}

/** A socket and what its server has accepted. */
export interface Dialled {
  readonly connect: WinterConnect;
  readonly address: TcpAddress;
  readonly socket: WinterSocket;
  readonly server: StreamSocket;
}

/** Returns the text of an address, as `connect` takes it. */
export function hostAndPort(address: TcpAddress): string {
  return formatAddress(address).slice("tcp:".length);
}

/** Connects to a server of its own. */
export async function dial(sw: Switch, net: Net, options?: WinterSocketOptions): Promise<Dialled> {
  const listener = await net.listen(sw, anyPort);
  const accepting = listener.accept(sw);
  const connect = toConnect(net, sw);
  const socket = connect(hostAndPort(listener.address), options);
  return { connect, address: listener.address, socket, server: await accepting };
}

/** Writes a text, and waits until it was taken. */
export async function send(socket: WinterSocket, text: string): Promise<void> {
  const writer = socket.writable.getWriter();
  await writer.write(bytesOf(text));
  writer.releaseLock();
}

/** Reads once. */
export async function receive(socket: WinterSocket): Promise<string | null> {
  const reader = socket.readable.getReader();
  try {
    const { done, value } = await reader.read();
    return done ? null : textOf(value);
  } finally {
    reader.releaseLock();
  }
}

/** Reads to the end. */
export async function receiveAll(socket: WinterSocket): Promise<string> {
  let all = "";
  for (let text = await receive(socket); text !== null; text = await receive(socket)) all += text;
  return all;
}
