// Copyright 2026 the Sluice authors. MIT license.

/** An in-memory network that is controlled by a test. */
import {
  type Attempt,
  createNet,
  type NetProvider,
  type ProviderConnectOptions,
  type ProviderDatagram,
  type ProviderDatagramOptions,
  type ProviderListener,
  type ProviderListenerEvents,
  type ProviderListenOptions,
  type ProviderStream,
  type ProviderStreamEvents,
  type SocketKind,
} from "../../net/provider/mod.ts";
import {
  type DatagramAddress,
  formatAddress,
  IpAddress,
  type ListeningSocket,
  type Net,
  type NetFeature,
  type ServiceRecord,
  type SocketOptionName,
  type SocketOptionValue,
  type StreamAddress,
  type StreamSocket,
  type Switch,
  tcp,
  type TcpAddress,
} from "../../mod.ts";
import { mockClock } from "../../net/testing/mod.ts";
import { called } from "./_helpers.ts";

/** The addresses of both ends of a fake connection. */
export const clientAddress: TcpAddress = tcp("10.0.0.1", 40_000);
export const serverAddress: TcpAddress = tcp("10.0.0.2", 80);

/** The options of a fake socket. */
export class FakeSettings {
  /** Calls that set options, in order, as text. */
  readonly calls: string[] = [];
  /** Values that the system reports. */
  readonly known: Map<SocketOptionName, SocketOptionValue> = new Map();
  /** The error that setting an option throws. */
  error: unknown;

  set(name: SocketOptionName, value: SocketOptionValue): void {
    if (this.error !== undefined) throw this.error;
    this.calls.push(
      `${name} ${typeof value === "object" && !(value instanceof IpAddress) ? JSON.stringify(value) : value}`,
    );
  }
}

/** One end of a connection whose system is simulated by the test. */
export class FakeStream implements ProviderStream {
  local: StreamAddress = clientAddress;
  peer: StreamAddress = serverAddress;
  /** The most bytes that one write accepts. */
  takes = Infinity;
  /** Whether accepted bytes stay queued until {@linkcode FakeStream.passOn}. */
  holds = false;
  /** The accepted bytes, as text. */
  taken = "";
  state: "open" | "closed" | "aborted" = "open";
  ended = false;
  dropping = false;
  queued = false;
  /** Whether the peer ends when it receives our end. */
  answersEnd = true;
  /** Whether the system reports at once that it has closed the socket. */
  tellsClosed = true;
  attached = 0;
  /** Defined by a test of a system that cannot reset. */
  abandon: (() => void) | undefined;
  readonly settings: FakeSettings = new FakeSettings();
  readonly #arrived: Uint8Array<ArrayBuffer>[] = [];
  #inputEnded = false;
  #error: unknown;
  #events: ProviderStreamEvents | undefined;

  constructor(local?: StreamAddress, peer?: StreamAddress) {
    if (local !== undefined) this.local = local;
    if (peer !== undefined) this.peer = peer;
  }

  /** Simulates a socket that breaks with bytes queued before its end. */
  get lost(): { readonly error: unknown } | undefined {
    return this.queued && this.ended && this.#error !== undefined ? { error: this.#error } : undefined;
  }

  get flushed(): boolean {
    return !this.queued || this.state === "aborted" || this.#error !== undefined;
  }

