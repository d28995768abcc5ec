// Copyright 2026 the Sluice authors. MIT license.

import {
  checkFunction,
  checkNumber,
  checkOptions,
  checkWhole,
  describe,
  isPromise,
} from "../../../../base/internal.ts";
import { hostAddress, IpAddress, type ServiceRecord } from "../../../mod.ts";
import { isLoopback4, keyOf, systemError } from "../../memory/internal.ts";
import type { Engine } from "../engine/internal.ts";
import type { System } from "./_system.ts";
import type { Recorder } from "./trace.ts";

/** The records of a name in the simulated DNS. */
export interface SimDnsRecords {
  /**
   * The IPv4 addresses.
   *
   * @default {[]}
   */
  a?: readonly (string | IpAddress)[] | undefined;
  /**
   * The IPv6 addresses.
   *
   * @default {[]}
   */
  aaaa?: readonly (string | IpAddress)[] | undefined;
  /**
   * The services.
   *
   * @default {[]}
   */
  srv?: readonly ServiceRecord[] | undefined;
  /**
   * How long a host remembers this answer, in milliseconds of virtual time.
   *
   * @default {0}
   */
  ttl?: number | undefined;
}

/**
 * A failure of the simulated DNS: the name does not exist, no answer comes in time, or the server
 * fails.
 */
export interface SimDnsFailure {
  /** The code of the failure. */
  readonly fail: "NONAME" | "AGAIN" | "FAIL";
}

/** A question to the simulated DNS. */
export interface SimDnsQuery {
  /** The name that was asked for, in lower case. */
  readonly name: string;
  /** What was asked for. */
  readonly type: "address" | "service";
  /** The name of the host that asks. */
  readonly host: string;
}

/** What the simulated DNS answers, or a function that is called for each question. */
export type SimDnsAnswer = SimDnsRecords | SimDnsFailure | ((query: SimDnsQuery) => SimDnsRecords | SimDnsFailure);

/** Options for {@linkcode SimDns.set}. */
export interface SimDnsOptions {
  /**
   * How long the answer takes, in milliseconds of virtual time.
   *
   * @default {0}
   */
  delay?: number | undefined;
}

/** The names of a simulation. The name of each host resolves to its addresses by itself. */
export interface SimDns {
  /**
   * Sets the answer for a name, and replaces an earlier one.
   *
   * @param name The name, of a host or a service.
   * @param answer Its records, a failure, or a function that returns one of these.
   * @param options The delay.
   * @throws {SyntaxError} If the name or an address is invalid.
   * @throws {TypeError} If an argument has the wrong type.
   * @throws {RangeError} If a number is out of range.
   */
  set(name: string, answer: SimDnsAnswer, options?: SimDnsOptions): void;
}

/** Checked records. */
interface Records {
  readonly ips: readonly IpAddress[];
  readonly srv: readonly ServiceRecord[];
  readonly ttl: number;
}

const codes: Readonly<Record<SimDnsFailure["fail"], string>> = {
  NONAME: "ENOTFOUND",
  AGAIN: "EAI_AGAIN",
  FAIL: "EAI_FAIL",
};

/** What hosts remember: until when, and which answer. */
type Cache = Map<string, { readonly until: number; readonly answer: Records }>;

/** The resolver of a simulation. */
export class Dns {
  readonly #engine: Engine;
  readonly #recorder: Recorder;
  readonly #systems: readonly System[];
  readonly #names: Map<string, { readonly answer: SimDnsAnswer; readonly delay: number }> = new Map();
  readonly #caches: Map<System, Cache> = new Map();

  constructor(engine: Engine, recorder: Recorder, systems: readonly System[]) {
    this.#engine = engine;
    this.#recorder = recorder;
    this.#systems = systems;
  }

  set(name: string, answer: SimDnsAnswer, options: SimDnsOptions | undefined): void {
    checkOptions("set a name", options);
    const { delay = 0 } = options ?? {};
    checkNumber("set a name", "delay", delay, 0, Number.MAX_SAFE_INTEGER);
    if (typeof answer === "function") checkFunction("set a name", answer);
    else recordsOf(name, answer);
    this.#names.set(keyOf(name), { answer, delay });
  }

  /** Forgets what a host remembers. */
  forget(system: System): void {
    this.#caches.delete(system);
  }

