// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import process from "node:process";

/** How long connections may take to end when they are told to, in milliseconds. */
const patience = 10_000;

/** Where a server is: a port of 127.0.0.1, or a Unix path. */
export type Target = number | string;

/** What a connection does. What it throws fails the load. */
export interface ConnectionEvents {
  /** Bytes came back. */
  data(chunk: Uint8Array): void;
  /** The server has ended. */
  end?(): void;
  /** It is connected. */
  open?(): void;
  /** The connection is gone, after a proper end. */
  closed?(): void;
}

/** Connections to one server, and what they have done so far. A wrong reply, or a connection that breaks, fails all of it. */
export class Load {
  /** How many operations are complete: every reply of them was right. */
  done = 0;
  /** No new operation may begin, and every connection is to end properly. */
  stopping = false;
  /** The process that makes it. */
  readonly pid: number = process.pid;
  /** Rejects at the first failure. Never fulfilled. */
  readonly failed: Promise<never>;

  readonly #target: Target;
  readonly #open: Set<() => void> = new Set();
  #fail!: (error: unknown) => void;
  #onIdle = (): void => {};

  /** A load for the server at `target`. */
  constructor(target: Target) {
    this.#target = target;
    this.failed = new Promise((_, reject) => this.#fail = reject);
    this.failed.catch(() => {});
  }

  /** Opens one more connection. */
  dial(on: ConnectionEvents): Socket {
    const where = typeof this.#target === "string" ? { path: this.#target } : { host: "127.0.0.1", port: this.#target };
    const socket = connect({ ...where, allowHalfOpen: true, noDelay: true });
    const leave = this.#join(() => socket.destroy());
    let failed = false;
    const fail = (error: unknown) => {
      failed = true;
      this.#fail(error);
      socket.destroy();
    };
    socket.on("error", fail);
    socket.on("connect", () => attempt(() => on.open?.(), fail));
    socket.on("data", (chunk) => attempt(() => on.data(chunk), fail));
    socket.on("end", () => attempt(() => on.end?.(), fail));
    socket.on("close", () => {
      leave();
      if (!failed) on.closed?.();
    });
    return socket;
  }

  /** Opens one more datagram socket, connected to the server. */
  async datagrams(on: (datagram: Uint8Array) => void): Promise<Datagrams> {
    const socket = createSocket("udp4");
    const leave = this.#join(() => socket.close());
    socket.on("error", this.#fail);
    socket.on("message", (message) => attempt(() => on(message), this.#fail));
    socket.on("close", leave);
    socket.connect(this.#target as number, "127.0.0.1");
    await once(socket, "connect");
    return socket;
  }

  /** How many operations are complete. */
  look(): number {
    return this.done;
  }

  /** Ends every connection properly, checking what still comes. */
  async stop(): Promise<void> {
    this.stopping = true;
    if (this.#open.size > 0) await this.#before(patience, new Promise<void>((resolve) => this.#onIdle = resolve));
  }

  /** Drops every connection. */
  abandon(): void {
    this.stopping = true;
    for (const drop of this.#open) drop();
  }

  #join(drop: () => void): () => void {
    this.#open.add(drop);
    return () => {
      this.#open.delete(drop);
      if (this.#open.size === 0) this.#onIdle();
    };
  }

  async #before(ms: number, ended: Promise<void>): Promise<void> {
    const expiry = Promise.withResolvers<never>();
    const open = () => `${this.#open.size} connections after ${this.done} operations`;
    const timer = setTimeout(() => expiry.reject(new Error(`Server did not end ${open()} within ${ms} ms`)), ms);
    try {
      await Promise.race([ended, this.failed, expiry.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Bytes without a short period, of which every load takes its messages. */
export const pattern: Uint8Array = makePattern(512 * 1024);

/** Another message each time, and another one on each connection. */
export function messageAt(sequence: number, size: number): Uint8Array {
  const offset = (sequence * 7919 % Math.floor(pattern.length / size)) * size;
  return pattern.subarray(offset, offset + size);
}

/** Throws unless `chunk` is what `expected` holds from `offset` on, and no more than that. */
export function check(chunk: Uint8Array, expected: Uint8Array, offset: number): void {
  const end = offset + chunk.length;
  if (end > expected.length) throw new Error(`Reply has ${end - expected.length} bytes that were not sent`);
  if (Buffer.compare(chunk, expected.subarray(offset, end)) !== 0) throw new Error("Reply differs from what was sent");
}

/** Throws unless all that was sent has come back. */
export function checkEnd(got: number, sent: number): void {
  if (got !== sent) throw new Error(`Server ended after ${got} of ${sent} bytes`);
}

function attempt(fn: () => void, fail: (error: unknown) => void): void {
  try {
    fn();
  } catch (error) {
    fail(error);
  }
}

/** xorshift32: the same bytes in every run. */
function makePattern(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = 0x9e3779b9;
  for (let i = 0; i < size; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}
