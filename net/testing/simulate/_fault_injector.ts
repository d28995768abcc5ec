// Copyright 2026 the Sluice authors. MIT license.

import type { Engine } from "./engine/internal.ts";
import type { PlannedFault, SimFault } from "./fault_plan.ts";
import type { Host } from "./_host.ts";
import type { Network } from "./stack/internal.ts";

/** Inflicts planned faults, and records those that happened. */
export class FaultInjector {
  /** The faults that happened, with the names of their hosts. */
  readonly inflicted: SimFault[] = [];
  readonly #engine: Engine;
  readonly #network: Network;
  readonly #hosts: () => readonly Host[];

  /** @param hosts Returns the hosts that exist; none once the simulation has ended. */
  constructor(engine: Engine, network: Network, hosts: () => readonly Host[]) {
    this.#engine = engine;
    this.#network = network;
    this.#hosts = hosts;
  }

  /** Schedules faults. */
  schedule(faults: readonly PlannedFault[]): void {
    for (const fault of faults) this.#engine.at(fault.at, () => this.#inflict(fault));
  }

  #inflict({ what, at, for: ms, host: who, peer: whom }: PlannedFault): void {
    const hosts = this.#hosts();
    const host = pick(hosts, who);
    if (host === undefined) return;
    const { kernel } = host;
    if (what === "crash" || what === "pause") {
      if (!kernel.isUp) return;
      if (what === "crash") {
        host.crash();
        this.#engine.after(ms, () => this.#hosts().length > 0 && !kernel.isUp && host.start());
      } else {
        host.pause(ms);
      }
      this.inflicted.push({ what, at, for: ms, host: kernel.name });
      return;
    }
    const peer = pick(hosts.filter((other) => other !== host), whom)?.kernel;
    if (peer === undefined) return;
    const there = this.#network.path(kernel, peer);
    const paths = what === "partition" ? [there, this.#network.path(peer, kernel)] : [there];
    if (what === "drop") {
      there.doomed++;
    } else {
      for (const path of paths) path.blocked = true;
      this.#engine.after(ms, () => {
        for (const path of paths) path.blocked = false;
        kernel.record("heal", undefined, peer.name);
      });
    }
    kernel.record(what, undefined, peer.name);
    this.inflicted.push({ what, at, for: ms, host: kernel.name, peer: peer.name });
  }
}

/** Returns the host of a name, or one by a number from 0 to 1. */
function pick(hosts: readonly Host[], which: string | number | undefined): Host | undefined {
  if (typeof which === "number") return hosts[Math.floor(which * hosts.length)];
  return hosts.find(({ kernel }) => kernel.name === which);
}
