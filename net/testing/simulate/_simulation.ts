// Copyright 2026 the Sluice authors. MIT license.

import {
  checkFunction,
  checkNumber,
  checkString,
  describe,
  isPromise,
  quoteText,
  textOf,
} from "../../../base/internal.ts";
import {
  type Clock,
  currentScope,
  registerOwner,
  type Scope,
  type Switch,
  TimeoutError,
} from "../../../switch/internal.ts";
import { hostAddress, IpAddress } from "../../mod.ts";
import { seededRandom } from "../internal.ts";
import { DeadlockError } from "../mock/internal.ts";
import { clockOf, type Engine, type EngineHost, type Halt, installEngine } from "./engine/internal.ts";
import { FaultInjector } from "./_fault_injector.ts";
import { Host, type HostTerritory } from "./_host.ts";
import type { HostOptions, Sim, SimHost } from "./sim.ts";
import { checkHostOptions, type SimTerms } from "./sim_options.ts";
import {
  checkLink,
  hashText,
  type LinkOptions,
  Network,
  Recorder,
  type SimDns,
  type SimEvent,
  type SimSocket,
} from "./stack/internal.ts";

/** A simulation that runs. */
export class Simulation implements EngineHost {
  readonly deadline: number;
  readonly maxEvents: number;
  readonly strict: boolean;
  /** Uninstalls the engine. */
  readonly stop: () => void;
  /** Rejects if the simulation cannot continue even to its end. */
  readonly stuck: Promise<never>;
  /** The faults of a plan. */
  readonly faults: FaultInjector;
  readonly #engine: Engine;
  readonly #network: Network;
  readonly #recorder: Recorder;
  readonly #hosts: Map<SimHost, Host> = new Map();
  readonly #invariants: { readonly name: string; readonly check: () => void }[] = [];
  #territory: HostTerritory | undefined;
  #giveUp!: (error: unknown) => void;
  #failure: { readonly error: unknown } | undefined;
  #traceToFailure: SimEvent[] | undefined;
  #ended = false;

