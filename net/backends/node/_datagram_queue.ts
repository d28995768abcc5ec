// Copyright 2026 the Sluice authors. MIT license.

/** How much a socket keeps until it is received: as many datagrams, and as many bytes. */
const mostDatagrams = 1024;
const mostBytes = 1 << 20;

/** So many bytes cost Node the same as a view of them, and Bun a third: there they have no `ArrayBuffer` of their own before somebody asks for it. */
const cheapToCopy = 64;

/** A datagram as it came in. */
export interface Arrived {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly address: string;
  readonly port: number;
}

/** What has arrived at a datagram socket and nobody has taken. What finds no room is dropped, and counted. */
export class DatagramQueue {
  #arrived: Arrived[] = [];
  #taken = 0;
  #bytes = 0;
  #dropped = 0;

  /** How many datagrams were dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many datagrams there are. */
  get length(): number {
    return this.#arrived.length - this.#taken;
  }

  /** Adds a datagram, or drops it. */
  add(bytes: Uint8Array, address: string, port: number): void {
    if (this.length === mostDatagrams || (this.length > 0 && this.#bytes + bytes.length > mostBytes)) {
      this.#dropped++;
      return;
    }
    const data = owned(bytes);
    this.#bytes += data.length;
    this.#arrived.push({ data, address, port });
  }

  /** Takes the oldest. */
  take(): Arrived | undefined {
    if (this.length === 0) return undefined;
    const arrived = this.#arrived[this.#taken++];
    this.#bytes -= arrived.data.length;
    if (this.#taken === this.#arrived.length || this.#taken === mostDatagrams) {
      this.#arrived = this.#arrived.slice(this.#taken);
      this.#taken = 0;
    }
    return arrived;
  }

  /** Drops all, uncounted. */
  clear(): void {
    this.#arrived = [];
    this.#taken = this.#bytes = 0;
  }
}

/** The bytes in memory of their own. Deno gives 64 KiB for every datagram: kept as they are, a few would fill the memory. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length <= cheapToCopy) return new Uint8Array(bytes);
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length
    ? new Uint8Array(buffer)
    : new Uint8Array(bytes);
}
