// Copyright 2026 the Sluice authors. MIT license.

import type { Clock } from "../../../switch/mod.ts";
import type { IpAddress, Net } from "../../mod.ts";
import type { LinkOptions, SimDns, SimEvent, SimSocket } from "./stack/mod.ts";

/** A host of a simulation. Created by {@linkcode Sim.host}. */
export interface SimHost {
  /** Its name, which the simulated DNS resolves to its addresses. */
  readonly name: string;
  /** Its IPv4 address. */
  readonly ip: IpAddress;
  /** Its IPv6 address, if it has one. */
  readonly ip6: IpAddress | undefined;
  /** Its network. It stays the same when the host is started again. */
  readonly net: Net;
  /** Its clock, which is also that of its network. */
  readonly clock: Clock;
  /** Returns the next of the host's own random numbers, from 0 (inclusive) to 1 (exclusive). */
  random(): number;
  /**
   * Starts a fiber of the host. `fn` is called synchronously, up to its first `await`. The fiber is
   * cancelled when the host crashes, and when the main function of the simulation has ended.
   *
   * @typeParam T The type of the value of `fn`.
   * @param fn The function to run.
   * @returns The value of `fn`. An error of `fn` fails the simulation, unless this promise is
   * awaited when `fn` throws.
   * @throws {TypeError} If `fn` is not a function.
   * @throws {Error} If the host has crashed, or the simulation has ended.
   */
  fork<T>(fn: () => T | Promise<T>): Promise<T>;
}

/** Options for {@linkcode Sim.host}. */
export interface HostOptions {
  /**
   * The IPv4 address.
   *
   * @default {the next of 10.0.0.0/8}
   */
  ip?: string | IpAddress | undefined;
  /**
   * The IPv6 address. By default the host has none, but that of loopback.
   *
   * @default {undefined}
   */
  ip6?: string | IpAddress | undefined;
  /**
   * The most open sockets and listeners: opening or accepting more is `too_many_open_files`.
   *
   * @default {Infinity}
   */
  maxSockets?: number | undefined;
  /**
   * By how much the host's clock is ahead at the start, in milliseconds.
   *
   * @default {0}
   */
  clockSkew?: number | undefined;
  /**
   * How fast the host's clock runs: 1.01 gains 10 ms in each second.
   *
   * @default {1}
   */
  clockRate?: number | undefined;
  /**
   * The program of the host. It is started by {@linkcode Sim.host}, and again by
   * {@linkcode Sim.restart}; an error in it fails the simulation.
   *
   * @default {undefined}
   */
  main?: ((host: SimHost) => unknown) | undefined;
}

/** A simulated network, and the control of it. Created by {@linkcode simulate}. */
export interface Sim {
  /** The virtual time, in milliseconds from the start of the simulation. */
  readonly clock: Clock;
  /** The names of the simulation. */
  readonly dns: SimDns;
  /**
   * Adds a host, and starts its `main`. Without options, returns the host of that name if there is
   * one.
   *
   * @param name A host name.
   * @param options Its addresses, limits, clock and program.
   * @returns The host.
   * @throws {SyntaxError} If the name or an address is invalid.
   * @throws {TypeError} If the name or an address is taken, or an option has the wrong type.
   * @throws {RangeError} If an option is out of range.
   */
  host(name: string, options?: HostOptions): SimHost;
  /**
   * Changes the properties of the link between two hosts, in both directions, for packets that are
   * sent from now on. Properties that are not named stay as they are.
   *
   * @param a One host.
   * @param b The other; the same one for its loopback.
   * @param options The properties to change.
   * @throws {TypeError} If a host is not one of this simulation, or an option is not a number.
   * @throws {RangeError} If an option is out of range.
   */
  link(a: SimHost, b: SimHost, options: LinkOptions): void;
  /**
   * Cuts the link between two hosts: packets on their way are lost, and so are later ones, without
   * notice to either.
   *
   * @param a One host.
   * @param b The other.
   * @param how `"oneway"` cuts only the direction from `a` to `b`. By default `"both"`.
   * @throws {TypeError} If an argument has the wrong type.
   */
  partition(a: SimHost, b: SimHost, how?: "both" | "oneway"): void;
  /**
   * Ends the partition of two hosts, in both directions; without arguments, every partition.
   *
   * @param a One host.
   * @param b The other.
   * @throws {TypeError} If a host is not one of this simulation.
   */
  heal(a?: SimHost, b?: SimHost): void;
  /**
   * Stops the packets between two hosts, in both directions, until {@linkcode Sim.release}: none is
   * lost.
   *
   * @param a One host.
   * @param b The other.
   * @throws {TypeError} If a host is not one of this simulation.
   */
  hold(a: SimHost, b: SimHost): void;
  /**
   * Delivers the packets that were held, in order; without arguments, those of every link.
   *
   * @param a One host.
   * @param b The other.
   * @throws {TypeError} If a host is not one of this simulation.
   */
  release(a?: SimHost, b?: SimHost): void;
  /**
   * Crashes a host, as by a power failure: its sockets are gone without a FIN or a reset, packets
   * to it are lost, and its fibers are cancelled. Operations of other fibers on its sockets fail.
   *
   * @param host The host. If it has crashed already, nothing happens.
   * @throws {TypeError} If it is not a host of this simulation.
   */
  crash(host: SimHost): void;
  /**
   * Starts a host again, and its `main`. A host that is up crashes first.
   *
   * @param host The host.
   * @throws {TypeError} If it is not a host of this simulation.
   */
  restart(host: SimHost): void;
  /**
   * Pauses the program of a host, as a long garbage collection does: its system goes on
   * acknowledging and storing, but the program receives no event, not even the end of a sleep on
   * the host's clock.
   *
   * @param host The host.
   * @param ms The duration, in milliseconds of virtual time.
   * @throws {TypeError} If it is not a host of this simulation.
   * @throws {RangeError} If `ms` is negative or not finite.
   */
  pause(host: SimHost, ms: number): void;
  /**
   * Lets virtual time pass.
   *
   * @param ms The duration, in milliseconds.
   * @throws {RangeError} If `ms` is negative or not finite.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  run(ms: number): Promise<void>;
  /**
   * Calls a function at a time. An error in it fails the simulation. If the main function ends
   * before, it is not called.
   *
   * @param at The virtual time, in milliseconds; now if it has passed.
   * @param what The function. A promise that it returns is awaited.
   * @throws {RangeError} If `at` is not a finite number.
   * @throws {TypeError} If `what` is not a function.
   */
  schedule(at: number, what: () => unknown): void;
  /**
   * Adds a check that runs after each event, once everything that follows from it at that moment
   * has happened. If it throws, the simulation fails.
   *
   * @param name What must hold.
   * @param check Throws if it does not hold.
   * @throws {TypeError} If an argument has the wrong type.
   */
  invariant(name: string, check: () => void): void;
  /**
   * Waits for something outside the simulation, such as a file or a worker. Virtual time stands
   * still meanwhile.
   *
   * @typeParam T The type of the value.
   * @param promise The promise to wait for.
   * @returns Its value.
   */
  external<T>(promise: Promise<T>): Promise<T>;
  /** Returns the sockets of all hosts, as netstat(8) lists them. Unix sockets are left out. */
  sockets(): readonly SimSocket[];
  /** Returns the latest events, oldest first: plain data. */
  trace(): SimEvent[];
  /**
   * Returns a hash of all events so far. It is the same for the same seed and program, on every
   * runtime.
   */
  traceHash(): string;
}