  constructor({ seed, deadline, link, maxEvents, strict, trace }: SimTerms) {
    this.deadline = deadline;
    this.maxEvents = maxEvents;
    this.strict = strict;
    const { engine, uninstall } = installEngine(this, seededRandom(seed ^ hashText("library")));
    this.#engine = engine;
    this.stop = uninstall;
    this.#recorder = new Recorder(() => engine.now, trace);
    this.#network = new Network(engine, this.#recorder, seed, link);
    this.faults = new FaultInjector(engine, this.#network, () => this.#ended ? [] : [...this.#hosts.values()]);
    this.stuck = new Promise((_, reject) => this.#giveUp = reject);
    this.stuck.catch(() => {});
  }

  /** Runs the main function in the switch of the simulation. */
  async run<T>(root: Switch, main: (sim: Sim) => Promise<T>): Promise<T> {
    const scope: Scope | undefined = currentScope();
    this.#territory = { network: this.#network, root, scope, fail: (error) => this.#fail(error) };
    registerOwner(root, "simulate", { label: "hosts", release: () => this.#end() });
    this.#engine.start();
    const value = await this.#runMain(main);
    if (this.#engine.isForeign) throw this.#errorOf("foreign");
    this.#checkInvariants();
    if (this.#failure !== undefined) throw this.#failure.error;
    return value;
  }

  async #runMain<T>(main: (sim: Sim) => Promise<T>): Promise<T> {
    try {
      return await main(this.#sim());
    } catch (error) {
      this.#traceToFailure ??= this.#recorder.events();
      throw error;
    }
  }

  async #end(): Promise<void> {
    this.#ended = true;
    this.#engine.liftLimits();
    for (const host of [...this.#hosts.values()].reverse()) await host.end();
  }

  /** The events of the trace, up to the failure: what the end of all programs causes is left out. */
  get trace(): SimEvent[] {
    return this.#traceToFailure ?? this.#recorder.events();
  }

  settled(): void {
    if (!this.#ended) this.#checkInvariants();
  }

  threw(error: unknown): void {
    this.#fail(error);
  }

  canProgress(): boolean {
    return this.#network.canProgress;
  }

  halted(why: Halt): void {
    const error = this.#failure?.error ?? this.#errorOf(why);
    if (this.#failure === undefined || why === "foreign") return this.#fail(error);
    this.#giveUp(error);
    this.#engine.stop();
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#traceToFailure = this.#recorder.events();
    this.#engine.touch();
    this.#territory?.root.fail(error);
  }

  #errorOf(why: Halt): Error {
    const { now, events } = this.#engine;
    const dump = this.#territory?.root.dump() ?? "";
    if (why === "deadlock") return new DeadlockError(now, "everything waits, and nothing is left to happen", dump);
    if (why === "foreign") {
      return new DeadlockError(now, "a promise was settled from outside, and was not waited for by external", dump);
    }
    if (why === "deadline") return new TimeoutError(this.deadline, "the simulation");
    return new Error(
      `Cannot continue the simulation at ${now} ms: it had ${events} events, which is maxEvents\n${dump}`,
    );
  }

  #checkInvariants(): void {
    if (this.#failure !== undefined) return;
    for (const { name, check } of this.#invariants) {
      try {
        const result: unknown = check();
        if (isPromise(result)) throw new TypeError("Cannot check an invariant with a promise");
      } catch (cause) {
        const why = textOf(cause);
        const message = `Cannot continue the simulation at ${this.#engine.now} ms: ${
          quoteText(name)
        } does not hold: ${why}`;
        return this.#fail(new Error(message, { cause }));
      }
    }
  }

  #sim(): Sim {
    const recorder = this.#recorder;
    const tell = (fn: () => void) => fn();
    const clock: Clock = clockOf(this.#engine, { skew: 0, rate: 1, tell });
    const dns: SimDns = Object.freeze({
      set: (...[name, answer, options]: Parameters<SimDns["set"]>) => this.#network.dns.set(name, answer, options),
    });
    return Object.freeze({
      clock,
      dns,
      host: (name: string, options?: HostOptions) => this.#host(name, options),
      link: (a: SimHost, b: SimHost, options: LinkOptions) => {
        for (const path of this.#network.between(this.#get(a).kernel, this.#get(b).kernel)) {
          path.link = checkLink(options, path.link);
        }
        recorder.record(a.name, "link", undefined, b.name);
      },
      partition: (a: SimHost, b: SimHost, how: "both" | "oneway" = "both") => this.#partition(a, b, how),
      heal: (a?: SimHost, b?: SimHost) => this.#onLinks("heal", a, b),
      hold: (a: SimHost, b: SimHost) => this.#onLinks("hold", a, b, true),
      release: (a?: SimHost, b?: SimHost) => this.#onLinks("release", a, b),
      crash: (host: SimHost) => this.#get(host).crash(),
      restart: (host: SimHost) => {
        this.#get(host).crash();
        this.#get(host).start();
      },
      pause: (host: SimHost, ms: number) => {
        checkNumber("pause a host", "ms", ms, 0, Number.MAX_SAFE_INTEGER);
        this.#get(host).pause(ms);
      },
      async run(ms: number): Promise<void> {
        checkNumber("run the simulation", "ms", ms, 0, Number.MAX_SAFE_INTEGER);
        await clock.sleep(ms);
      },
      schedule: (at: number, what: () => unknown) => this.#schedule(at, what),
      invariant: (name: string, check: () => void) => {
        checkString("add an invariant", "name", name);
        checkFunction("add an invariant", check);
        this.#invariants.push({ name, check });
      },
      external: <T>(promise: Promise<T>) => this.#engine.external(promise),
      sockets: (): readonly SimSocket[] => [...this.#hosts.values()].flatMap(({ kernel }) => kernel.sockets()),
      trace: (): SimEvent[] => recorder.events(),
      traceHash: () => recorder.hash(),
    });
  }

  #host(name: string, options: HostOptions | undefined): SimHost {
    const terms = checkHostOptions(options);
    const key = hostAddress(name, 0).name.toLowerCase();
    const known = [...this.#hosts.keys()].find((host) => host.name.toLowerCase() === key);
    if (known !== undefined && options === undefined) return known;
    if (known !== undefined) throw new TypeError(`Cannot add a host: there is one named ${quoteText(name)}`);
    const ip = terms.ip ?? this.#freeIp();
    for (const each of [ip, terms.ip6]) {
      if (each !== undefined && this.#network.find(each) !== undefined) {
        throw new TypeError(`Cannot add a host: ${each} is the address of another`);
      }
    }
    if (this.#territory === undefined || this.#ended) throw new Error("Cannot add a host: the simulation has ended");
    const host = new Host(this.#territory, name, ip, terms);
    this.#hosts.set(host.face, host);
    host.start();
    return host.face;
  }

  /** Returns the first address from 10.0.0.1 on that no host has. */
  #freeIp(): IpAddress {
    for (let number = this.#hosts.size + 1;; number++) {
      const ip = IpAddress.fromBytes(Uint8Array.of(10, number >> 16, number >> 8 & 255, number & 255));
      if (this.#network.find(ip) === undefined) return ip;
    }
  }

  #get(host: SimHost): Host {
    const known = this.#hosts.get(host);
    if (known !== undefined) return known;
    throw new TypeError(`Cannot change a host: ${describe(host)} is not a host of this simulation`);
  }

  #partition(a: SimHost, b: SimHost, how: "both" | "oneway"): void {
    if (how !== "both" && how !== "oneway") {
      throw new TypeError(`Cannot cut a link as how must be "both" or "oneway": current value is ${describe(how)}`);
    }
    const [one, other] = [this.#get(a).kernel, this.#get(b).kernel];
    this.#network.path(one, other).blocked = true;
    if (how === "both") this.#network.path(other, one).blocked = true;
    this.#recorder.record(a.name, how === "both" ? "partition" : "partition oneway", undefined, b.name);
  }

  /** Changes both directions of a link, or those of every link. */
  #onLinks(
    what: "heal" | "hold" | "release",
    a: SimHost | undefined,
    b: SimHost | undefined,
    needsHosts = false,
  ): void {
    const all = a === undefined && b === undefined && !needsHosts;
    const [one, other] = all ? [] : [this.#get(a as SimHost).kernel, this.#get(b as SimHost).kernel];
    this.#recorder.record(a?.name ?? "", what, undefined, b?.name);
    if (one === undefined || other === undefined) this.#network.change(what);
    else this.#network.change(what, one, other);
  }

  #schedule(at: number, what: () => unknown): void {
    checkFunction("schedule an event", what);
    if (!Number.isFinite(at)) {
      throw new RangeError(`Cannot schedule an event as at must be a finite number: current value is ${describe(at)}`);
    }
    this.#engine.at(at, () => {
      this.#engine.wake();
      if (!this.#ended) this.#territory?.root.forkDaemon(what);
    });
  }
}
