// Copyright 2026 the Sluice authors. MIT license.

/** The echo server of the tour, with statistics. */
import { Cancelled, copy, interruptible, type ListeningSocket, NetError, runServer, writeAll } from "@sluice/io";
import type { StreamSocket } from "@sluice/io";

/** The request that makes a handler throw. */
export const throwRequest = "please throw";

/** An echo server that waits for all of its clients, so that it serves them at the same time. */
export class TourServer {
  /** The number of connections accepted. */
  served = 0;
  /** The number of connections open now. */
  live = 0;
  /** The maximum number of connections open at a time. */
  mostAtOnce = 0;
  /** The number of handlers cancelled at the end of the grace period. */
  forced = 0;
  /** The number of errors that `onError` received, by code. */
  readonly errors: Record<string, number> = {};

  readonly #expected: number;
  readonly #complete = Promise.withResolvers<void>();

  constructor(expectedClients: number) {
    this.#expected = expectedClients;
  }

  /** Resolves when all clients are connected. */
  get complete(): Promise<void> {
    return this.#complete.promise;
  }

  /** Serves until `stop`, and then waits for handlers for up to `grace` milliseconds. */
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
