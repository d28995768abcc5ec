// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of sockets. */
import { assertEquals, assertRejects } from "@std/assert";
import process from "node:process";
import {
  type Connection,
  copy,
  formatAddress,
  type Net,
  NetError,
  type NetErrorCode,
  run,
  type StreamSocket,
} from "../../mod.ts";
import { type DatagramSocket, type ListeningSocket, Switch, tcp, type TcpAddress, type TwoWay } from "../../mod.ts";
import { seededRandom } from "../../net/testing/_random.ts";
import { textOf } from "../_helpers.ts";

/** An ephemeral port on loopback. */
export const anyPort: TcpAddress = tcp("127.0.0.1", 0);

/** A loopback address that no other process uses: it contains this process's number. */
export const ownHost: string = `127.${64 + (process.pid >> 16)}.${process.pid >> 8 & 255}.${process.pid & 255}`;

let ownPorts = 0;

/**
 * Returns a port of {@linkcode ownHost} that is unused until a test listens on it: a different one
 * each time, below the ephemeral ports. An ephemeral port that was closed may be another process's
 * a moment later.
 */
export function ownPort(): number {
  return 10_000 + (process.pid * 8 + ownPorts++) % 22_000;
}

/** Runs `fn` with the system's network and a switch. */
export function withNet<T>(fn: (sw: Switch, net: Net) => Promise<T>): Promise<T> {
  return run((env) => Switch.run((sw) => fn(sw, env.net)));
}

/** Two connected sockets of the system, and their listener. */
export interface Connected {
  client: StreamSocket;
  server: StreamSocket;
  listener: ListeningSocket<TcpAddress>;
}

/** Runs `fn` with two connected sockets. */
export function withSockets<T>(fn: (sockets: Connected, sw: Switch, net: Net) => Promise<T>): Promise<T> {
  return withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const accepting = listener.accept(sw);
    const client = await net.connect(sw, listener.address);
    return await fn({ client, server: await accepting, listener }, sw, net);
  });
}

/** A promise, and the function that resolves it. */
export interface Signal<T = void> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

/** Creates a {@linkcode Signal}. */
export function signal<T = void>(): Signal<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** Waits until `operation` rejects with a `NetError` with the code `code`. */
export async function assertNetError(operation: () => Promise<unknown>, code: NetErrorCode): Promise<NetError> {
  const error = await assertRejects(operation, NetError);
  assertEquals(error.code, code, String(error.cause));
  return error;
}

/**
 * Waits until a connection whose peer has aborted it is cut off: by a reset where the network has
 * one, and otherwise by an end. Returns how many bytes arrived before.
 */
export async function assertCutOff(net: Net, connection: Connection): Promise<number> {
  const buffer = new Uint8Array(9999);
  let received = 0;
  const reading = async () => {
    for (let size; (size = await connection.read(buffer)) !== null;) received += size;
  };
  if (net.features.has("reset")) await assertNetError(reading, "connection_reset");
  else await reading();
  return received;
}

/** Returns a switch that has ended. */
export async function finishedSwitch(): Promise<Switch> {
  return await Switch.run((sw) => sw);
}

/** Runs microtasks until `condition` holds. */
export async function called(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await Promise.resolve();
  }
  throw new Error("Condition did not come to hold within 1000 microtasks");
}

/** Runs microtasks. */
export async function microtasks(count = 50): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

/** Returns a flow with only the required members. */
export function bare(flow: TwoWay): TwoWay {
  return {
    read: (buffer) => flow.read(buffer),
    write: (bytes) => flow.write(bytes),
    shutdown: (how) => flow.shutdown(how),
  };
}

/** Errors like the system's. */
export const refused: Error = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
export const reset: Error = Object.assign(new Error("connect ECONNRESET"), { code: "ECONNRESET" });
export const emfile: Error = Object.assign(new Error("accept EMFILE"), { code: "EMFILE" });

/** An `onError` that fails the server with the reported error. */
export const rethrow = (error: unknown): Promise<never> => Promise.reject(error);

/** Echoes all input. */
export const echo = (flow: StreamSocket): Promise<number> => copy(flow, flow);

/** Returns the text and the sender of the next datagram. */
export async function nextDatagram(socket: DatagramSocket): Promise<string> {
  const buffer = new Uint8Array(2000);
  const { size, from } = await socket.recv(buffer);
  return `${textOf(buffer.subarray(0, size))} from ${formatAddress(from)}`;
}

/** Returns a generator of random integers in [0, `below`), seeded. */
export function generator(seed: number): (below: number) => number {
  const random = seededRandom(seed);
  return (below) => Math.floor(random() * below);
}