  /**
   * Asks for a name, and calls `done` with the answer.
   *
   * @returns A function that cancels the question.
   */
  ask(system: System, name: string, type: SimDnsQuery["type"], done: (answer: () => Records) => void): () => void {
    const key = keyOf(name);
    const engine = this.#engine;
    const remembered = this.#caches.get(system)?.get(key);
    const isFresh = remembered !== undefined && remembered.until > engine.now;
    const event = engine.after(isFresh ? 0 : this.#names.get(key)?.delay ?? 0, () => {
      const answer = isFresh ? () => remembered.answer : attempt(() => this.#answer(system, key, type));
      this.#recorder.record(system.name, `lookup ${key}`);
      system.tell(() => done(answer));
    });
    return () => engine.cancel(event);
  }

  /** Returns the names of an address. */
  namesOf(ip: IpAddress): string[] {
    if (isLoopback4(ip) || ip.equals(IpAddress.loopback6)) return ["localhost"];
    return this.#systems.filter(({ ips }) => ips.some((own) => own.equals(ip))).map(({ name }) => name);
  }

  #answer(system: System, key: string, type: SimDnsQuery["type"]): Records {
    if (!system.isUp) throw notFound("EAI_AGAIN", key);
    const set = this.#names.get(key)?.answer;
    const answer = typeof set === "function" ? set(Object.freeze({ name: key, type, host: system.name })) : set;
    const records = answer === undefined ? this.#ownRecords(key) : recordsOf(key, answer);
    if (records.ttl > 0) {
      let cache = this.#caches.get(system);
      if (cache === undefined) this.#caches.set(system, cache = new Map());
      cache.set(key, { until: this.#engine.now + records.ttl, answer: records });
    }
    return records;
  }

  #ownRecords(key: string): Records {
    if (key === "localhost" || key.endsWith(".localhost")) {
      return { ips: [IpAddress.loopback6, IpAddress.loopback4], srv: [], ttl: 0 };
    }
    const system = this.#systems.find(({ name }) => name.toLowerCase() === key);
    if (system === undefined) throw notFound("ENOTFOUND", key);
    return { ips: system.ips, srv: [], ttl: 0 };
  }
}

/** Returns the error of a resolver. */
export function notFound(code: string, name: string): Error {
  return Object.assign(systemError(code, "getaddrinfo"), { hostname: name });
}

/** Calls a function, and returns one that returns or throws the same. */
function attempt<T>(fn: () => T): () => T {
  try {
    const value = fn();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function recordsOf(name: string, answer: SimDnsRecords | SimDnsFailure): Records {
  if (typeof answer !== "object" || answer === null || isPromise(answer)) {
    throw new TypeError(`Cannot set a name as its answer must be an object: current value is ${describe(answer)}`);
  }
  if ("fail" in answer) {
    const code = Object.hasOwn(codes, answer.fail) ? codes[answer.fail] : undefined;
    if (code !== undefined) return failing(code, name);
    throw new TypeError(
      `Cannot set a name as fail must be "NONAME", "AGAIN" or "FAIL": current value is ${describe(answer.fail)}`,
    );
  }
  const { a = [], aaaa = [], srv = [], ttl = 0 } = answer;
  checkNumber("set a name", "ttl", ttl, 0, Number.MAX_SAFE_INTEGER);
  return { ips: [...listOf("aaaa", aaaa, 6), ...listOf("a", a, 4)], srv: [...srv].map(checkRecord), ttl };
}

/** Returns records that fail when they are read. */
function failing(code: string, name: string): Records {
  return {
    get ips(): never {
      throw notFound(code, name);
    },
    get srv(): never {
      throw notFound(code, name);
    },
    ttl: 0,
  };
}

function listOf(option: string, ips: readonly (string | IpAddress)[], version: 4 | 6): IpAddress[] {
  if (!Array.isArray(ips)) {
    throw new TypeError(`Cannot set a name as ${option} must be an array: current value is ${describe(ips)}`);
  }
  return ips.map((each) => {
    const ip = typeof each === "string" ? IpAddress.parse(each) : each;
    if (IpAddress.isIpAddress(ip) && ip.version === version) return ip;
    throw new TypeError(
      `Cannot set a name as ${option} must have IPv${version} addresses: ${describe(each)} is not one`,
    );
  });
}

function checkRecord({ name, port, priority, weight }: ServiceRecord): ServiceRecord {
  hostAddress(name, port);
  checkWhole("set a name", "priority", priority, 0);
  checkWhole("set a name", "weight", weight, 0);
  return Object.freeze({ name, port, priority, weight });
}
