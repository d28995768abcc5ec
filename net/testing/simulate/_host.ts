// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, isInstance, quoteText } from "../../../base/internal.ts";
import {
  adopt,
  Cancelled,
  type Clock,
  Scope,
  type ScopeSwitch,
  type Switch,
  switchOver,
} from "../../../switch/internal.ts";
import { createNet } from "../../provider/internal.ts";
import type { IpAddress, Net } from "../../mod.ts";
import { clockOf } from "./engine/internal.ts";
import { HostFiber } from "./_host_fiber.ts";
import type { SimHost } from "./sim.ts";
import type { HostTerms } from "./sim_options.ts";
import { Kernel, type Network, SimProvider } from "./stack/internal.ts";

/** The time from the start of a host to its crash. */
interface Life extends ScopeSwitch {
  readonly scope: Scope;
}

/** What hosts need of their simulation. */
export interface HostTerritory {
  readonly network: Network;
  /** The switch of the simulation. */
  readonly root: Switch;
  /** The scope of that switch. */
  readonly scope: Scope | undefined;
  fail(error: unknown): void;
}

/** A host: its system, and its program. */
export class Host {
  readonly kernel: Kernel;
  /** The object that users have of it. */
  readonly face: SimHost;
  readonly #territory: HostTerritory;
  readonly #main: ((host: SimHost) => unknown) | undefined;
  #life: Life | undefined;

  constructor(territory: HostTerritory, name: string, ip: IpAddress, terms: HostTerms) {
    const { network } = territory;
    const { ip6, maxSockets, clockSkew: skew, clockRate: rate, main } = terms;
    this.#territory = territory;
    this.#main = main;
    this.kernel = new Kernel(network, name, ip6 === undefined ? [ip] : [ip6, ip], maxSockets);
    network.add(this.kernel);
    const clock: Clock = clockOf(network.engine, { skew, rate, tell: this.kernel.tell });
    const net: Net = createNet(new SimProvider(this.kernel, clock));
    const random = network.randomFor(`host ${name}`);
    this.face = Object.freeze({
      name,
      ip,
      ip6,
      net,
      clock,
      random,
      fork: <T>(fn: () => T | Promise<T>): Promise<T> => this.#fork(fn),
    });
  }

  /** Starts the program. */
  start(): void {
    const { scope: parent } = this.#territory;
    const scope = new Scope(parent, "host");
    this.#life = { scope, ...switchOver(scope, this.kernel.name) };
    if (!this.kernel.isUp) {
      this.kernel.boot();
      this.kernel.record("restart");
    }
    const main = this.#main;
    if (main !== undefined) void this.#fork(() => main(this.face));
  }

  /** Crashes the system, and cancels the program. */
  crash(): void {
    const life = this.#life;
    if (life === undefined) return;
    this.#life = undefined;
    this.kernel.record("crash");
    this.kernel.cut();
    // Its code is cancelled before its sockets fail.
    life.sw.fail(new Error(`Host ${quoteText(this.kernel.name)} has crashed`));
    this.kernel.crash();
    adopt(this.#territory.root, endLife(life).catch(() => {})); // no error of a dead host matters
  }

  /** Pauses the program. */
  pause(ms: number): void {
    this.kernel.record("pause");
    this.kernel.pause(ms);
  }

  /** Ends the program with the simulation. */
  async end(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    if (life !== undefined) await endLife(life);
  }

  #fork<T>(fn: () => T | Promise<T>): Promise<T> {
    const action = `fork on host ${quoteText(this.kernel.name)}`;
    checkFunction(action, fn);
    const life = this.#life;
    if (life === undefined) throw new Error(`Cannot ${action}: it is down`);
    let resolve!: (value: T | PromiseLike<T>) => void;
    let reject!: (error: unknown) => void;
    const fiber: HostFiber<T> = new HostFiber(
      new Promise<T>((...settle) => [resolve, reject] = settle),
    );
    let called = false;
    life.sw.forkDaemon(async () => {
      called = true;
      try {
        resolve(await fn());
      } catch (error) {
        reject(error);
        if (this.#life === life && !fiber.isAwaited && !isInstance(error, Cancelled)) this.#territory.fail(error);
      }
    });
    if (!called) reject(new Cancelled(new Error(`Cannot ${action}: it is down`)));
    return fiber;
  }
}

async function endLife(life: Life): Promise<void> {
  try {
    await life.end();
  } finally {
    life.scope.finish();
  }
}
