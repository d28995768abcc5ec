// Copyright 2026 the Sluice authors. MIT license.

/**
 * The plainest loop of reads and writes that give promises, over callbacks: without scopes, checks or cancellation. What it costs beside the callbacks is what
 * any such API costs.
 */

/** What has arrived on a connection. One may read at a time. */
export class Inbox {
  readonly #flow: (on: boolean) => void;
  #chunk: Uint8Array | undefined;
  #ended = false;
  #buffer: Uint8Array | undefined;
  #resolve: ((size: number | null) => void) | undefined;

  /** `flow` lets more come, or holds it up. */
  constructor(flow: (on: boolean) => void) {
    this.#flow = flow;
  }

  /** Takes what came. Nothing may come while something is here. */
  add(chunk: Uint8Array): void {
    if (this.#chunk !== undefined) throw new Error("Cannot take data: it came while the connection was paused");
    this.#chunk = chunk;
    if (this.#resolve !== undefined) this.#settle(this.#take(this.#buffer as Uint8Array));
    if (this.#chunk === undefined) return;
    this.#chunk = this.#chunk.slice(); // on Bun the memory of a chunk is used again
    this.#flow(false);
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    if (this.#chunk === undefined) this.#settle(null);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#chunk !== undefined) {
      const size = this.#take(buffer);
      if (this.#chunk === undefined) this.#flow(true);
      return Promise.resolve(size);
    }
    if (this.#ended) return Promise.resolve(null);
    this.#buffer = buffer;
    return new Promise((resolve) => this.#resolve = resolve);
  }

  #take(buffer: Uint8Array): number {
    const chunk = this.#chunk as Uint8Array;
    const size = Math.min(chunk.length, buffer.length);
    buffer.set(size === chunk.length ? chunk : chunk.subarray(0, size));
    this.#chunk = size === chunk.length ? undefined : chunk.subarray(size);
    return size;
  }

  #settle(size: number | null): void {
    const resolve = this.#resolve;
    this.#resolve = this.#buffer = undefined;
    resolve?.(size);
  }
}

/** Gives back what comes, up to the end. */
export async function echo(inbox: Inbox, write: (bytes: Uint8Array) => Promise<number>): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  for (let size; (size = await inbox.read(buffer)) !== null;) {
    for (let done = 0; done < size;) done += await write(buffer.subarray(done, size));
  }
}
