// Copyright 2026 the Sluice authors. MIT license.

import { longestTimer, type Timer, type TimeSource } from "../../../../switch/internal.ts";
import { EventQueue, type QueuedEvent } from "./_event_queue.ts";

/** An event that was scheduled. */
export type ScheduledEvent = QueuedEvent;

/**
 * How many turns may happen in a row at one instant. Later ones happen after the next event: code
 * that polls in a loop lets time pass.
 */
const turnsPerInstant = 100;

/** How many turns of the real event loop without activity mean that everything waits. */
const idleTurns = 10;

/** How many idle turns strict mode watches after each event. */
const strictTurns = 3;

/**
 * The delays in which foreign promises may settle before the engine halts, in real milliseconds.
 */
const patience = [1, 2, 5, 10, 20];

/** The most events without a turn of the real event loop. */
const eventsPerTurn = 10_000;

/** Why an engine stopped. */
export type Halt = "deadlock" | "foreign" | "deadline" | "maxEvents";

/** The simulation, as its engine sees it. */
export interface EngineHost {
  /** The virtual time after which the simulation fails, in milliseconds. */
  readonly deadline: number;
  /** The most events. */
  readonly maxEvents: number;
  /** Whether a promise that settles without an event is an error. */
  readonly strict: boolean;
  /** Called after each event, once nothing more happens at that moment. */
  settled(): void;
  /** Called with what an event has thrown. */
  threw(error: unknown): void;
  /** Reports whether events in the background can end what waits. */
  canProgress(): boolean;
  /**
   * Called when the simulation cannot continue. The engine keeps running, so that what was
   * cancelled can end, until it must halt once more: then it is stopped.
   */
  halted(why: Halt): void;
}

/**
 * The queue of a simulation's events, and the loop that lets promise jobs and turns run until
 * nothing more happens, sets the clock to the earliest event, and runs it.
 */
export class Engine {
  /** The virtual time, in milliseconds. */
  now = 0;
  /** How many events have happened. */
  events = 0;
  readonly #host: EngineHost;
  readonly #real: TimeSource;
  readonly #queue: EventQueue = new EventQueue();
  #sequence = 0;
  /** Whether the simulation was used since the last look. */
  #touched = true;
  /** Whether the last event called code of users, so that promise jobs may be pending. */
  #woken = true;
  #unsettled = false;
  #idle = 0;
  /** How many turns have happened since the last other event. */
  #turns = 0;
  /** The turns that wait for another event. */
  readonly #deferred: Set<QueuedEvent> = new Set();
  #externals = 0;
  #deadline: number;
  #maxEvents: number;
  #stopped = false;
  #scheduled = false;
  #timer: Timer | undefined;

  /** @param real The system's source of time. */
  constructor(host: EngineHost, real: TimeSource) {
    this.#host = host;
    this.#real = real;
    this.#deadline = host.deadline;
    this.#maxEvents = host.maxEvents;
  }

  /** Starts the loop. */
  start(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#real.macrotask(this.#loop);
  }

  /** Lifts the limits, so that running code can end. */
  liftLimits(): void {
    this.#deadline = Infinity;
    this.#maxEvents = this.events + 1_000_000;
  }

  /**
   * Stops the loop for good. Turns that are left happen in real time, so that no code waits
   * forever, and so do the longest timers.
   */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#timer?.stop();
    const left = [...this.#queue.events.filter(({ survives }) => survives), ...this.#deferred];
    for (const { run } of left.sort((a, b) => a.sequence - b.sequence)) this.#real.macrotask(run);
  }

  /** Schedules an event at a time, which is now if it has passed. */
  at(time: number, run: () => void, background = false): ScheduledEvent {
    return this.#add({ time: time > this.now ? time : this.now, run, background, isTurn: false, survives: false });
  }

  /** Schedules an event after a delay in milliseconds. */
  after(ms: number, run: () => void, background = false): ScheduledEvent {
    return this.at(this.now + ms, run, background);
  }

  /** Schedules the end of a timer. */
  startTimer(ms: number, run: () => void): ScheduledEvent {
    // The longest timer is a part of a longer one: nothing is due at its end, whenever that comes.
    const isLongest = ms >= longestTimer;
    return this.#add({ time: this.now + ms, run, background: isLongest, isTurn: false, survives: isLongest });
  }

