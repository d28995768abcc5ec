// Copyright 2026 the Sluice authors. MIT license.

/** What the tests of sockets share. */
import { assertEquals, assertRejects } from "@std/assert";
import process from "node:process";
import { type Net, NetError, type NetErrorCode, run, type StreamSocket, Switch, tcp } from "../../mod.ts";
import type { ListeningSocket, TcpAddress } from "../../mod.ts";

/** A port on loopback that the system chooses. */
export const anyPort: TcpAddress = tcp("127.0.0.1", 0);

/** An address of loopback at which no other process is: the number of this one is in it. */
export const ownHost: string = `127.${64 + (process.pid >> 16)}.${process.pid >> 8 & 255}.${process.pid & 255}`;

let ownPorts = 0;

/**
 * A port of {@linkcode ownHost} on which nobody listens, nor will, but who is told it: another one each time, below those
 * that the system chooses. A port of the system's choice that is closed may be another process's a moment later.
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

/** A promise, and what settles it. */
export interface Signal<T = void> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

/** Something to wait for. */
export function signal<T = void>(): Signal<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  promise.catch(() => {});
  return { promise, resolve, reject };
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The text of bytes. */
export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Waits until `operation` rejects with a `NetError` of that code. */
export async function assertNetError(operation: () => Promise<unknown>, code: NetErrorCode): Promise<NetError> {
  const error = await assertRejects(operation, NetError);
  assertEquals(error.code, code, String(error.cause));
  return error;
}

/** A turn of the event loop, in which what is under way can go on. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits, turn by turn, until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A switch that has ended. */
export async function finishedSwitch(): Promise<Switch> {
  return await Switch.run((sw) => sw);
}
