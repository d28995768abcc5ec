// Copyright 2026 the Sluice authors. MIT license.

/**
 * Implements {@linkcode Net.getAddrInfo} and {@linkcode Net.addresses} with a provider's resolver.
 */
import { checkOptions, describe, fieldOf, follow, quoteText } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { refused, WaitQueue } from "../../switch/internal.ts";
import {
  type AddrInfoOptions,
  type Attempt,
  checkHostName,
  type IpAddress,
  literalOf,
  NetError,
  netErrorFrom,
  tcp,
  type TcpAddress,
  udp,
  type UdpAddress,
} from "../internal.ts";
import { query, type Question } from "./_query.ts";
import { servicePort } from "./_service_ports.ts";
import type { NetProvider } from "./provider.ts";

/** Looks up the addresses of a name in the resolver's order, each with the port of a service. */
export async function lookUp(
  provider: NetProvider,
  name: string,
  options: AddrInfoOptions | undefined,
): Promise<(TcpAddress | UdpAddress)[]> {
  checkOptions("look up a name", options);
  const { service, type } = options ?? {};
  if (typeof name !== "string") throw notAString(name);
  const refuse = (rule: string, value: unknown): never => {
    throw new TypeError(`Cannot look up ${quoteText(name)} as ${rule}: current value is ${describe(value)}`);
  };
  if (service !== undefined && typeof service !== "string") refuse("service must be a string", service);
  if (type !== undefined && type !== "stream" && type !== "datagram") {
    refuse('type must be "stream" or "datagram"', type);
  }
  const question: Question = { operation: "lookup", address: name, service };
  const portOver = (transport: "tcp" | "udp") => service === undefined ? 0 : servicePort(service, transport);
  const tcpPort = type === "datagram" ? undefined : portOver("tcp");
  const udpPort = type === "stream" ? undefined : portOver("udp");
  if (tcpPort === undefined && udpPort === undefined) {
    throw new NetError("address_lookup_failed", { ...question, lookupCode: "SERVICE" });
  }
  const ips = await resolve(provider, question);
  return ips.flatMap((ip) => [
    ...(tcpPort === undefined ? [] : [tcp(ip, tcpPort)]),
    ...(udpPort === undefined ? [] : [udp(ip, udpPort)]),
  ]);
}

/** Returns the error for a name that is not a string. */
function notAString(name: unknown): TypeError {
  return new TypeError(`Cannot look up ${describe(name)}: must be a string`);
}

/**
 * Implements {@linkcode Net.addresses}: yields answers as they arrive, each address once.
 *
 * @param failed Adds context to the error of a lookup.
 */
export function answersTo(
  provider: NetProvider,
  question: Question,
  failed: (error: unknown) => unknown = (error) => error,
): AsyncIterable<readonly IpAddress[]> {
  return Object.freeze({
    [Symbol.asyncIterator]() {
      const answers = new Answers(provider, question, failed);
      return Object.freeze({ next: () => answers.next(), return: () => answers.return() });
    },
  });
}

/** The answers to one question, which is asked by the first call of `next`. */
class Answers {
  readonly #provider: NetProvider;
  readonly #question: Question;
  readonly #failed: (error: unknown) => unknown;
  readonly #seen: Set<string> = new Set();
  readonly #arrived: (readonly IpAddress[])[] = [];
  readonly #changed: WaitQueue<void> = new WaitQueue();
  #attempt: Attempt<readonly IpAddress[]> | undefined;
  #state: "new" | "asked" | "ended" = "new";
  #failure: (() => unknown) | undefined;

  constructor(provider: NetProvider, question: Question, failed: (error: unknown) => unknown) {
    this.#provider = provider;
    this.#question = question;
    this.#failed = failed;
  }

  next(): Promise<IteratorResult<readonly IpAddress[], undefined>> {
    const refusal = refused();
    if (refusal !== undefined) this.#giveUp();
    if (refusal !== undefined) return refusal;
    if (this.#state === "new") this.#ask();
    const value = this.#arrived.shift();
    return value === undefined ? operation(() => this.#wait()) : Promise.resolve({ done: false, value });
  }

  async #wait(): Promise<IteratorResult<readonly IpAddress[], undefined>> {
    try {
      while (this.#state === "asked" && this.#arrived.length === 0) {
        await (refused() ?? this.#changed.wait("lookup", undefined, { label: this.#question.address }));
      }
    } catch (error) {
      this.#giveUp(); // cancelled
      throw error;
    }
    const value = this.#arrived.shift();
    if (value !== undefined) return { done: false, value };
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw this.#failed(failure());
    return { done: true, value: undefined };
  }

  return(): Promise<IteratorResult<readonly IpAddress[], undefined>> {
    this.#giveUp();
    return Promise.resolve({ done: true, value: undefined });
  }

  #ask(): void {
    this.#state = "asked";
    const name: unknown = this.#question.address;
    if (typeof name !== "string") return this.#end(() => notAString(name));
    try {
      const literal = literalIn(this.#question);
      if (literal !== undefined) {
        this.#add([literal]);
        return this.#end();
      }
      this.#attempt = this.#provider.lookup(this.#question.address, (ips) => this.#add(ips));
      follow(this.#attempt.result, (ips) => {
        this.#add(ips);
        this.#end(this.#seen.size === 0 ? () => unknownName(this.#question) : undefined);
      }, (cause) => this.#end(() => netErrorFrom(cause, this.#question)));
    } catch (cause) {
      this.#end(() => netErrorFrom(cause, this.#question));
    }
  }

  #add(ips: readonly IpAddress[]): void {
    if (this.#state !== "asked") return;
    const fresh = ips.filter(({ text }) => !this.#seen.has(text) && this.#seen.add(text));
    if (fresh.length > 0) this.#arrived.push(Object.freeze(fresh));
    this.#changed.wakeAll();
  }

  #end(failure?: () => unknown): void {
    if (this.#state !== "asked") return;
    this.#state = "ended";
    this.#failure = failure;
    this.#changed.wakeAll();
  }

  #giveUp(): void {
    const asked = this.#state === "asked";
    this.#end();
    this.#state = "ended";
    this.#failure = undefined;
    this.#arrived.length = 0;
    if (asked) this.#attempt?.cancel();
  }
}

/** Returns all addresses of a name in the resolver's order: at least one. */
async function resolve(provider: NetProvider, question: Question): Promise<readonly IpAddress[]> {
  const literal = literalIn(question);
  if (literal !== undefined) return [literal];
  const ips = await query(question, () => provider.lookup(question.address, () => {}));
  if (ips.length === 0) throw unknownName(question);
  return ips;
}

/**
 * Returns the address that a name is the literal of, or `undefined` if it is a host name.
 *
 * @throws {NetError} If the name is neither, in which case no resolver is asked.
 */
function literalIn(question: Question): IpAddress | undefined {
  const name = question.address;
  const literal = literalOf(name);
  if (literal !== undefined) return literal;
  try {
    checkHostName(name);
  } catch (cause) {
    throw unknownName(question, cause);
  }
  return undefined;
}

function unknownName(question: Question, cause?: unknown): NetError {
  const remedy = ruleOf(question.address, cause);
  return new NetError("address_lookup_failed", { ...question, lookupCode: "NONAME", remedy, cause });
}

/** Returns the rule that a name breaks, from the error of {@linkcode checkHostName}. */
function ruleOf(name: string, problem: unknown): string | undefined {
  const message = fieldOf(problem, SyntaxError, "message");
  const start = message?.indexOf(`${quoteText(name)}: `) ?? -1;
  return start < 0 ? undefined : message?.slice(start + quoteText(name).length + 2);
}
