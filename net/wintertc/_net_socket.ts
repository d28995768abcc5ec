// Copyright 2026 the Sluice authors. MIT license.

import { hideClass, isInstance } from "../../base/internal.ts";
import { BridgeScope, ClosedError, ignore } from "../../flow/internal.ts";
import { type ControlledReadable, controlledReadable } from "../../flow/web/internal.ts";
import { type ControlledWritable, controlledWritable } from "../../flow/web/internal.ts";
import { Cancelled, hasEnded, interruptible, refused, type ReleaseHook, type Switch } from "../../switch/internal.ts";
import { type Connection, defaultLinger, linger, type StreamAddress } from "../internal.ts";
import { formatAddress, type Net } from "../mod.ts";
import { tlsClient, type TlsClientOptions } from "../tls/mod.ts";
import { type ConnectTerms, readExpectedName, type Target } from "./_arguments.ts";
import { isReset, socketErrorOf } from "./_failure.ts";
import { LateFlow } from "./_late_flow.ts";
import { SocketError } from "./socket_error.ts";
import type { WinterSecureTransport, WinterSocket, WinterSocketInfo, WinterTlsOptions } from "./winter_socket.ts";

/** What all sockets of one `connect` share. */
export interface Authority {
  readonly net: Net;
  readonly sw: Switch;
  readonly tls: Partial<TlsClientOptions>;
}

/** A promise with its resolvers. Its rejection is never unhandled. */
class Outcome<T> {
  resolve!: (value: T) => void;
  reject!: (reason: unknown) => void;
  readonly promise: Promise<T> = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.promise.catch(ignore);
  }
}

/** Opens a connection, in the scope of the socket. */
type Opening = () => Promise<Connection & { readonly protocol?: string | undefined }>;

/** Opens the first socket of a connection. */
export function openSocket(authority: Authority, { address, hostname }: Target, terms: ConnectTerms): WinterSocket {
  const { net, sw } = authority;
  const label = `socket to ${hostname}:${address.port}`;
  const refusal = refused(); // of the caller
  refusal?.catch(ignore); // the switch may refuse first
  return new NetSocket(authority, label, terms, async () => {
    if (refusal !== undefined) return await refusal;
    const flow = await net.connect(sw, address);
    return terms.secureTransport === "on" ? await secure(authority, flow, terms, terms.serverName) : flow;
  });
}

/** Starts TLS over a connection. If that fails, the connection is closed. */
async function secure({ net, sw, tls }: Authority, flow: Connection, { protocols }: ConnectTerms, serverName: string) {
  try {
    return await tlsClient(sw, flow, { ...tls, clock: tls.clock ?? net.clock, serverName, protocols });
  } catch (error) {
    flow.abort(error); // has an effect only after an invalid option, with which TLS does not begin
    throw error;
  }
}

/** A socket. Its I/O is done in the scope of its switch, whichever code uses it. */
class NetSocket implements WinterSocket {
  static {
    hideClass(this);
  }

  readonly #authority: Authority;
  readonly #label: string;
  readonly #terms: ConnectTerms;
  readonly #scope: BridgeScope;
  readonly #opening: Promise<Connection>;
  readonly #readable: ControlledReadable;
  readonly #writable: ControlledWritable;
  readonly #opened: Outcome<WinterSocketInfo> = new Outcome();
  readonly #closed: Outcome<void> = new Outcome();
  #flow: Connection | undefined;
  /** A socket whose peer has ended is `finishing` until its last bytes are sent. */
  #state: "live" | "finishing" | "over" = "live";
  #received = false;
  #sent = false;
  #upgraded = false;
  #hook: ReleaseHook | undefined;
  #forget: () => void = ignore;

