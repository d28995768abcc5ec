// Copyright 2026 the Sluice authors. MIT license.

import { hideClass } from "../../base/internal.ts";
import type { Connection, StreamAddress } from "../internal.ts";
import type { PoolChannel } from "./_channel.ts";
import type { PoolConnection } from "./pool_connection.ts";

/** What users have of a {@linkcode PoolChannel}. */
export class PooledConnection implements PoolConnection {
  static {
    hideClass(this);
  }

  readonly #channel: PoolChannel;

  constructor(channel: PoolChannel) {
    this.#channel = channel;
    Object.freeze(this);
  }

  get peer(): StreamAddress {
    return this.#channel.connection.peer;
  }

  get local(): StreamAddress {
    return this.#channel.connection.local;
  }

  get protocol(): string | undefined {
    const { protocol } = this.#channel.connection as { readonly protocol?: unknown };
    return typeof protocol === "string" ? protocol : undefined;
  }

  get acceptedAt(): number {
    return this.#channel.acceptedAt;
  }

  get connectedAt(): number {
    return this.#channel.connectedAt;
  }

  write(...bytes: (Uint8Array | string)[]): Promise<void> {
    return this.#channel.write(bytes);
  }

  receive(limit?: number): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#channel.receive(limit);
  }

  readExact(size: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#channel.readExact(size);
  }

  peek(size: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#channel.peek(size);
  }

  post(message: unknown): boolean {
    return this.#channel.post(message);
  }

  upgrade(): Connection {
    return this.#channel.upgrade();
  }
}