  attach(events: ProviderStreamEvents): void {
    this.attached++;
    this.#events = events;
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    const piece = this.#arrived[0];
    if (piece !== undefined) return piece;
    if (this.#inputEnded) return null;
    if (this.#error !== undefined) throw this.#error;
    return undefined;
  }

  consume(size: number): void {
    const piece = this.#arrived[0];
    if (size === piece.length) this.#arrived.shift();
    else this.#arrived[0] = piece.subarray(size);
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    this.settings.set(name, value);
  }

  getOption(name: SocketOptionName): SocketOptionValue | undefined {
    return this.settings.known.get(name);
  }

  write(bytes: Uint8Array): number {
    if (this.#error !== undefined) throw this.#error;
    if (this.queued) return 0;
    const size = Math.min(bytes.length, this.takes);
    this.taken += new TextDecoder().decode(bytes.subarray(0, size));
    this.queued = this.holds && size > 0;
    return size;
  }

  give(buffers: readonly Uint8Array[]): number {
    return this.write(buffers[0]);
  }

  end(): void {
    if (this.ended) return;
    if (this.holds) this.queued = true;
    this.ended = true;
    if (!this.queued) queueMicrotask(() => this.#answerEnd());
  }

  drop(): void {
    this.dropping = true;
    this.#arrived.length = 0;
  }

  close(): void {
    this.#gone("closed");
  }

  abort(): void {
    this.#gone("aborted");
    this.#events?.writable();
  }

  #gone(state: "closed" | "aborted"): void {
    if (this.state !== "open") return;
    this.state = state;
    if (this.tellsClosed) queueMicrotask(() => this.tellClosed());
  }

  /** Simulates that the system has closed the socket. */
  tellClosed(): void {
    this.#events?.closed();
  }

  /** Simulates that the system has sent the queued bytes. */
  passOn(): void {
    this.queued = false;
    this.#events?.writable();
    if (this.ended) this.#answerEnd();
  }

  #answerEnd(): void {
    if (this.answersEnd && this.state === "open") this.arriveEnd();
  }

  /** Simulates the arrival of bytes. */
  arrive(text: string): void {
    if (!this.dropping) this.#arrived.push(new TextEncoder().encode(text));
    this.#events?.readable();
  }

  /** Simulates the peer's end. */
  arriveEnd(): void {
    this.#inputEnded = true;
    this.#events?.readable();
  }

  /** Breaks the connection. */
  break(error: unknown): void {
    this.#error = error;
    this.#events?.readable();
    this.#events?.writable();
  }
}

/** A listener whose system is simulated by the test. */
export class FakeListener implements ProviderListener {
  dropped = 0;
  closes = 0;
  readonly settings: FakeSettings = new FakeSettings();
  readonly address: StreamAddress;
  /** Pending connections and errors. */
  readonly queue: (ProviderStream | { error: unknown })[] = [];
  /** Whether `accept` signals `acceptable` while it returns a connection. */
  tellsAgain = false;
  #events: ProviderListenerEvents | undefined;

  constructor(address: StreamAddress) {
    this.address = address;
  }

  attach(events: ProviderListenerEvents): void {
    this.#events = events;
  }

  accept(): ProviderStream | undefined {
    const next = this.queue.shift();
    if (next !== undefined && this.tellsAgain) this.#events?.acceptable();
    if (next !== undefined && "error" in next) throw next.error;
    return next;
  }

  close(): Promise<void> {
    this.closes++;
    return Promise.resolve();
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    this.settings.set(name, value);
  }

  /** Simulates an incoming connection. */
  arrive(stream: FakeStream = new FakeStream(this.address, clientAddress)): FakeStream {
    this.queue.push(stream);
    this.#events?.acceptable();
    return stream;
  }

  /** Simulates connections that are reset because the backlog is full. */
  overflow(count: number): void {
    this.dropped += count;
    this.#events?.overflowing();
  }

  /** Makes one accept fail. */
  fail(error: unknown): void {
    this.queue.push({ error });
    this.#events?.acceptable();
  }
}

/** An attempt that the test completes. */
export class FakeAttempt<T> implements Attempt<T> {
  cancels = 0;
  readonly #result: PromiseWithResolvers<T> = Promise.withResolvers();

  get result(): Promise<T> {
    return this.#result.promise;
  }

  cancel(): void {
    this.cancels++;
  }

  succeed(value: T): T {
    this.#result.resolve(value);
    return value;
  }

  fail(error: unknown): void {
    this.#result.reject(error);
  }
}

/** A provider that records each call, and answers as the test says. */
export class FakeProvider implements NetProvider {
  readonly features: ReadonlySet<NetFeature> = new Set<NetFeature>(["pullAccept", "acceptErrors"]);
  readonly clock: ReturnType<typeof mockClock> = mockClock();
  /** The recorded calls. */
  readonly calls: string[] = [];
  readonly connects: FakeAttempt<ProviderStream>[] = [];
  readonly listens: FakeAttempt<ProviderListener>[] = [];
  readonly lookups: FakeAttempt<readonly IpAddress[]>[] = [];
  readonly nameLookups: FakeAttempt<readonly string[]>[] = [];
  readonly serviceLookups: FakeAttempt<readonly ServiceRecord[]>[] = [];
  /** Reports early answers of the last lookup. */
  found: (ips: readonly IpAddress[]) => void = () => {};
  /** The targets of the attempts in {@linkcode FakeProvider.connects}. */
  readonly targets: string[] = [];
  readonly datagrams: FakeAttempt<ProviderDatagram>[] = [];
  connectOptions: ProviderConnectOptions | undefined;
  listenOptions: ProviderListenOptions | undefined;
  datagramOptions: ProviderDatagramOptions | undefined;
  /** The options that its sockets support. */
  readonly socketOptions: Record<SocketKind, Set<SocketOptionName>> = {
    tcp: new Set(["TCP_NODELAY", "SO_KEEPALIVE", "IP_TOS", "IPV6_TCLASS"]),
    tcpListener: new Set(["TCP_NODELAY", "SO_KEEPALIVE", "IP_TOS", "IPV6_TCLASS", "IPV6_V6ONLY"]),
    udp: new Set(["SO_BROADCAST", "IP_TTL", "IP_ADD_MEMBERSHIP", "IP_MULTICAST_IF", "IPV6_V6ONLY"]),
  };

  connect(address: StreamAddress, options: ProviderConnectOptions): Attempt<ProviderStream> {
    const { bindTo } = options;
    this.connectOptions = options;
    this.calls.push(bindTo === undefined ? "connect" : `connect from ${formatAddress(bindTo)}`);
    this.targets.push(formatAddress(address));
    return added(this.connects);
  }

  listen(_address: StreamAddress, options: ProviderListenOptions): Attempt<ProviderListener> {
    this.calls.push("listen");
    this.listenOptions = options;
    return added(this.listens);
  }

  lookup(name: string, found: (ips: readonly IpAddress[]) => void): Attempt<readonly IpAddress[]> {
    this.calls.push(`lookup ${name}`);
    this.found = found;
    return added(this.lookups);
  }

  datagram(_address: DatagramAddress, options: ProviderDatagramOptions): Attempt<ProviderDatagram> {
    this.calls.push("datagram");
    this.datagramOptions = options;
    return added(this.datagrams);
  }

  lookupName(ip: IpAddress): Attempt<readonly string[]> {
    this.calls.push(`lookupName ${ip}`);
    return added(this.nameLookups);
  }

  lookupServices(name: string): Attempt<readonly ServiceRecord[]> {
    this.calls.push(`lookupServices ${name}`);
    return added(this.serviceLookups);
  }
}

function added<T>(attempts: FakeAttempt<T>[]): FakeAttempt<T> {
  const attempt = new FakeAttempt<T>();
  attempts.push(attempt);
  return attempt;
}

/** Creates a network over a fake provider. */
export function fakeNet(): { net: Net; provider: FakeProvider; clock: FakeProvider["clock"] } {
  const provider = new FakeProvider();
  return { net: createNet(provider), provider, clock: provider.clock };
}

/** Opens a socket over a fake connection. */
export async function fakeSocket(
  sw: Switch,
  options: { linger?: number } = {},
): Promise<{ socket: StreamSocket; stream: FakeStream; clock: FakeProvider["clock"] }> {
  const { net, provider, clock } = fakeNet();
  const connecting = net.connect(sw, serverAddress, options);
  await called(() => provider.connects.length === 1);
  const stream = new FakeStream();
  provider.connects[0].succeed(stream);
  return { socket: await connecting, stream, clock };
}

/** Opens a listening socket over a fake one. */
export async function fakeListener(
  sw: Switch,
): Promise<{ listener: ListeningSocket; system: FakeListener; clock: FakeProvider["clock"] }> {
  const { net, provider, clock } = fakeNet();
  const listening = net.listen(sw, serverAddress);
  await called(() => provider.listens.length === 1);
  const system = new FakeListener(serverAddress);
  provider.listens[0].succeed(system);
  return { listener: await listening, system, clock };
}
