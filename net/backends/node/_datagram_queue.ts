// Copyright 2026 the Sluice authors. MIT license.

/** Bounds of a socket's receive queue. */
const maxDatagrams = 1024;
const maxBytes = 1 << 20; // 1 MiB

/**
 * Up to this many bytes, copying costs Node the same as a view, and Bun a third: there, small
 * buffers have no `ArrayBuffer` until it is accessed.
 */
const cheapCopyBytes = 64;

/** A received datagram with its sender's address as text. */
export interface Arrived {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly address: string;
  readonly port: number;
}

/** The bounded FIFO receive queue of a datagram socket, which drops and counts the excess. */
export class DatagramQueue {
  #arrived: Arrived[] = [];
  #taken = 0;
  #bytes = 0;
  #dropped = 0;

  /** How many datagrams were dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many datagrams are queued. */
  get length(): number {
    return this.#arrived.length - this.#taken;
  }

  /** Adds a datagram, or drops it if the queue is full. */
  add(bytes: Uint8Array, address: string, port: number): void {
    if (this.length === maxDatagrams || (this.length > 0 && this.#bytes + bytes.length > maxBytes)) {
      this.#dropped++;
      return;
    }
    const data = ownCopy(bytes);
    this.#bytes += data.length;
    this.#arrived.push({ data, address, port });
  }

  /** Removes and returns the oldest datagram. */
  take(): Arrived | undefined {
    if (this.length === 0) return undefined;
    const arrived = this.#arrived[this.#taken++];
    this.#bytes -= arrived.data.length;
    if (this.#taken === this.#arrived.length || this.#taken === maxDatagrams) {
      this.#arrived = this.#arrived.slice(this.#taken);
      this.#taken = 0;
    }
    return arrived;
  }

  /** Discards all datagrams without counting them. */
  clear(): void {
    this.#arrived = [];
    this.#taken = this.#bytes = 0;
  }
}

/**
 * Returns the bytes in a buffer of their own. Deno receives each datagram into 64 KiB: if kept as
 * views, a few would exhaust memory.
 */
function ownCopy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length <= cheapCopyBytes) return new Uint8Array(bytes);
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length
    ? new Uint8Array(buffer)
    : new Uint8Array(bytes);
}