  /** Schedules a turn: an event at this instant, after those that are pending for it. */
  addTurn(run: () => void): ScheduledEvent {
    return this.#add({ time: this.now, run, background: false, isTurn: true, survives: true });
  }

  /** Cancels an event, if it has not happened. */
  cancel(event: ScheduledEvent): void {
    this.#touched = true;
    this.#queue.remove(event);
    this.#deferred.delete(event);
  }

  /** Records that code outside the engine used the simulation. */
  touch(): void {
    this.#touched = true;
  }

  /** Whether the running code was resumed by something outside, in strict mode. */
  get isForeign(): boolean {
    return this.#host.strict && this.#idle > 0 && !this.#touched;
  }

  /** Records that the running event calls code of users. */
  wake(): void {
    this.#woken = true;
    this.#touched = true;
  }

  /** Waits for a promise that settles in real time, while virtual time stands still. */
  async external<T>(promise: PromiseLike<T>): Promise<T> {
    this.#externals++;
    this.#touched = true;
    try {
      return await promise;
    } finally {
      this.#externals--;
      this.#touched = true;
      this.#idle = 0;
      if (this.#externals === 0) this.start();
    }
  }

  #add(terms: Omit<QueuedEvent, "sequence" | "index">): QueuedEvent {
    const { time, background, isTurn, survives, run } = terms;
    const event = { time, sequence: this.#sequence++, index: -1, background, isTurn, survives, run };
    this.#touched = true;
    if (isTurn && this.#turns >= turnsPerInstant) this.#deferred.add(event);
    else this.#queue.add(event);
    return event;
  }

  /** Runs in a turn of the real event loop, so all promise jobs have run. */
  readonly #loop = (): void => {
    this.#scheduled = false;
    this.#timer = undefined;
    if (this.#stopped || this.#externals > 0) return;
    if (this.#look() && this.#settle() && !this.#runEvents()) return;
    this.start();
  };

  /** Reports whether enough turns were idle for the next event. */
  #look(): boolean {
    if (this.#touched) {
      const foreign = this.#host.strict && this.#idle > 0;
      this.#touched = false;
      this.#idle = 0;
      this.#unsettled = true;
      if (foreign) this.#halt("foreign");
      return false;
    }
    this.#idle++;
    return this.#idle >= (this.#host.strict ? strictTurns : 1);
  }

  /** Reports whether what happened at this moment left it quiet. */
  #settle(): boolean {
    if (!this.#unsettled) return true;
    this.#unsettled = false;
    this.#host.settled();
    return !this.#touched;
  }

  /** Runs events until one of them calls code of users. Reports whether to go on. */
  #runEvents(): boolean {
    for (let count = 0; count < eventsPerTurn; count++) {
      const event = this.#queue.first;
      if (event === undefined && this.#deferred.size > 0) {
        this.#resumeTurns();
        continue;
      }
      const waits = !this.#queue.hasForeground && this.#deferred.size === 0 && !this.#host.canProgress();
      if (event === undefined || waits) return this.#wait();
      if (event.time > this.#deadline) return this.#halt("deadline");
      if (this.events >= this.#maxEvents) return this.#halt("maxEvents");
      this.#queue.remove(event);
      this.now = event.time;
      this.events++;
      if (event.isTurn) this.#turns++;
      else this.#resumeTurns();
      this.#woken = event.isTurn;
      this.#touched = false;
      try {
        event.run();
      } catch (error) {
        this.#woken = true;
        this.#host.threw(error);
      }
      this.#idle = 0;
      this.#touched = this.#woken;
      if (this.#woken || this.#stopped) return true;
      this.#host.settled();
      if (this.#touched) return true;
    }
    return true;
  }

  #resumeTurns(): void {
    this.#turns = 0;
    for (const event of this.#deferred) {
      event.time = this.now;
      this.#queue.add(event);
    }
    this.#deferred.clear();
  }

  /** Called when everything waits. Waits a while for foreign promises, and then halts. */
  #wait(): boolean {
    if (this.#idle < idleTurns) return true;
    const ms = this.#host.strict ? undefined : patience[this.#idle - idleTurns];
    if (ms === undefined) return this.#halt("deadlock");
    this.#timer = this.#real.startTimer(ms, this.#loop);
    return false;
  }

  /** Reports whether to go on: the first time, so that what was cancelled can end. */
  #halt(why: Halt): boolean {
    this.liftLimits();
    this.#idle = 0;
    this.#touched = true;
    this.#host.halted(why);
    return !this.#stopped;
  }
}
