// Copyright 2026 the Sluice authors. MIT license.

import type { Duplex } from "node:stream";
import type { IdleTimer } from "./_idle_timer.ts";

/** An address, as `node:net` sockets report it. */
export interface SocketAddress {
  /** The IP address. */
  address: string;
  /** The address family: "IPv4" or "IPv6". */
  family: string;
  /** The port. */
  port: number;
}

/**
 * A stream made by {@linkcode toDuplex}, with the members of a `node:net` socket that clients take
 * for granted. Each behaves as it does there, except as noted here. `'close'` is emitted with
 * whether there was an error.
 */
export interface SocketDuplex extends Duplex {
  /** Whether the flow has yet to arrive. */
  readonly connecting: boolean;
  /** Whether the stream has no flow: it has not arrived yet, or the stream was destroyed. */
  readonly pending: boolean;
  /** Which directions are open: "opening", "open", "readOnly", "writeOnly" or "closed". */
  readonly readyState: string;
  /** How many bytes were received. */
  readonly bytesRead: number;
  /** How many bytes were written, including those still queued. */
  readonly bytesWritten: number;
  /** How many bytes the flow has yet to take; `undefined` once the stream was destroyed. */
  readonly bufferSize: number | undefined;
  /** The peer's IP address, if the flow has a `peer` with one. */
  readonly remoteAddress: string | undefined;
  /** The peer's address family: "IPv4" or "IPv6". */
  readonly remoteFamily: string | undefined;
  /** The peer's port. */
  readonly remotePort: number | undefined;
  /** The local IP address, if the flow has a `local` with one. */
  readonly localAddress: string | undefined;
  /** The local address family: "IPv4" or "IPv6". */
  readonly localFamily: string | undefined;
  /** The local port. */
  readonly localPort: number | undefined;
  /** The last argument of `setTimeout`, in milliseconds. Assigning it sets no timer. */
  timeout: number | undefined;
  /** Returns the local address, or an empty object. */
  address(): SocketAddress | Record<string, never>;
  /**
   * Does not connect: the flow is already connected, or about to be, whatever the arguments are.
   * Emits `'connect'` and `'ready'`, for which some clients wait, as soon as the flow has arrived.
   */
  connect(...ignored: unknown[]): this;
  /** Ends the stream, and destroys it once everything is flushed. */
  destroySoon(): void;
  /**
   * Destroys the stream and aborts the flow, so that the peer's connection is reset. If the stream
   * is connecting, it waits for the flow first.
   */
  resetAndDestroy(): this;
  /**
   * Emits `'timeout'` whenever no byte was read or written for that long, in real time.
   *
   * @param ms Milliseconds, at most 2147483647; 0 disables the timeout.
   * @param listener Added for the next `'timeout'`; removed if `ms` is 0.
   * @throws {TypeError} If `ms` is not a number, or `listener` not a function
   * (`ERR_INVALID_ARG_TYPE`).
   * @throws {RangeError} If `ms` is negative or not finite (`ERR_OUT_OF_RANGE`).
   */
  setTimeout(ms: number, listener?: () => void): this;
  /** Sets TCP_NODELAY, if the flow has `setOption` and supports it. */
  setNoDelay(enable?: boolean): this;
  /** Sets SO_KEEPALIVE, if the flow has `setOption` and supports it. The delay is the system's. */
  setKeepAlive(enable?: boolean, ignored?: number): this;
  /** Does nothing: the owner of the flow decides how long it lives. */
  ref(): this;
  /** Does nothing: the owner of the flow decides how long it lives. */
  unref(): this;
}

/** The state behind the members of a {@linkcode SocketDuplex}. */
export interface SocketState {
  /** The flow, once it has arrived. */
  readonly flow: { readonly local?: unknown; readonly peer?: unknown } | undefined;
  readonly idle: IdleTimer;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Whether `'close'` was emitted. */
  readonly closed: boolean;
  /** Calls `fn` in a later turn, in the scope of the stream. */
  later(fn: () => void): void;
  /** Sets an option of the flow, if that supports it. */
  setOption(name: string, value: boolean | number): void;
  /** Aborts the flow and destroys the stream. */
  reset(): void;
}

/** Adds the members of a socket to `duplex`. */
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
