// Copyright 2026 the Sluice authors. MIT license.

import type { Duplex } from "node:stream";
import type { IdleTimer } from "./idle_timer.ts";

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
 * What {@linkcode toDuplex} makes: a stream with those members of a socket of `node:net` that clients use without asking
 * whether they are there. Each does what its name says, or nothing where it says so here.
 */
export interface SocketDuplex extends Duplex {
  /** Whether the flow is yet to come. */
  readonly connecting: boolean;
  /** The same. */
  readonly pending: boolean;
  /** Which directions are open: "opening", "open", "readOnly", "writeOnly" or "closed". */
  readonly readyState: string;
  /** How many bytes were taken from the flow. */
  readonly bytesRead: number;
  /** How many bytes the flow has taken, counted by the buffer. */
  readonly bytesWritten: number;
  /** The peer's IP address, where the flow has a `peer` with one. */
  readonly remoteAddress: string | undefined;
  /** Its kind: "IPv4" or "IPv6". */
  readonly remoteFamily: string | undefined;
  /** The peer's port. */
  readonly remotePort: number | undefined;
  /** Our own IP address, where the flow has a `local` with one. */
  readonly localAddress: string | undefined;
  /** Its kind: "IPv4" or "IPv6". */
  readonly localFamily: string | undefined;
  /** Our own port. */
  readonly localPort: number | undefined;
  /** What was set by `setTimeout`, in milliseconds; 0 is none. */
  readonly timeout: number;
  /** Our own address, or an object without anything. */
  address(): SocketAddress | Record<string, never>;
  /**
   * Connects nothing: the flow is connected, or about to be, to where it was opened, whatever the arguments are. Emits
   * `'connect'` and `'ready'`, which is what some clients wait for, as soon as the flow is there.
   */
  connect(...ignored: unknown[]): this;
  /** Ends the stream, and destroys it once everything has gone out. */
  destroySoon(): void;
  /**
   * Emits `'timeout'` whenever no byte has been read or written for that long, in real time.
   *
   * @param ms Milliseconds; 0 is never.
   * @param listener Listens for the next `'timeout'`; with 0, listens no more.
   */
  setTimeout(ms: number, listener?: () => void): this;
  /** Sets TCP_NODELAY, where the flow has `setOption`. A flow that cannot do that goes on as it is. */
  setNoDelay(enable?: boolean): this;
  /** Sets SO_KEEPALIVE, where the flow has `setOption`. A flow that cannot do that goes on as it is. The delay is the system's. */
  setKeepAlive(enable?: boolean, ignored?: number): this;
  /** Does nothing: the flow's owner decides how long it lives. */
  ref(): this;
  /** Does nothing: the flow's owner decides how long it lives. */
  unref(): this;
}

/** What the members of a {@linkcode SocketDuplex} tell and change. */
export interface SocketState {
  /** The flow, once it is there. */
  readonly flow: { readonly local?: unknown; readonly peer?: unknown } | undefined;
  readonly idle: IdleTimer;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Calls `fn` soon, where events are emitted. */
  later(fn: () => void): void;
  /** Sets an option of the flow, if that can be done. */
  setOption(name: string, value: boolean | number): void;
}

/** Adds to `duplex` what makes a socket of it. */
export function asSocket(duplex: Duplex, state: SocketState): SocketDuplex {
  const remote = () => socketAddress(state.flow?.peer);
  const local = () => socketAddress(state.flow?.local);
  const members: Omit<SocketDuplex, keyof Duplex> & ThisType<SocketDuplex> = {
    get connecting() {
      return state.flow === undefined && !duplex.destroyed;
    },
    get pending() {
      return this.connecting;
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
    get timeout() {
      return state.idle.ms;
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
      if (!duplex.writableEnded) duplex.end();
      if (duplex.writableFinished) duplex.destroy();
      else duplex.once("finish", () => duplex.destroy());
    },
    setTimeout(ms, listener) {
      if (!duplex.destroyed) state.idle.set(ms);
      if (listener === undefined) return this;
      duplex.off("timeout", listener);
      if (ms > 0) duplex.once("timeout", listener);
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
