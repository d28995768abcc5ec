// Copyright 2026 the Sluice authors. MIT license.

import type { Attempt } from "../../internal.ts";
import { unix, type UnixAddress } from "../../mod.ts";
import type { ProviderStream } from "../../provider/internal.ts";
import { MemoryListener } from "./_listener.ts";
import type { MemoryStream } from "./_stream.ts";
import { systemError } from "./_system_error.ts";
import type { Turn } from "./_turn.ts";

/** The Unix sockets of a host in memory. Paths are names, not files. */
export class UnixSockets {
  readonly #turn: Turn;
  readonly #listeners: Map<string, MemoryListener> = new Map();
  /** The clients' ends of the connections. */
  readonly #clients: Set<MemoryStream> = new Set();

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  listen(address: UnixAddress, backlog: number, gone: () => void = () => {}): MemoryListener {
    const { path } = address;
    if (this.#listeners.has(path)) throw systemError("EADDRINUSE", "listen", address);
    const listener = new MemoryListener(address, backlog, () => {
      this.#listeners.delete(path);
      gone();
    });
    this.#listeners.set(path, listener);
    return listener;
  }

  connect(address: UnixAddress, gone: () => void = () => {}): Attempt<ProviderStream> {
    const listener = this.#listeners.get(address.path);
    if (listener === undefined) {
      throw systemError(address.path.startsWith("\0") ? "ECONNREFUSED" : "ENOENT", "connect", address);
    }
    if (listener.isFull) throw systemError("EAGAIN", "connect", address);
    const attempt = listener.connect(this.#turn, unix(""), address, (client) => {
      this.#clients.delete(client);
      gone();
    });
    this.#clients.add(attempt.client);
    return attempt;
  }

  /** Breaks every connection and listener, because the host has crashed. */
  crash(): void {
    for (const client of [...this.#clients]) client.crash();
    for (const listener of [...this.#listeners.values()]) listener.close();
  }
}
