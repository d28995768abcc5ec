// Copyright 2026 the Sluice authors. MIT license.

import { IpAddress } from "../../../mod.ts";
import { seededRandom } from "../../internal.ts";
import { bare, isLoopback4 } from "../../memory/internal.ts";
import type { Engine } from "../engine/internal.ts";
import { Dns } from "./dns.ts";
import { type Link, loopbackLink } from "./link_options.ts";
import type { Packet } from "./_packet.ts";
import { Path } from "./_path.ts";
import type { System } from "./_system.ts";
import { hashText, type Recorder } from "./trace.ts";

/** The network of a simulation: its hosts, and the paths between them. */
export class Network {
  readonly engine: Engine;
  readonly recorder: Recorder;
  readonly dns: Dns;
  readonly seed: number;
  readonly #link: Link;
  readonly #systems: System[] = [];
  readonly #byIp: Map<string, System> = new Map();
  readonly #paths: Map<System, Map<System, Path>> = new Map();

  /** @param link The link of two hosts that have none of their own. */
  constructor(engine: Engine, recorder: Recorder, seed: number, link: Link) {
    this.engine = engine;
    this.recorder = recorder;
    this.seed = seed;
    this.#link = link;
    this.dns = new Dns(engine, recorder, this.#systems);
  }

  /** How long a packet takes by default, in milliseconds. */
  get latency(): number {
    return this.#link.latency;
  }

  /** The hosts, in the order in which they were added. */
  get systems(): readonly System[] {
    return this.#systems;
  }

  /** Returns a generator of random numbers for one purpose, independent of all others. */
  randomFor(purpose: string): () => number {
    return seededRandom(this.seed ^ hashText(purpose));
  }

  /** Adds a host. */
  add(system: System): void {
    this.#systems.push(system);
    for (const ip of system.ips) this.#byIp.set(`${ip}`, system);
  }

  /** Returns the host at an address as seen by `from`, or `undefined`. */
  find(ip: IpAddress, from?: System): System | undefined {
    if (isLoopback4(ip) || ip.equals(IpAddress.loopback6)) return from;
    return this.#byIp.get(`${bare(ip)}`);
  }

  /** Returns the path from one host to another. */
  path(from: System, to: System): Path {
    let paths = this.#paths.get(from);
    if (paths === undefined) this.#paths.set(from, paths = new Map());
    let path = paths.get(to);
    if (path === undefined) {
      path = new Path(from === to ? loopbackLink : this.#link, this.randomFor(`path ${from.name} ${to.name}`));
      paths.set(to, path);
    }
    return path;
  }

  /** Returns both directions of a link. */
  between(a: System, b: System): readonly Path[] {
    return a === b ? [this.path(a, a)] : [this.path(a, b), this.path(b, a)];
  }

  /** Ends or begins a partition or a hold: of one link, or of every one. */
  change(what: "heal" | "hold" | "release", a?: System, b?: System): void {
    if (a !== undefined && b !== undefined) this.between(a, b); // they exist from now on
    for (const [from, paths] of this.#paths) {
      for (const [to, path] of paths) {
        if (a !== undefined && !(from === a && to === b) && !(from === b && to === a)) continue;
        if (what === "heal") path.blocked = false;
        else if (what === "hold") path.held ??= [];
        else this.#release(path, to);
      }
    }
  }

  /** Whether timers in the background can end what waits. */
  get canProgress(): boolean {
    return this.#systems.some(({ canProgress }) => canProgress);
  }

  /** Sends a packet. */
  send(from: System, to: System, packet: Packet): void {
    const { engine, recorder } = this;
    const path = this.path(from, to);
    const { kind, source, target, bytes } = packet;
    recorder.record(from.name, `send ${kind}`, source, target, bytes);
    const arrivals = path.fateOf(packet, engine.now);
    if (arrivals.length === 0) return recorder.record(from.name, `drop ${kind}`, source, target, bytes);
    if (arrivals.length > 1) recorder.record(from.name, `duplicate ${kind}`, source, target, bytes);
    for (const time of arrivals) engine.at(time, () => this.#arrive(path, to, packet));
  }

  /** Delivers the packets of a path that was held. */
  #release(path: Path, to: System): void {
    const { held } = path;
    path.held = undefined;
    for (const packet of held ?? []) this.engine.after(0, () => this.#arrive(path, to, packet));
  }

  /** Reports whether packets get from one host to another and back, now. */
  reaches(from: System, to: System): boolean {
    const works = ({ blocked, held, link }: Path) => !blocked && held === undefined && link.loss < 1;
    return to.isUp && works(this.path(from, to)) && works(this.path(to, from));
  }

  #arrive(path: Path, to: System, packet: Packet): void {
    const { kind, source, target, bytes } = packet;
    if (path.held !== undefined) {
      path.held.push(packet);
      this.recorder.record(to.name, `hold ${kind}`, source, target, bytes);
    } else if (path.blocked || !to.isUp) {
      this.recorder.record(to.name, `drop ${kind}`, source, target, bytes);
    } else {
      this.recorder.record(to.name, `receive ${kind}`, source, target, bytes);
      packet.arrive();
    }
  }
}