  constructor(authority: Authority, label: string, terms: ConnectTerms, open: Opening) {
    this.#authority = authority;
    this.#label = label;
    this.#terms = terms;
    const scope = this.#scope = new BridgeScope(authority.sw);
    this.#opening = scope.run(open).catch((cause) => Promise.reject(socketErrorOf(cause)));
    const flow = new LateFlow(this.#opening, {
      received: () => this.#receiveEnded(),
      sent: () => this.#sendEnded(),
      broke: (failure, cause) => this.#broke(failure, cause),
    });
    this.#readable = scope.call(() => controlledReadable(flow));
    this.#writable = scope.call(() => controlledWritable(flow));
    this.#opening.then((flow) => this.#arrived(flow)).catch((error) => this.#fail(error));
    Object.freeze(this);
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable.stream;
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable.stream;
  }

  get opened(): Promise<WinterSocketInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  get upgraded(): boolean {
    return this.#upgraded;
  }

  get secureTransport(): WinterSecureTransport {
    return this.#terms.secureTransport;
  }

  close(reason?: unknown): Promise<void> {
    if (this.#state === "over" || this.#upgraded) return this.closed;
    const truncated = this.#writable.unwritten > 0;
    const error = reason ?? new SocketError(`Cannot use the ${this.#label}: closed by this side`);
    this.#end(error);
    const ended = [this.#scope.stop(error), this.#readable.end(), this.#writable.fail(error)];
    this.#scope.end(async () => {
      await Promise.all(ended);
      const flow = await this.#opening.catch(ignore);
      if (truncated) flow?.abort(error);
      await flow?.close();
    }).then(this.#closed.resolve, (cause) => this.#closed.reject(socketErrorOf(cause)));
    return this.closed;
  }

  startTls(options?: WinterTlsOptions | null): WinterSocket {
    const serverName = readExpectedName(options) ?? this.#terms.serverName;
    this.#checkUpgrade();
    this.#upgraded = true;
    const detaching = this.#detach();
    detaching.catch(ignore); // this socket reports it
    const terms: ConnectTerms = { ...this.#terms, secureTransport: "on" };
    return new NetSocket(this.#authority, this.#label, terms, async () => {
      try {
        const flow = await interruptible(detaching);
        return await secure(this.#authority, flow, terms, serverName);
      } catch (error) {
        this.#opening.then((flow) => flow.abort(error)).catch(ignore); // what was written may wait for the peer
        throw error;
      }
    });
  }

  #checkUpgrade(): void {
    const { secureTransport } = this.#terms;
    const refuse = (rule: string): never => {
      throw new SocketError(`Cannot start TLS on the ${this.#label}: ${rule}`);
    };
    if (secureTransport === "on") refuse("it uses TLS already");
    if (secureTransport === "off") refuse('its secureTransport must be "starttls"');
    if (this.#upgraded) refuse("it was upgraded already");
    if (this.#state !== "live") refuse("it is closed");
  }

  /** Ends this socket, and returns its connection once everything written was taken. */
  async #detach(): Promise<Connection> {
    this.#state = "finishing";
    const error = new SocketError(`Cannot use the ${this.#label}: it was upgraded, so use what startTls returned`);
    const reading = this.#readable.end();
    const flow = await this.#opening;
    await this.#writable.drained();
    await Promise.all([reading, this.#writable.fail(error)]);
    this.#end(error);
    this.#closed.resolve();
    return flow;
  }

  #arrived(flow: Connection & { readonly protocol?: string | undefined }): void {
    if (this.#state === "over") return; // close() closes the connection
    this.#flow = flow;
    if (hasEnded(this.#authority.sw)) return this.#fail(this.#switchEnded());
    // After the hook of the connection, so that it runs before that.
    this.#hook = this.#scope.onRelease({ release: () => this.#released(), label: this.#label });
    this.#forget = this.#scope.onCancel(this.#label, (reason) => this.#fail(reason));
    this.#opened.resolve(Object.freeze({
      remoteAddress: hostAndPort(flow.peer),
      localAddress: hostAndPort(flow.local),
      alpn: flow.protocol ?? null,
    }));
  }

  #receiveEnded(): void {
    this.#received = true;
    if (this.#sent || !this.#terms.allowHalfOpen) this.#finish();
  }

  #sendEnded(): void {
    this.#sent = true;
    if (this.#received) this.#finish();
  }

  #broke(failure: unknown, cause: unknown): void {
    if (this.#state === "over" || isInstance(failure, Cancelled)) return;
    if (isReset(cause)) this.#closed.resolve();
    this.#flow?.abort(failure);
    this.#fail(failure);
  }

  /** Closes the socket gracefully, after the peer has ended. */
  async #finish(): Promise<void> {
    if (this.#state !== "live") return;
    this.#state = "finishing";
    const { stream } = this.#writable;
    const error = new SocketError(`Cannot write to the ${this.#label}: the peer has ended`);
    if (stream.locked) await this.#writable.drained();
    else await stream.close().catch(ignore);
    if (this.#state !== "finishing") return;
    await this.close(error);
  }

  /**
   * The switch has ended: waits for writes in progress, and leaves the connection to its own hook.
   */
  async #released(): Promise<void> {
    const { sw, net } = this.#authority;
    if (this.#writable.unwritten > 0) await linger(sw, net.clock, defaultLinger, this.#writable.drained());
    if (this.#state === "over") return;
    const error = this.#switchEnded();
    if (this.#writable.unwritten > 0) this.#flow?.abort(error);
    this.#fail(error);
  }

  #switchEnded(): unknown {
    return socketErrorOf(new ClosedError(`use the ${this.#label}`, "its switch has ended"));
  }

  #fail(error: unknown): void {
    if (this.#state === "over") return;
    this.#end(error);
    this.#closed.reject(error);
    this.#readable.end({ error });
    this.#writable.fail(error);
  }

  /** Ends the socket. */
  #end(error: unknown): void {
    this.#state = "over";
    this.#opened.reject(error);
    this.#hook?.remove();
    this.#forget();
  }
}

function hostAndPort(address: StreamAddress): string | null {
  return address.transport === "tcp" ? formatAddress(address).slice("tcp:".length) : null;
}
