// Copyright 2026 the Sluice authors. MIT license.

/** The client of the backends, which SRV records name. */
import {
  BufReader,
  copyString,
  EndOfFlow,
  type Net,
  NetError,
  type ServiceRecord,
  TimeoutError,
  withTcpConnect,
  withTimeout,
} from "@sluice/io";

/** How long an answer of the DNS is used, in milliseconds. */
const lookupAge = 5_000;

/** How long one backend may take to connect and to answer, in milliseconds. */
const patience = 2_000;

const maxAnswer = 64 * 1024;
const lineFeed = 10;

const counters = ["answered", "failures", "unavailable"] as const;

/**
 * How many questions were `answered`, how many attempts were `failures`, and for how many questions
 * no backend was available. The memory can be shared with other threads.
 */
export class BackendCounts {
  readonly memory: BigInt64Array<SharedArrayBuffer>;

  constructor(
    memory: BigInt64Array<SharedArrayBuffer> = new BigInt64Array(new SharedArrayBuffer(8 * counters.length)),
  ) {
    this.memory = memory;
  }

  get(counter: typeof counters[number]): number {
    return Number(Atomics.load(this.memory, counters.indexOf(counter)));
  }

  add(counter: typeof counters[number]): void {
    Atomics.add(this.memory, counters.indexOf(counter), 1n);
  }
}

/** Thrown when no backend has answered. */
export class UnavailableError extends Error {
  override name = "UnavailableError";
}

/**
 * Asks one of several equal backends: one line out, one line back, over a connection for each
 * question. A question that one backend does not answer is asked again at the next, so it must be
 * harmless to ask it twice.
 */
export class Backend {
  readonly #net: Net;
  readonly #service: string;
  readonly #counts: BackendCounts;
  /** The backends, best first. One that has failed is last until the next lookup. */
  #targets: readonly ServiceRecord[] = [];
  #expires = -Infinity;

  /** @param service The name of the SRV records, such as `"_answers._tcp.example.com"`. */
  constructor(net: Net, service: string, counts: BackendCounts) {
    this.#net = net;
    this.#service = service;
    this.#counts = counts;
  }

  /**
   * Returns the answer of the first backend that answers.
   *
   * @throws {UnavailableError} If none does.
   */
  async ask(question: string): Promise<string> {
    const errors: unknown[] = [];
    for (const target of await this.#lookUp(errors)) {
      try {
        const answer = await withTimeout(this.#net.clock, patience, () => this.#askOne(target, question));
        this.#counts.add("answered");
        return answer;
      } catch (error) {
        if (!isUnavailable(error)) throw error;
        errors.push(error);
        this.#counts.add("failures");
        this.#targets = [...this.#targets.filter((other) => other !== target), target];
      }
    }
    this.#counts.add("unavailable");
    const cause = new AggregateError(errors, errors.join("; "));
    throw new UnavailableError(`Cannot ask ${this.#service}: ${cause.message}`, { cause });
  }

  /** Returns the backends. Old ones are better than none, if the DNS does not answer. */
  async #lookUp(errors: unknown[]): Promise<readonly ServiceRecord[]> {
    const { clock } = this.#net;
    if (clock.now() < this.#expires) return this.#targets;
    try {
      this.#targets = await withTimeout(clock, patience, () => this.#net.getServices(this.#service));
      this.#expires = clock.now() + lookupAge;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      errors.push(error);
    }
    return this.#targets;
  }

  #askOne({ name, port }: ServiceRecord, question: string): Promise<string> {
    return withTcpConnect(this.#net, { host: name, service: port }, async (connection) => {
      await copyString(`${question}\n`, connection);
      const reader = new BufReader(connection, { maxSize: maxAnswer });
      const answer = await reader.takeWhile((byte) => byte !== lineFeed);
      await reader.byte(lineFeed); // fails if the backend has died in the middle of its answer
      return new TextDecoder().decode(answer);
    });
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof NetError || error instanceof TimeoutError || error instanceof EndOfFlow;
}
