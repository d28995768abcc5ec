// Copyright 2026 the Sluice authors. MIT license.

import { isAborted } from "../../base/internal.ts";
import { turnsToPoll } from "../server/internal.ts";
import type { PoolChannel } from "./_channel.ts";
import { type Answer, type PoolHandler, readAnswer } from "./callbacks.ts";
import type { PoolConnection } from "./pool_connection.ts";

/** What happens on a connection: the name of its callback. */
type Event = "connected" | "received" | "posted" | "timedOut" | "ended" | "stopping";

const proceeding: Answer = { next: "proceed", state: undefined, timeout: undefined };
const finished: Answer = { next: "finish" };

/** The callbacks of one connection, one after the other. */
export class Turns {
  /** The present handler and its state. */
  handler: PoolHandler<unknown>;
  state: unknown;
  readonly #channel: PoolChannel;
  readonly #stopping: AbortSignal;
  readonly #receiveTimeout: number;
  #toldEnd = false;
  #toldStop = false;
  /** Whether the last event was a message, so that input is next if there is any. */
  #wasPost = false;
  /** Until when input is awaited. */
  #deadline = Infinity;

  constructor(
    handler: PoolHandler<unknown>,
    state: unknown,
    channel: PoolChannel,
    stopping: AbortSignal,
    receiveTimeout: number,
  ) {
    this.handler = handler;
    this.state = state;
    this.#channel = channel;
    this.#stopping = stopping;
    this.#receiveTimeout = receiveTimeout;
  }

  /** Calls callbacks until one has ended the connection. */
  async run(c: PoolConnection): Promise<void> {
    this.#channel.connectedAt = this.#channel.clock.now();
    let event: Event = "connected";
    for (;;) {
      const answer = await this.#call(event, c);
      if (answer.next === "finish") return;
      if (answer.next === "switchTo") {
        this.handler = answer.handler;
        this.state = answer.state;
        this.#toldEnd = this.#toldStop = this.#wasPost = false;
        event = "connected";
        continue;
      }
      if (answer.state !== undefined) this.state = answer.state;
      this.#extend(event, answer.timeout);
      event = await this.#next();
    }
  }

  /** Calls the callback of an event, and returns its answer, or the default one. */
  async #call(event: Event, c: PoolConnection): Promise<Answer> {
    const { handler, state } = this;
    let answer: unknown;
    switch (event) {
      case "received":
        answer = await handler.received(c, await this.#channel.take(), state);
        break;
      case "posted": {
        const message = this.#channel.posts.tryPop();
        answer = handler.posted === undefined ? proceeding : await handler.posted(c, message, state);
        break;
      }
      case "connected":
        answer = handler.connected === undefined ? proceeding : await handler.connected(c, state);
        break;
      default:
        answer = handler[event] === undefined ? finished : await handler[event](c, state);
    }
    return this.#channel.isUpgraded ? finished : readAnswer(event, answer);
  }

  /** Sets until when input is awaited. A message, and the stop, leave that as it is. */
  #extend(event: Event, timeout: number | undefined): void {
    if (timeout === undefined && (event === "posted" || event === "stopping")) return;
    this.#deadline = this.#channel.clock.now() + (timeout ?? this.#receiveTimeout);
  }

  /**
   * Waits for the next event. Messages and input take turns, and between two messages the event
   * loop goes on.
   */
  async #next(): Promise<Event> {
    const channel = this.#channel;
    for (;;) {
      channel.heed();
      if (!this.#toldStop && isAborted(this.#stopping)) {
        this.#toldStop = true;
        return "stopping";
      }
      const late = channel.clock.now() - this.#deadline;
      const hasPost = channel.posts.size > 0;
      if (this.#input === undefined && (late >= 0 || (hasPost && this.#wasPost))) await channel.look(turnsOf(late));
      const input = this.#input;
      if (input !== undefined && (this.#wasPost || !hasPost)) {
        if (input === "ended") this.#toldEnd = true;
        this.#wasPost = false;
        return input;
      }
      if (input === undefined && late >= 0) return "timedOut";
      if (hasPost) {
        this.#wasPost = true;
        return "posted";
      }
      await channel.wait(this.#deadline);
    }
  }

  /** The event of what was read: bytes, or the end that was not told. */
  get #input(): "received" | "ended" | undefined {
    const { reader } = this.#channel;
    if (reader.buffered > 0) return "received";
    return reader.eofSeen && !this.#toldEnd ? "ended" : undefined;
  }
}

/**
 * Returns for how many turns of the event loop input is looked for. If the loop was blocked, timers
 * run before input that has arrived meanwhile.
 */
function turnsOf(late: number): number {
  return late < 1 ? 1 : turnsToPoll;
}
