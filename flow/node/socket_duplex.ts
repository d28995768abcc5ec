// Copyright 2026 the Sluice authors. MIT license.

import type { Duplex } from "node:stream";
import type { IdleTimer } from "./_idle_timer.ts";

/** An address as sockets of Node have it. */
export interface SocketAddress {
  /** The IP address. */
  address: string;
  /** Its kind: "IPv4" or "IPv6". */
  family: string;
  /** The port. */
  port: number;
}

/**
 * What {@linkcode toDuplex} returns: a stream with the members of a socket of `node:net` that clients
 * use without asking whether they are there. Each does what it does there, unless it says otherwise
 * here. `'close'` is emitted with whether there was an error.
 */
export interface SocketDuplex extends Duplex {
  /** Whether the flow is yet to come. */
  readonly connecting: boolean;
  /** Whether the stream lacks a flow: it has not arrived yet, or the stream was destroyed. */
  readonly pending: boolean;
  /** Which directions are open: "opening", "open", "readOnly", "writeOnly" or "closed". */
  readonly readyState: string;
  /** How many bytes were taken from the flow. */
  readonly bytesRead: number;
  /** How many bytes were written, those that still wait included. */
  readonly bytesWritten: number;
  /** How many bytes wait to be taken by the flow; `undefined` once the stream was destroyed. */
  readonly bufferSize: number | undefined;
  /** The peer's IP address, if the flow has a `peer` with one. */
  readonly remoteAddress: string | undefined;
  /** Its kind: "IPv4" or "IPv6". */
  readonly remoteFamily: string | undefined;
  /** The peer's port. */
  readonly remotePort: number | undefined;
  /** The local IP address, if the flow has a `local` with one. */
  readonly localAddress: string | undefined;
  /** Its kind: "IPv4" or "IPv6". */
  readonly localFamily: string | undefined;
  /** The local port. */
  readonly localPort: number | undefined;
  /** What `setTimeout` was called with, in milliseconds. Assigning it sets no timer. */
  timeout: number | undefined;
  /** The local address, or an empty object. */
  address(): SocketAddress | Record<string, never>;
  /**
   * Connects nothing: the flow is connected, or about to be, to where it was opened, whatever the
   * arguments are. Emits `'connect'` and `'ready'`, which is what some clients wait for, as soon as
   * the flow is there.
   */
  connect(...ignored: unknown[]): this;
  /** Ends the stream, and destroys it once everything has gone out. */
  destroySoon(): void;
  /**
   * Destroys the stream and aborts the flow, so that the peer's connection is reset. While the
   * stream is connecting, that happens once the flow is there.
   */
  resetAndDestroy(): this;
  /**
   * Emits `'timeout'` whenever no byte was read or written for that long, in real time.
   *
   * @param ms Milliseconds, at most 2147483647; 0 is never.
   * @param listener Listens for the next `'timeout'`; with 0, listens no more.
   * @throws {TypeError} If `ms` is not a number, or `listener` not a function (`ERR_INVALID_ARG_TYPE`).
   * @throws {RangeError} If `ms` is negative or not finite (`ERR_OUT_OF_RANGE`).
   */
  setTimeout(ms: number, listener?: () => void): this;
  /** Sets TCP_NODELAY, if the flow has `setOption`. A flow that cannot do that goes on as it is. */
  setNoDelay(enable?: boolean): this;
  /**
   * Sets SO_KEEPALIVE, if the flow has `setOption`. A flow that cannot do that goes on as it is. The
   * delay is the system's.
   */
  setKeepAlive(enable?: boolean, ignored?: number): this;
  /** Does nothing: the flow's owner decides how long it lives. */
  ref(): this;
  /** Does nothing: the flow's owner decides how long it lives. */
  unref(): this;
}

/** What the members of a {@linkcode SocketDuplex} show and change. */
export interface SocketState {
  /** The flow, once it is there. */
  readonly flow: { readonly local?: unknown; readonly peer?: unknown } | undefined;
  readonly idle: IdleTimer;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Whether `'close'` was emitted. */
  readonly closed: boolean;
  /** Calls `fn` soon, where events are emitted. */
  later(fn: () => void): void;
  /** Sets an option of the flow, if that can be done. */
  setOption(name: string, value: boolean | number): void;
  /** Destroys the stream after a reset of the flow. */
  reset(): void;
}

/** Adds to `duplex` what makes a socket of it. */
export function asSocket(duplex: Duplex, state: SocketState): SocketDuplex {
  const remote = () => socketAddress(state.flow?.peer);
  const local = () => socketAddress(state.flow?.local);
  const members: Omit<SocketDuplex, Exclude<keyof Duplex, "closed">> & ThisType<SocketDuplex> = {
    timeout: undefined,
    get closed() {
      return state.closed;
    },
    get connecting() {
      return state.flow === undefined && !duplex.destroyed;
    },
    get pending() {
      return state.flow === undefined || duplex.destroyed;
    },
    get readyState() {
      if (this.connecting) return "opening";
      if (duplex.readable) return duplex.writable ? "open" : "readOnly";
      return duplex.writable ? "writeOnly" : "closed";
    },
    get bytesRead() {
      return state.bytesRead;
    },
    get bytesWritten() {
      return state.bytesWritten;
    },
    get bufferSize() {
      return duplex.destroyed ? undefined : duplex.writableLength;
    },
    get remoteAddress() {
      return remote()?.address;
    },
    get remoteFamily() {
      return remote()?.family;
    },
    get remotePort() {
      return remote()?.port;
    },
    get localAddress() {
      return local()?.address;
    },
    get localFamily() {
      return local()?.family;
    },
    get localPort() {
      return local()?.port;
    },
    address: () => local() ?? {},
    connect() {
      if (state.flow !== undefined) {
        state.later(() => {
          if (duplex.destroyed) return;
          duplex.emit("connect");
          duplex.emit("ready");
        });
      }
      return this;
    },
    destroySoon() {
      if (duplex.writable) duplex.end();
      if (duplex.writableFinished) duplex.destroy();
      else duplex.once("finish", () => duplex.destroy());
    },
    resetAndDestroy() {
      if (this.connecting) duplex.once("connect", () => state.reset());
      else state.reset();
      return this;
    },
    setTimeout(ms, listener) {
      if (duplex.destroyed) return this;
      this.timeout = ms;
      state.idle.set(ms);
      if (listener === undefined) return this;
      if (ms === 0) duplex.off("timeout", listener);
      else duplex.once("timeout", listener);
      return this;
    },
    setNoDelay(enable = true) {
      state.setOption("TCP_NODELAY", enable);
      return this;
    },
    setKeepAlive(enable = false) {
      state.setOption("SO_KEEPALIVE", enable);
      return this;
    },
    ref() {
      return this;
    },
    unref() {
      return this;
    },
  };
  return Object.defineProperties(duplex, Object.getOwnPropertyDescriptors(members)) as SocketDuplex;
}

function socketAddress(address: unknown): SocketAddress | undefined {
  const { ip, port } = (address ?? {}) as { ip?: { version?: unknown }; port?: unknown };
  if (typeof ip !== "object" || typeof port !== "number") return undefined;
  return { address: String(ip), family: ip.version === 6 ? "IPv6" : "IPv4", port };
}
