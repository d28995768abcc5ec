// Copyright 2026 the Sluice authors. MIT license.

/** The echo server of the tour. It counts what it does. */
import { Cancelled, copy, interruptible, type ListeningSocket, NetError, runServer, writeAll } from "@sluice/io";
import type { StreamSocket } from "@sluice/io";

/** A client that sends this, and nothing else, makes its handler throw. */
export const throwRequest = "please throw";

/** An echo server that begins to serve when all of its clients are there, so that they are served at the same time. */
export class TourServer {
  /** Connections that it has accepted. */
  served = 0;
  /** Those that have a handler now. */
  live = 0;
  mostAtOnce = 0;
  /** Handlers that the end of the grace period has cancelled. */
  forced = 0;
  /** What `onError` was told, by code. */
  readonly errors: Record<string, number> = {};

  readonly #expected: number;
  readonly #complete = Promise.withResolvers<void>();

  constructor(expectedClients: number) {
    this.#expected = expectedClients;
  }

  /** Settles when all clients are connected. */
  get complete(): Promise<void> {
    return this.#complete.promise;
  }

  /** Serves until `stop`. Handlers that take longer than `grace` milliseconds after that are cancelled. */
  async serve(listener: ListeningSocket, stop: AbortSignal, grace: number): Promise<void> {
    await runServer(listener, (flow) => this.#handle(flow), { onError: (error) => this.#count(error), stop, grace });
  }

  async #handle(flow: StreamSocket): Promise<void> {
    this.live++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.live);
    if (++this.served === this.#expected) this.#complete.resolve();
    try {
      await interruptible(this.complete);
      await echo(flow);
    } catch (error) {
      if (error instanceof Cancelled) this.forced++;
      throw error;
    } finally {
      this.live--;
    }
  }

  #count(error: unknown): void {
    const kind = error instanceof NetError ? error.code : error instanceof Error ? error.name : typeof error;
    this.errors[kind] = (this.errors[kind] ?? 0) + 1;
  }
}

async function echo(flow: StreamSocket): Promise<void> {
  const buffer = new Uint8Array(1024);
  const size = await flow.read(buffer);
  if (size === null) return;
  const beginning = buffer.subarray(0, size);
  if (new TextDecoder().decode(beginning) === throwRequest) throw new Error("The client asked for it");
  await writeAll(flow, beginning);
  await copy(flow, flow);
}
