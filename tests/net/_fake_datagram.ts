// Copyright 2026 the Sluice authors. MIT license.

/** A datagram socket whose system is simulated by the test. */
import {
  type Datagram,
  type DatagramAddress,
  type DatagramOptions,
  type DatagramSocket,
  type SocketOptionName,
  type SocketOptionValue,
  type Switch,
  udp,
  type UdpAddress,
} from "../../mod.ts";
import type { ProviderDatagram, ProviderDatagramEvents } from "../../net/provider/mod.ts";
import { bytesOf, textOf } from "../_helpers.ts";
import { fakeNet, type FakeProvider, FakeSettings } from "./_fake_provider.ts";
import { called } from "./_helpers.ts";

/** The sender of datagrams to a fake socket. */
export const peer: UdpAddress = udp("10.0.0.2", 53);

/** A datagram socket that is controlled by a test. */
export class FakeDatagram implements ProviderDatagram {
  local: DatagramAddress = udp("10.0.0.1", 40_000);
  dropped = 0;
  closes = 0;
  /** The number of datagrams that `send` still accepts. */
  room = Infinity;
  /** Datagrams passed to the system, as text, each with its callback. */
  readonly given: { text: string; to: UdpAddress | undefined; done: (error?: unknown) => void }[] = [];
  readonly settings: FakeSettings = new FakeSettings();
  readonly #arrived: Datagram[] = [];
  #error: unknown;
  #events: ProviderDatagramEvents | undefined;

  get queued(): number {
    return this.#arrived.length;
  }

  attach(events: ProviderDatagramEvents): void {
    this.#events = events;
  }

  take(): Datagram | undefined {
    const datagram = this.#arrived.shift();
    if (datagram === undefined) this.#throw();
    return datagram;
  }

  send(data: readonly Uint8Array[], to: UdpAddress | undefined, done: (error?: unknown) => void): boolean {
    this.#throw();
    if (this.room === 0) return false;
    this.room--;
    this.given.push({ text: data.map(textOf).join(""), to, done });
    return true;
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    this.settings.set(name, value);
  }

  getOption(name: SocketOptionName): SocketOptionValue | undefined {
    return this.settings.known.get(name);
  }

  close(): void {
    this.closes++;
    queueMicrotask(() => this.#events?.closed());
  }

  /** Simulates the arrival of a datagram. */
  arrive(content: string, from: DatagramAddress = peer): void {
    this.#arrived.push({ data: bytesOf(content), from });
    this.#events?.receivable();
  }

  /** Simulates an error that the system reports about the socket. */
  report(error: unknown): void {
    this.#error = error;
    this.#events?.receivable();
  }

  /** Accepts `count` more datagrams. */
  makeRoom(count: number): void {
    this.room = count;
    this.#events?.sendable();
  }

  #throw(): void {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
  }
}

/** Opens a datagram socket over a fake one. */
export async function fakeDatagramSocket(
  sw: Switch,
  options: DatagramOptions = {},
): Promise<{ socket: DatagramSocket; system: FakeDatagram; provider: FakeProvider }> {
  const { net, provider } = fakeNet();
  const opening = net.datagramSocket(sw, "udp4", options);
  await called(() => provider.datagrams.length === 1);
  const system = new FakeDatagram();
  provider.datagrams[0].succeed(system);
  return { socket: await opening, system, provider };
}
