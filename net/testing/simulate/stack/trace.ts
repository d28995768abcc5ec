// Copyright 2026 the Sluice authors. MIT license.

/**
 * Something that happened in a simulation: plain data, the same for the same seed on every runtime.
 */
export interface SimEvent {
  /** The virtual time, in milliseconds. */
  readonly time: number;
  /** The name of the host where it happened; of a link, its first host. */
  readonly host: string;
  /**
   * What happened: `"send SYN"`, `"receive DATA"`, `"drop FIN"`, `"accept"`, `"crash"`. Packets are
   * `SYN`, `SYN-ACK`, `ACK`, `DATA`, `FIN`, `RST`, `UDP` and `ICMP`.
   */
  readonly what: string;
  /** The address or the host from which it came. */
  readonly from?: string;
  /** The address or the host to which it went. */
  readonly to?: string;
  /** The bytes of users that it carried. */
  readonly bytes?: number;
}

/** The record of what happened: the latest events, and a hash of all. */
export class Recorder {
  /** Returns the virtual time. */
  readonly #now: () => number;
  readonly #limit: number;
  /** A ring: the oldest event is at `#oldest` once it is full. */
  readonly #events: SimEvent[] = [];
  #oldest = 0;
  readonly #texts: Map<string, number> = new Map();
  readonly #float: Float64Array = new Float64Array(1);
  readonly #words: Uint32Array = new Uint32Array(this.#float.buffer);
  #one = 0x811c9dc5 | 0;
  #other = 0x9e3779b9 | 0;

  /** @param limit How many events it keeps. */
  constructor(now: () => number, limit: number) {
    this.#now = now;
    this.#limit = limit;
  }

  record(host: string, what: string, from?: string, to?: string, bytes?: number): void {
    const time = this.#now();
    this.#float[0] = time;
    this.#mix(this.#words[0]);
    this.#mix(this.#words[1]);
    this.#mix(this.#hashOf(host));
    this.#mix(this.#hashOf(what));
    if (from !== undefined) this.#mix(this.#hashOf(from));
    if (to !== undefined) this.#mix(this.#hashOf(to));
    this.#mix(bytes ?? -1);
    if (this.#limit === 0) return;
    const event: { -readonly [K in keyof SimEvent]: SimEvent[K] } = { time, host, what };
    if (from !== undefined) event.from = from;
    if (to !== undefined) event.to = to;
    if (bytes !== undefined) event.bytes = bytes;
    if (this.#events.length < this.#limit) {
      this.#events.push(event);
    } else {
      this.#events[this.#oldest] = event;
      this.#oldest = (this.#oldest + 1) % this.#limit;
    }
  }

  /** Returns the events that are kept, oldest first. */
  events(): SimEvent[] {
    return [...this.#events.slice(this.#oldest), ...this.#events.slice(0, this.#oldest)].map((event) => ({ ...event }));
  }

  /** Returns the hash of all events, as 16 hexadecimal digits. */
  hash(): string {
    return [this.#one, this.#other].map((word) => finish(word).toString(16).padStart(8, "0")).join("");
  }

  #mix(word: number): void {
    this.#one = Math.imul(this.#one ^ word, 0x01000193);
    this.#one ^= this.#one >>> 15;
    this.#other = Math.imul(this.#other + word | 0, 0x85ebca6b);
    this.#other ^= this.#other >>> 13;
  }

  /** Returns the cached hash of a text: there are few hosts, addresses and kinds of events. */
  #hashOf(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const hash = hashText(text);
    if (this.#texts.size >= mostTexts) this.#texts.clear();
    this.#texts.set(text, hash);
    return hash;
  }
}

/** The most texts whose hashes are kept. */
const mostTexts = 10_000;

/** Returns a hash of 32 bits of a text. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return finish(hash) | 0;
}

function finish(word: number): number {
  let hash = Math.imul(word ^ word >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}
